-- One file of a volume's data. A volume is a chain of them down to an image, or to nothing; only the newest is written.
CREATE TABLE layers (
    id TEXT PRIMARY KEY,
    parent TEXT REFERENCES layers (id),
    image TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX layers_by_parent ON layers (parent);
-- Until now a volume had one file, named like it.
INSERT INTO layers (id, parent, image, created_at) SELECT id, NULL, image, created_at FROM volumes;

ALTER TABLE volumes ADD COLUMN layer TEXT REFERENCES layers (id);
UPDATE volumes SET layer = id;
CREATE INDEX volumes_by_layer ON volumes (layer);
-- The operation in flight, and the state at rest before it.
ALTER TABLE volumes ADD COLUMN operation TEXT;
ALTER TABLE volumes ADD COLUMN origin TEXT;
CREATE INDEX volumes_by_operation ON volumes (operation);
-- The place among the disks of its instance: 0 is the root volume.
ALTER TABLE volumes ADD COLUMN slot BIGINT;
ALTER TABLE volumes ADD COLUMN delete_on_termination BIGINT NOT NULL DEFAULT 0;
ALTER TABLE volumes ADD COLUMN volume_type TEXT NOT NULL DEFAULT 'ssd';
ALTER TABLE volumes ADD COLUMN fault TEXT;
UPDATE volumes SET slot = 0, delete_on_termination = 1 WHERE root = 1;
CREATE INDEX volumes_by_name ON volumes (project, name);

-- A snapshot is a layer that nothing writes any more. It outlives its volume, and so keeps the volume's name.
CREATE TABLE snapshots (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    volume TEXT NOT NULL,
    volume_name TEXT NOT NULL,
    layer TEXT NOT NULL REFERENCES layers (id),
    image TEXT REFERENCES images (id),
    size BIGINT NOT NULL,
    operation TEXT,
    consistency TEXT NOT NULL,
    hidden BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (project, name)
);
CREATE INDEX snapshots_by_age ON snapshots (project, id);
CREATE INDEX snapshots_by_layer ON snapshots (layer);
CREATE INDEX snapshots_by_volume ON snapshots (volume);
CREATE INDEX snapshots_by_image ON snapshots (image);

-- Operations move volumes and images too.
ALTER TABLE operations RENAME COLUMN instance TO subject;
ALTER TABLE operations RENAME COLUMN instance_name TO subject_name;
