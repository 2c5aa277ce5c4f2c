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

-- The cache of a lead's facts.
CREATE TABLE leads (
    id         TEXT PRIMARY KEY,
    version    INTEGER NOT NULL,
    stage      TEXT NOT NULL,
    cycle      INTEGER NOT NULL,
    staged     INTEGER NOT NULL,
    staged_at  INTEGER NOT NULL,
    agreement  TEXT NOT NULL,
    knowledge  BLOB NOT NULL,
    facts      INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Which lead an identifier names. The first binding stays.
CREATE TABLE aliases (
    identifier TEXT PRIMARY KEY,
    lead       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_lead ON aliases (lead, identifier);

-- The product's history. The primary key is what makes an event that is delivered twice one fact.
CREATE TABLE facts (
    source       TEXT NOT NULL,
    id           TEXT NOT NULL,
    lead         TEXT NOT NULL,
    occurred_at  INTEGER NOT NULL,
    recorded_at  INTEGER NOT NULL,
    content_hash BLOB NOT NULL,
    data         BLOB NOT NULL,
    PRIMARY KEY (source, id)
) STRICT;
CREATE INDEX facts_lead ON facts (lead, source, id);

CREATE TABLE transitions (
    lead       TEXT NOT NULL,
    cycle      INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    from_stage TEXT NOT NULL,
    to_stage   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    agreement  TEXT NOT NULL,
    cause      TEXT NOT NULL,
    data       BLOB NOT NULL,
    PRIMARY KEY (lead, cycle, n)
) STRICT;
