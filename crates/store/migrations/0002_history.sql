-- The history of one resource, read without the events of all others.
CREATE INDEX events_by_resource ON events (resource, at);

-- What libvirt said, when an event of it is why.
ALTER TABLE events ADD COLUMN heard TEXT;
