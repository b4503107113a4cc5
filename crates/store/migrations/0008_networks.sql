-- VPCs and subnets are made by people too.
ALTER TABLE vpcs ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
UPDATE vpcs SET created_at = COALESCE((SELECT MIN(at) FROM events WHERE resource = vpcs.id), 0);
CREATE INDEX vpcs_by_age ON vpcs (project, id);

ALTER TABLE subnets ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
UPDATE subnets SET created_at = (SELECT created_at FROM vpcs WHERE vpcs.id = subnets.vpc);
-- JSON lists of addresses.
ALTER TABLE subnets ADD COLUMN dns TEXT NOT NULL DEFAULT '[]';
ALTER TABLE subnets ADD COLUMN ntp TEXT NOT NULL DEFAULT '[]';
ALTER TABLE subnets ADD COLUMN nat BIGINT NOT NULL DEFAULT 1;

-- The rules are a JSON list: they are read and written together.
CREATE TABLE security_groups (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    vpc TEXT NOT NULL REFERENCES vpcs (id),
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    description TEXT NOT NULL,
    is_default BIGINT NOT NULL,
    rules TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (vpc, name),
    UNIQUE (vpc, number)
);
CREATE INDEX security_groups_by_age ON security_groups (project, id);

-- A port may be there without an instance.
CREATE TABLE new_ports (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT,
    instance TEXT REFERENCES instances (id),
    slot BIGINT,
    state TEXT NOT NULL,
    vpc TEXT NOT NULL REFERENCES vpcs (id),
    subnet TEXT NOT NULL REFERENCES subnets (id),
    mac TEXT NOT NULL,
    address BIGINT NOT NULL,
    number BIGINT NOT NULL UNIQUE,
    security_groups TEXT NOT NULL,
    pairs TEXT NOT NULL,
    delete_on_termination BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (subnet, address),
    UNIQUE (subnet, mac)
);
INSERT INTO new_ports (id, project, name, instance, slot, state, vpc, subnet, mac, address, number, security_groups,
                       pairs, delete_on_termination, created_at)
SELECT p.id, i.project, NULL, p.instance, 0, 'In-use', p.vpc, p.subnet, p.mac, p.address, p.number, '[]', '[]', 1,
       i.created_at
FROM ports p JOIN instances i ON i.id = p.instance;
DROP TABLE ports;
ALTER TABLE new_ports RENAME TO ports;
CREATE INDEX ports_by_instance ON ports (instance, slot);
CREATE INDEX ports_by_vpc ON ports (vpc, id);
CREATE INDEX ports_by_subnet ON ports (subnet, id);
CREATE INDEX ports_by_age ON ports (project, id);
CREATE INDEX ports_by_state ON ports (state);

CREATE TABLE public_ips (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    address BIGINT NOT NULL UNIQUE,
    pool TEXT NOT NULL,
    kind TEXT NOT NULL,
    port TEXT UNIQUE REFERENCES ports (id),
    created_at BIGINT NOT NULL
);
CREATE INDEX public_ips_by_age ON public_ips (project, id);
