-- Addresses whose owners were asked whether they want notifications there: one at a time for each user and channel. With the
-- answer the row goes.
CREATE TABLE confirmations (
    user       TEXT    NOT NULL,
    channel    TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    asked_at   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (user, channel)
) STRICT, WITHOUT ROWID;

CREATE INDEX confirmations_address ON confirmations (channel, address);
