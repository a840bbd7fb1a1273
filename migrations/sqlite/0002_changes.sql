-- The feed of changes, and access lists. docs/OUTBOX.md says how the feed is read.

-- What was changed that caches may hold, written in the transaction of the change. Rows go from the front, and the newest
-- always stays: whoever finds the row that he read last has missed nothing.
CREATE TABLE changes (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT    NOT NULL,                                 -- what sort of thing; a reader takes an unknown one for everything
    key  TEXT    NOT NULL,                                 -- its name; empty where all of the sort changed
    at   INTEGER NOT NULL
) STRICT;

INSERT INTO changes (kind, key, at) VALUES ('start', '', 0);

CREATE TABLE acl_packages (
    name       TEXT    PRIMARY KEY CHECK (name <> ''),
    updated_at INTEGER NOT NULL,
    holders    TEXT    NOT NULL                            -- JSON: names by kind of holding
) STRICT, WITHOUT ROWID;

CREATE TABLE acl_groups (
    name       TEXT    PRIMARY KEY CHECK (name <> ''),
    updated_at INTEGER NOT NULL,
    members    TEXT    NOT NULL                            -- JSON array of names
) STRICT, WITHOUT ROWID;
