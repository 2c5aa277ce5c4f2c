-- +goose Up

-- What waits in quarantine can be tried again, and given up. kind: event, message, hook. hook is the event that brought a webhook,
-- without its body. tried_at is NULL until it was tried again. A dropped row keeps its key alone, until it expires.
-- size is the length of raw.
ALTER TABLE quarantine ADD COLUMN kind TEXT NOT NULL DEFAULT 'event';
ALTER TABLE quarantine ADD COLUMN hook BLOB NOT NULL DEFAULT x'';
ALTER TABLE quarantine ADD COLUMN agreement TEXT NOT NULL DEFAULT '';
ALTER TABLE quarantine ADD COLUMN tried_at INTEGER;
ALTER TABLE quarantine ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
UPDATE quarantine SET kind = 'message' WHERE source = '' AND event_id = '';
UPDATE quarantine SET size = length(raw);
