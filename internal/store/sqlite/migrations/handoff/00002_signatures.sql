-- +goose Up

-- The file of the signatures on a version; empty when it bears none.
ALTER TABLE agreements ADD COLUMN signatures BLOB NOT NULL DEFAULT x'';
