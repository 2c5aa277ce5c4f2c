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

CREATE TABLE rosters (
    version  INTEGER PRIMARY KEY AUTOINCREMENT,
    hash     TEXT NOT NULL,
    document BLOB NOT NULL,
    at       INTEGER NOT NULL,
    actor    TEXT NOT NULL
) STRICT;

CREATE TABLE pools (
    name     TEXT PRIMARY KEY,
    version  INTEGER NOT NULL DEFAULT 0,
    balances BLOB NOT NULL DEFAULT x''
) STRICT;

CREATE TABLE reps (
    rep  TEXT PRIMARY KEY,
    live INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE handoffs (
    lead          TEXT NOT NULL,
    cycle         INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    state         TEXT NOT NULL,
    result        TEXT NOT NULL,
    pool          TEXT NOT NULL,
    grade         TEXT NOT NULL,
    channel       TEXT NOT NULL,
    stage         TEXT NOT NULL,
    agreement     TEXT NOT NULL,
    history       INTEGER NOT NULL,
    assignments   INTEGER NOT NULL,
    excluded      TEXT NOT NULL, -- a JSON array
    received_at   INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    waiting_since INTEGER NOT NULL,
    contact       BLOB NOT NULL,
    cause         TEXT NOT NULL,
    PRIMARY KEY (lead, cycle)
) STRICT;
CREATE INDEX handoffs_waiting ON handoffs (waiting_since, lead, cycle) WHERE state = 'waiting';

CREATE TABLE assignments (
    id          TEXT PRIMARY KEY,
    lead        TEXT NOT NULL,
    cycle       INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    rep         TEXT NOT NULL,
    team        TEXT NOT NULL,
    pool        TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    ended_at    INTEGER, -- NULL while it lives
    end_reason  TEXT NOT NULL,
    decision    BLOB NOT NULL,
    UNIQUE (lead, cycle, n)
) STRICT;
-- A lead is in one rep's hands at most: the index says so whatever the code believes.
CREATE UNIQUE INDEX assignments_live ON assignments (lead) WHERE ended_at IS NULL;
CREATE INDEX assignments_rep ON assignments (rep) WHERE ended_at IS NULL;

CREATE TABLE clocks (
    id         TEXT PRIMARY KEY,
    lead       TEXT NOT NULL,
    cycle      INTEGER NOT NULL,
    shard      INTEGER NOT NULL,
    assignment TEXT NOT NULL,
    rep        TEXT NOT NULL,
    team       TEXT NOT NULL,
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    state      TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    wake_at    INTEGER NOT NULL,
    within     INTEGER NOT NULL, -- nanoseconds
    calendar   TEXT NOT NULL,
    tzdata     TEXT NOT NULL,
    counted    INTEGER NOT NULL,
    needed     INTEGER NOT NULL,
    warned     INTEGER NOT NULL,
    stopped_at INTEGER NOT NULL,
    agreement  TEXT NOT NULL
) STRICT;
CREATE INDEX clocks_wake ON clocks (shard, wake_at, id) WHERE state = 'open';
CREATE INDEX clocks_handoff ON clocks (lead, cycle);

CREATE TABLE breaches (
    clock       TEXT PRIMARY KEY,
    assignment  TEXT NOT NULL,
    lead        TEXT NOT NULL,
    due_at      INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE activities (
    id          TEXT PRIMARY KEY,
    lead        TEXT NOT NULL,
    cycle       INTEGER NOT NULL,
    assignment  TEXT NOT NULL,
    rep         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    outside     INTEGER NOT NULL,
    history     INTEGER NOT NULL
) STRICT;
CREATE INDEX activities_lead ON activities (lead, cycle);

CREATE TABLE notices (
    key        TEXT PRIMARY KEY,
    endpoint   TEXT NOT NULL,
    type       TEXT NOT NULL,
    lead       TEXT NOT NULL,
    cycle      INTEGER NOT NULL,
    assignment TEXT NOT NULL,
    clock      TEXT NOT NULL,
    rep        TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state      TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    last_error TEXT NOT NULL
) STRICT;
CREATE INDEX notices_due ON notices (next_at, key) WHERE state = 'pending';
