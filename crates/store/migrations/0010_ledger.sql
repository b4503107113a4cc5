-- What is metered, and what it was billed as: an entry each time that changes. Entries are never changed and never
-- deleted (triggers see to that), each carries the hash of the one before, and numbers have no gaps. Times are
-- microseconds: `elapsed` of metered time, `at` of the wall clock.
CREATE TABLE ledger (
    number BIGINT PRIMARY KEY,
    elapsed BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    project TEXT NOT NULL,
    resource TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT,
    billed BIGINT NOT NULL,
    rate TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    -- The entry that this one ends. UNIQUE: no moment is ever billed twice.
    ends BIGINT UNIQUE REFERENCES ledger (number),
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX ledger_by_time ON ledger (elapsed);
CREATE INDEX ledger_marks ON ledger (number) WHERE kind IN ('clock', 'prices');

-- The last entry of everything that is metered now.
CREATE TABLE metered (
    resource TEXT PRIMARY KEY,
    number BIGINT NOT NULL REFERENCES ledger (number)
);

-- One row: how the host's clocks and metered time go together, and the last sign of life.
CREATE TABLE meter (
    boot TEXT NOT NULL,
    shift BIGINT NOT NULL,
    skew BIGINT NOT NULL,
    alive BIGINT NOT NULL
);
