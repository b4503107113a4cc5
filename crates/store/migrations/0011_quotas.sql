-- The limits that an operator set for a project; a maximum of NULL is unlimited, no row the daemon's default.
CREATE TABLE quotas (
    project TEXT NOT NULL,
    resource TEXT NOT NULL,
    maximum BIGINT,
    PRIMARY KEY (project, resource)
);
-- What each project has of each resource: changed in the transaction that changes the records, and equal to them.
CREATE TABLE charges (
    project TEXT NOT NULL,
    resource TEXT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (project, resource)
);
-- The GiB that a volume is charged for: its size, or the larger one that an operation in flight gives it.
ALTER TABLE volumes ADD COLUMN charged BIGINT NOT NULL DEFAULT 0;
UPDATE volumes SET charged = size;
-- 1 once the records that were there before are charged. The daemon does it at its next start: what an instance's type
-- has is kept as JSON, which the two databases don't read alike.
INSERT INTO counters (name, value) VALUES ('charged', 0);
