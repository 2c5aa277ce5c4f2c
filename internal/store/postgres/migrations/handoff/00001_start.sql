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

CREATE TABLE rosters (
    version  bigint PRIMARY KEY,
    hash     text COLLATE "C" NOT NULL,
    document bytea  NOT NULL,
    at       bigint NOT NULL,
    actor    text COLLATE "C" NOT NULL
);

CREATE TABLE pools (
    name     text COLLATE "C" PRIMARY KEY,
    version  bigint NOT NULL DEFAULT 0,
    balances bytea  NOT NULL DEFAULT ''
) WITH (fillfactor = 50);

CREATE TABLE reps (
    rep  text COLLATE "C" PRIMARY KEY,
    live bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE handoffs (
    lead          text COLLATE "C" NOT NULL,
    cycle         bigint  NOT NULL,
    version       bigint  NOT NULL,
    state         text COLLATE "C" NOT NULL,
    result        text COLLATE "C" NOT NULL,
    pool          text COLLATE "C" NOT NULL,
    grade         text COLLATE "C" NOT NULL,
    channel       text COLLATE "C" NOT NULL,
    stage         text COLLATE "C" NOT NULL,
    agreement     text COLLATE "C" NOT NULL,
    history       boolean NOT NULL,
    assignments   bigint  NOT NULL,
    excluded      text COLLATE "C" NOT NULL, -- a JSON array of reps
    received_at   bigint  NOT NULL,
    started_at    bigint  NOT NULL,
    waiting_since bigint  NOT NULL,
    contact       bytea   NOT NULL,
    cause         text COLLATE "C" NOT NULL,
    PRIMARY KEY (lead, cycle)
);
CREATE INDEX handoffs_waiting ON handoffs (waiting_since, lead, cycle) WHERE state = 'waiting';

CREATE TABLE assignments (
    id          text COLLATE "C" PRIMARY KEY,
    lead        text COLLATE "C" NOT NULL,
    cycle       bigint NOT NULL,
    n           bigint NOT NULL,
    version     bigint NOT NULL,
    rep         text COLLATE "C" NOT NULL,
    team        text COLLATE "C" NOT NULL,
    pool        text COLLATE "C" NOT NULL,
    started_at  bigint NOT NULL,
    accepted_at bigint NOT NULL,
    ended_at    bigint, -- null while it lives
    end_reason  text COLLATE "C" NOT NULL,
    decision    bytea  NOT NULL,
    UNIQUE (lead, cycle, n)
);
-- A lead is in one rep's hands at most: the index says so whatever the code believes.
CREATE UNIQUE INDEX assignments_live ON assignments (lead) WHERE ended_at IS NULL;
CREATE INDEX assignments_inbox ON assignments (rep) WHERE ended_at IS NULL;

CREATE TABLE clocks (
    id         text COLLATE "C" PRIMARY KEY,
    lead       text COLLATE "C" NOT NULL,
    cycle      bigint NOT NULL,
    shard      bigint NOT NULL,
    assignment text COLLATE "C" NOT NULL,
    rep        text COLLATE "C" NOT NULL,
    team       text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    state      text COLLATE "C" NOT NULL,
    started_at bigint NOT NULL,
    due_at     bigint NOT NULL,
    wake_at    bigint NOT NULL,
    within     bigint NOT NULL, -- nanoseconds
    calendar   text COLLATE "C" NOT NULL,
    tzdata     text COLLATE "C" NOT NULL,
    counted    bigint NOT NULL,
    needed     bigint NOT NULL,
    warned     bigint NOT NULL,
    stopped_at bigint NOT NULL,
    agreement  text COLLATE "C" NOT NULL
);
CREATE INDEX clocks_wake ON clocks (shard, wake_at, id) WHERE state = 'open';
CREATE INDEX clocks_open ON clocks (lead, cycle) WHERE state = 'open';
CREATE INDEX clocks_assignment ON clocks (assignment);

CREATE TABLE breaches (
    clock       text COLLATE "C" PRIMARY KEY,
    assignment  text COLLATE "C" NOT NULL,
    lead        text COLLATE "C" NOT NULL,
    due_at      bigint NOT NULL,
    recorded_at bigint NOT NULL
);

CREATE TABLE activities (
    id          text COLLATE "C" PRIMARY KEY,
    lead        text COLLATE "C" NOT NULL,
    cycle       bigint  NOT NULL,
    assignment  text COLLATE "C" NOT NULL,
    rep         text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    reason      text COLLATE "C" NOT NULL,
    occurred_at bigint  NOT NULL,
    recorded_at bigint  NOT NULL,
    outside     boolean NOT NULL,
    history     boolean NOT NULL
);

CREATE TABLE notices (
    key        text COLLATE "C" PRIMARY KEY,
    endpoint   text COLLATE "C" NOT NULL,
    type       text COLLATE "C" NOT NULL,
    lead       text COLLATE "C" NOT NULL,
    cycle      bigint NOT NULL,
    assignment text COLLATE "C" NOT NULL,
    clock      text COLLATE "C" NOT NULL,
    rep        text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    state      text COLLATE "C" NOT NULL,
    attempts   bigint NOT NULL,
    next_at    bigint NOT NULL,
    last_error text COLLATE "C" NOT NULL
);
CREATE INDEX notices_due ON notices (next_at, key) WHERE state = 'pending';
