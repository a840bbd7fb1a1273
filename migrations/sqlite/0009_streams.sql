-- Event streams: what plugins wrote for their users to follow in a browser. A stream keeps its newest entries.
CREATE TABLE stream_entries (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,            -- a follower's place: never used again
    channel  TEXT    NOT NULL,
    address  TEXT    NOT NULL,
    delivery TEXT    NOT NULL UNIQUE,                      -- its id: one entry for each
    at       INTEGER NOT NULL,
    data     TEXT    NOT NULL                              -- JSON, as the plugin wrote it
) STRICT;

CREATE INDEX stream_entries_of ON stream_entries (channel, address, seq);
CREATE INDEX stream_entries_age ON stream_entries (at);
