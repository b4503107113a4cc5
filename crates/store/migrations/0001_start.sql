-- What SQLite and PostgreSQL both take, and nothing else: ids are UUIDs as TEXT, times are microseconds since the epoch
-- as BIGINT, addresses, numbers and booleans are BIGINT, structures are JSON as TEXT.

-- One row: the id that the domains of this installation carry.
CREATE TABLE installation (
    id TEXT PRIMARY KEY,
    made_at BIGINT NOT NULL
);

-- Numbers without gaps: bumped within the transaction that uses them.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('event', 0);

CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    resource TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT,
    operation TEXT,
    message TEXT
);

CREATE TABLE images (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    format TEXT NOT NULL,
    virtual_size BIGINT NOT NULL,
    file_size BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    os TEXT NOT NULL,
    firmware TEXT NOT NULL,
    login TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (project, name)
);
CREATE INDEX images_by_age ON images (project, id);

CREATE TABLE keypairs (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    public_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (project, name)
);
CREATE INDEX keypairs_by_age ON keypairs (project, id);

CREATE TABLE vpcs (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    number BIGINT NOT NULL UNIQUE,
    UNIQUE (project, name)
);

CREATE TABLE subnets (
    id TEXT PRIMARY KEY,
    vpc TEXT NOT NULL REFERENCES vpcs (id),
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    cidr TEXT NOT NULL,
    gateway BIGINT NOT NULL,
    UNIQUE (vpc, name),
    UNIQUE (vpc, number)
);

-- An operation outlives its instance, and so keeps the instance's name.
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    instance TEXT NOT NULL,
    instance_name TEXT NOT NULL,
    action TEXT NOT NULL,
    step BIGINT NOT NULL,
    phase TEXT NOT NULL,
    params TEXT NOT NULL,
    memo TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    fault TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX operations_by_instance ON operations (instance, id);
-- No instance is ever moved by two operations.
CREATE UNIQUE INDEX operations_in_flight ON operations (instance) WHERE finished_at IS NULL;

CREATE TABLE journal (
    operation TEXT NOT NULL REFERENCES operations (id),
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    step BIGINT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT,
    duration BIGINT,
    PRIMARY KEY (operation, number)
);

-- `stable` is the state at rest; while an operation is in flight, the one before it, and NULL while it is created.
CREATE TABLE instances (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    revision BIGINT NOT NULL,
    stable TEXT,
    operation TEXT REFERENCES operations (id),
    instance_type TEXT NOT NULL,
    before_resize TEXT,
    image TEXT NOT NULL,
    key_pair TEXT,
    fault TEXT,
    degraded TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (project, name),
    CHECK (stable IS NOT NULL OR operation IS NOT NULL)
);
CREATE INDEX instances_by_age ON instances (project, id);

-- Apart from the instance, so that lists don't read it. SQLite takes any word for a type and keeps bytes as bytes.
CREATE TABLE user_data (
    instance TEXT PRIMARY KEY REFERENCES instances (id),
    content BYTEA NOT NULL
);

CREATE TABLE volumes (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    instance TEXT REFERENCES instances (id),
    image TEXT REFERENCES images (id),
    size BIGINT NOT NULL,
    state TEXT NOT NULL,
    root BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX volumes_by_instance ON volumes (instance, id);
CREATE INDEX volumes_by_image ON volumes (image);

CREATE TABLE ports (
    id TEXT PRIMARY KEY,
    instance TEXT NOT NULL REFERENCES instances (id),
    vpc TEXT NOT NULL REFERENCES vpcs (id),
    subnet TEXT NOT NULL REFERENCES subnets (id),
    mac TEXT NOT NULL,
    address BIGINT NOT NULL,
    number BIGINT NOT NULL UNIQUE,
    UNIQUE (subnet, address),
    UNIQUE (subnet, mac)
);
CREATE INDEX ports_by_instance ON ports (instance, id);
CREATE INDEX ports_by_vpc ON ports (vpc, id);

-- Time spent in billed states at one instance type. It outlives the instance, and so keeps its name and project.
CREATE TABLE usage_intervals (
    instance TEXT NOT NULL,
    number BIGINT NOT NULL,
    instance_name TEXT NOT NULL,
    project TEXT NOT NULL,
    instance_type TEXT NOT NULL,
    began BIGINT NOT NULL,
    ended BIGINT,
    PRIMARY KEY (instance, number)
);
-- No second is ever billed twice.
CREATE UNIQUE INDEX usage_open ON usage_intervals (instance) WHERE ended IS NULL;
