-- What people write on resources to find them again. A project's own labels have its name for a resource.
CREATE TABLE labels (
    project TEXT NOT NULL,
    resource TEXT NOT NULL,
    label_key TEXT NOT NULL,
    label_value TEXT NOT NULL,
    PRIMARY KEY (resource, label_key)
);
CREATE INDEX labels_by_key ON labels (project, label_key, label_value, resource);

-- Lists are in the order of age or of names, and a page begins where the one before ended. Ids tell equal moments apart.
DROP INDEX instances_by_age;
CREATE INDEX instances_by_age ON instances (project, created_at, id);
DROP INDEX images_by_age;
CREATE INDEX images_by_age ON images (project, created_at, id);
DROP INDEX keypairs_by_age;
CREATE INDEX keypairs_by_age ON keypairs (project, created_at, id);
DROP INDEX snapshots_by_age;
CREATE INDEX snapshots_by_age ON snapshots (project, created_at, id);
DROP INDEX vpcs_by_age;
CREATE INDEX vpcs_by_age ON vpcs (project, created_at, id);
DROP INDEX security_groups_by_age;
CREATE INDEX security_groups_by_age ON security_groups (project, created_at, id);
CREATE INDEX security_groups_by_name ON security_groups (project, name, id);
DROP INDEX ports_by_age;
CREATE INDEX ports_by_age ON ports (project, created_at, id);
CREATE INDEX ports_by_name ON ports (project, COALESCE(name, ''), id);
DROP INDEX public_ips_by_age;
CREATE INDEX public_ips_by_age ON public_ips (project, created_at, id);
CREATE INDEX volumes_by_age ON volumes (project, created_at, id);
CREATE INDEX operations_by_age ON operations (project, created_at, id);
CREATE INDEX subnets_by_vpc ON subnets (vpc, created_at, id);
DROP INDEX operations_by_project;
CREATE INDEX operations_by_time ON operations (created_at, id);
-- The instances in a state: those at rest, and those that operations in flight move.
CREATE INDEX instances_by_state ON instances (project, operation, stable);
