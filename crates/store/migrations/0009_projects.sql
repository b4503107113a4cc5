-- Projects; the name of one is its id and never changes.
CREATE TABLE projects (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
INSERT INTO projects (name, description, created_at)
SELECT p.name, '', 0 FROM (
    SELECT 'default' AS name UNION SELECT project FROM instances UNION SELECT project FROM images
    UNION SELECT project FROM volumes UNION SELECT project FROM vpcs UNION SELECT project FROM keypairs
) p;

-- Users are names; what a user is in a project.
CREATE TABLE members (
    project TEXT NOT NULL REFERENCES projects (name),
    member TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project, member)
);
CREATE INDEX members_by_user ON members (member, project);

-- Of a token only the hash of its secret is kept. Without a project and a role it is an operator's.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    project TEXT REFERENCES projects (name),
    role TEXT,
    hash TEXT NOT NULL,
    made_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT,
    CHECK ((project IS NULL) = (role IS NULL))
);
CREATE INDEX tokens_by_owner ON tokens (owner, id);
CREATE INDEX tokens_by_project ON tokens (project, id);

-- A key pair is the user's who made it.
ALTER TABLE keypairs ADD COLUMN owner TEXT NOT NULL DEFAULT 'local:root';

-- What is told of work under way is told to the project that it is done for.
ALTER TABLE operations ADD COLUMN project TEXT NOT NULL DEFAULT 'default';
CREATE INDEX operations_by_project ON operations (project, id);
ALTER TABLE events ADD COLUMN project TEXT NOT NULL DEFAULT 'default';
CREATE INDEX events_by_project ON events (project, seq);
