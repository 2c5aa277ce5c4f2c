-- Instants are microseconds since 1970 UTC, exact and the same on both engines; the zero time is -62135596800000000.
-- Text compares by bytes, which is SQLite's own order.

-- +goose Up

-- What transactions want told.
CREATE TABLE outbox (
    id        INTEGER PRIMARY KEY AUTOINCREMENT, -- an id names its message for ever: one that was deleted is not given again
    partition INTEGER NOT NULL,
    data      BLOB NOT NULL,
    queued_at INTEGER NOT NULL
) STRICT;

CREATE TABLE agreements (
    hash        TEXT PRIMARY KEY,
    active_from INTEGER NOT NULL,
    document    BLOB NOT NULL,
    actor       TEXT NOT NULL
) STRICT;

CREATE TABLE quarantine (
    key      TEXT PRIMARY KEY,
    stream   TEXT NOT NULL,
    source   TEXT NOT NULL,
    event_id TEXT NOT NULL,
    raw      BLOB NOT NULL,
    reason   TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX quarantine_event ON quarantine (source, event_id);
CREATE INDEX quarantine_at ON quarantine (at, key);

CREATE TABLE leases (
    name       TEXT NOT NULL,
    shard      INTEGER NOT NULL,
    owner      TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (name, shard)
) STRICT, WITHOUT ROWID;

-- The end of each shard's chain.
CREATE TABLE heads (
    shard INTEGER PRIMARY KEY,
    seq   INTEGER NOT NULL DEFAULT 0,
    hash  BLOB NOT NULL DEFAULT x''
) STRICT;

CREATE TABLE entries (
    shard       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    source      TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    type        TEXT NOT NULL,
    lead        TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    history     INTEGER NOT NULL,
    data        BLOB NOT NULL,
    hash        BLOB NOT NULL,
    PRIMARY KEY (shard, seq),
    UNIQUE (source, event_id)
) STRICT;
CREATE INDEX entries_type ON entries (shard, type, seq);

CREATE TABLE tallies (
    shard  INTEGER NOT NULL,
    name   TEXT NOT NULL,
    labels TEXT NOT NULL,
    value  REAL NOT NULL,
    PRIMARY KEY (shard, name, labels)
) STRICT, WITHOUT ROWID;

-- The audit's list. An ended clock stays: told again as started, it must not come back.
CREATE TABLE clocks (
    id     TEXT PRIMARY KEY,
    due_at INTEGER, -- NULL until it is told as started
    ended  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX clocks_pending ON clocks (due_at) WHERE ended = 0;
