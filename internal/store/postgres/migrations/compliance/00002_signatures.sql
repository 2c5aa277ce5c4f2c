-- +goose Up

-- The file of the signatures on a version; empty when it bears none.
ALTER TABLE agreements ADD COLUMN signatures bytea NOT NULL DEFAULT '';

-- Who said that he knows which version.
CREATE TABLE acknowledgements (
    hash   text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    PRIMARY KEY (hash, person)
);

-- Whom the newest roster names; one row.
CREATE TABLE members (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    roster bigint NOT NULL,
    people text COLLATE "C" NOT NULL -- a JSON array
);
