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

-- Which lead an identifier names. The first binding stays.
CREATE TABLE aliases (
    identifier text COLLATE "C" PRIMARY KEY,
    lead       text COLLATE "C" NOT NULL
);
CREATE INDEX aliases_lead ON aliases (lead, identifier);

-- The product's history. The primary key is what makes an event that is delivered twice one fact.
CREATE TABLE facts (
    source       text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    lead         text COLLATE "C" NOT NULL,
    occurred_at  bigint NOT NULL,
    recorded_at  bigint NOT NULL,
    content_hash bytea  NOT NULL,
    data         bytea  NOT NULL,
    PRIMARY KEY (source, id)
);
CREATE INDEX facts_lead ON facts (lead, source, id);

-- The cache of a lead's facts. Version 0 was locked and never saved.
CREATE TABLE leads (
    id         text COLLATE "C" PRIMARY KEY,
    version    bigint NOT NULL DEFAULT 0,
    stage      text COLLATE "C" NOT NULL DEFAULT '',
    cycle      bigint NOT NULL DEFAULT 0,
    staged     bigint NOT NULL DEFAULT 0,
    staged_at  bigint NOT NULL DEFAULT -62135596800000000,
    agreement  text COLLATE "C" NOT NULL DEFAULT '',
    knowledge  bytea  NOT NULL DEFAULT '',
    facts      bigint NOT NULL DEFAULT 0,
    updated_at bigint NOT NULL DEFAULT -62135596800000000
) WITH (fillfactor = 80);

CREATE TABLE transitions (
    lead       text COLLATE "C" NOT NULL,
    cycle      bigint NOT NULL,
    n          bigint NOT NULL,
    from_stage text COLLATE "C" NOT NULL,
    to_stage   text COLLATE "C" NOT NULL,
    at         bigint NOT NULL,
    agreement  text COLLATE "C" NOT NULL,
    cause      text COLLATE "C" NOT NULL,
    data       bytea  NOT NULL,
    PRIMARY KEY (lead, cycle, n)
);
