-- Requests that carried an idempotency key, with what they began: written in the transaction that begins it. The
-- operations are a list of ids as JSON; the fingerprint is of what was asked.
CREATE TABLE idempotency (
    requester TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    operations TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (requester, idempotency_key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
