-- Versions of a channel's plugin. The active one stays `channels.component`; everything else that a channel knows of its
-- versions, its quarantine and its failure policy is one document, written in the transaction that changes the channel: a
-- crash in the middle of an upgrade leaves the old state or the new one.
ALTER TABLE channels ADD COLUMN life TEXT NOT NULL DEFAULT '{}';             -- a Life as JSON

-- Every version that a channel ever had, for people.
CREATE TABLE channel_versions (
    channel   TEXT    NOT NULL,
    component TEXT    NOT NULL,
    state     TEXT    NOT NULL CHECK (state IN ('active', 'candidate', 'previous', 'failed', 'retired')),
    since     INTEGER NOT NULL,
    PRIMARY KEY (channel, component)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX channel_versions_one ON channel_versions (channel, state)
    WHERE state IN ('active', 'candidate', 'previous');

INSERT INTO channel_versions (channel, component, state, since)
    SELECT name, component, 'active', updated_at FROM channels;

-- What happened to a channel; only the latest are kept.
CREATE TABLE channel_events (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    channel   TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    event     TEXT    NOT NULL,
    component TEXT    NOT NULL,
    detail    TEXT    NOT NULL
) STRICT;

CREATE INDEX channel_events_channel ON channel_events (channel, seq);
