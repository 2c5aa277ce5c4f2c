-- +goose Up

-- The file of the signatures on a version; empty when it bears none.
ALTER TABLE agreements ADD COLUMN signatures BLOB NOT NULL DEFAULT x'';

-- Who said that he knows which version.
CREATE TABLE acknowledgements (
    hash   TEXT NOT NULL,
    person TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (hash, person)
) STRICT, WITHOUT ROWID;

-- Whom the newest roster names; one row.
CREATE TABLE members (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    roster INTEGER NOT NULL,
    people TEXT NOT NULL -- a JSON array
) STRICT;
