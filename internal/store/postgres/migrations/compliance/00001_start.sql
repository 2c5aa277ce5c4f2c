-- Instants are microseconds since 1970 UTC, exact and the same on both engines; the zero time is -62135596800000000.
-- Text compares by bytes (COLLATE "C"), whatever the database's locale.

-- +goose Up

-- What transactions want told. A row is queued while it is here: its number is given before its transaction commits, so the
-- numbers are no order of commits and the relay goes by presence.
CREATE TABLE outbox (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition bigint NOT NULL,
    data      bytea  NOT NULL,
    queued_at bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- One row: whoever holds its lock relays.
CREATE TABLE relay (id bigint PRIMARY KEY CHECK (id = 1));
INSERT INTO relay (id) VALUES (1);

CREATE TABLE agreements (
    hash        text COLLATE "C" PRIMARY KEY,
    active_from bigint NOT NULL,
    document    bytea  NOT NULL,
    actor       text COLLATE "C" NOT NULL
);

CREATE TABLE quarantine (
    key      text COLLATE "C" PRIMARY KEY,
    stream   text COLLATE "C" NOT NULL,
    source   text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    raw      bytea  NOT NULL,
    reason   text COLLATE "C" NOT NULL,
    attempts bigint NOT NULL,
    at       bigint NOT NULL
);
CREATE INDEX quarantine_event ON quarantine (source, event_id);
CREATE INDEX quarantine_at ON quarantine (at, key);

CREATE TABLE leases (
    name       text COLLATE "C" NOT NULL,
    shard      bigint NOT NULL,
    owner      text COLLATE "C" NOT NULL,
    epoch      bigint NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (name, shard)
) WITH (fillfactor = 50);

-- The end of each shard's chain; its lock is what numbers the entries in the order of commits.
CREATE TABLE heads (
    shard bigint PRIMARY KEY,
    seq   bigint NOT NULL DEFAULT 0,
    hash  bytea  NOT NULL DEFAULT ''
) WITH (fillfactor = 50);

CREATE TABLE entries (
    shard       bigint NOT NULL,
    seq         bigint NOT NULL,
    source      text COLLATE "C" NOT NULL,
    event_id    text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    lead        text COLLATE "C" NOT NULL,
    occurred_at bigint  NOT NULL,
    recorded_at bigint  NOT NULL,
    history     boolean NOT NULL,
    data        bytea   NOT NULL,
    hash        bytea   NOT NULL,
    PRIMARY KEY (shard, seq),
    UNIQUE (source, event_id)
);
CREATE INDEX entries_type ON entries (shard, type, seq);

CREATE TABLE tallies (
    shard  bigint NOT NULL,
    name   text COLLATE "C" NOT NULL,
    labels text COLLATE "C" NOT NULL,
    value  double precision NOT NULL,
    PRIMARY KEY (shard, name, labels)
) WITH (fillfactor = 50);

-- The audit's list. A row stays when both its ends were told, so that a start told again does not bring it back.
CREATE TABLE clocks (
    id      text COLLATE "C" PRIMARY KEY,
    due_at  bigint, -- null until it is told as started
    ended   boolean NOT NULL
);
CREATE INDEX clocks_pending ON clocks (due_at) WHERE NOT ended;
