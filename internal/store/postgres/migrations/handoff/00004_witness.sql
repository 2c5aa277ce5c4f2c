-- +goose Up

-- When a promise that was recorded as missed had been kept after all, and the source that said so; the zero time and nobody until then.
ALTER TABLE clocks ADD COLUMN responded_at bigint NOT NULL DEFAULT -62135596800000000;
ALTER TABLE clocks ADD COLUMN witness text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX clocks_missed ON clocks (lead, cycle) WHERE state = 'breached';

-- Who told of what was done outside; empty for what was done at our own doors.
ALTER TABLE activities ADD COLUMN source text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX activities_lead ON activities (lead, cycle);
