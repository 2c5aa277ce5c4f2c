-- +goose Up

-- What waits in quarantine can be tried again, and given up. kind: event, message, hook. hook is the event that brought a webhook,
-- without its body. tried_at is null until it was tried again. A dropped row keeps its key alone, until it expires.
-- size is the length of raw.
ALTER TABLE quarantine
    ADD COLUMN kind      text COLLATE "C" NOT NULL DEFAULT 'event',
    ADD COLUMN hook      bytea NOT NULL DEFAULT '',
    ADD COLUMN agreement text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN tried_at  bigint,
    ADD COLUMN dropped   boolean NOT NULL DEFAULT false,
    ADD COLUMN size      bigint NOT NULL DEFAULT 0;
UPDATE quarantine SET kind = 'message' WHERE source = '' AND event_id = '';
UPDATE quarantine SET size = octet_length(raw);
