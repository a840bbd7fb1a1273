-- What Tidings keeps. docs/OUTBOX.md walks through the states and the transaction of each change.
-- Times are milliseconds since 1970-01-01 UTC.

-- Every message ever seen (until it is pruned), so that a second one is known. Only a message with recipients keeps its
-- text, once for all of them.
CREATE TABLE messages (
    seq      INTEGER PRIMARY KEY,
    id       TEXT    NOT NULL UNIQUE CHECK (id <> ''),
    topic    TEXT    NOT NULL,
    digest   BLOB    NOT NULL CHECK (length(digest) = 32), -- SHA-256 of the body
    seen_at  INTEGER NOT NULL,
    subtitle TEXT,
    event    TEXT                                          -- a StoredEvent as JSON
) STRICT;

CREATE INDEX messages_seen ON messages (seen_at);

-- One row for each message, channel and address. A unit of work is a single delivery or a digest: several rows, of which
-- one leads. Members of a unit are claimed, settled and cancelled together.
CREATE TABLE deliveries (
    seq         INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL CHECK (length(id) = 16),  -- derived from message, channel and address, so unique too
    message     INTEGER NOT NULL REFERENCES messages (seq),
    channel     TEXT    NOT NULL CHECK (channel <> ''),
    user        TEXT    NOT NULL CHECK (user <> ''),
    address     TEXT    NOT NULL CHECK (address <> ''),
    filter      TEXT    NOT NULL,
    style       INTEGER NOT NULL,                          -- 1 markup, 2 triggered_by, 4 verbose
    state       TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead', 'cancelled')),
    attempts    INTEGER NOT NULL DEFAULT 0,                -- used up so far
    accepted_at INTEGER NOT NULL,
    not_before  INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,                          -- not_before, or while it is leased: when the lease ends
    lease       INTEGER,                                   -- token of the lease that holds it
    updated_at  INTEGER NOT NULL,
    note        TEXT,                                      -- last reason or receipt
    gathered    INTEGER,                                   -- place in a digest that still gathers
    digest      BLOB CHECK (length(digest) = 16),          -- id of the digest it was sent in or is to be sent in
    lead        INTEGER NOT NULL DEFAULT 1 CHECK (lead IN (0, 1)),
    UNIQUE (message, channel, address),
    CHECK (state = 'pending' OR (lease IS NULL AND gathered IS NULL)),
    CHECK (gathered IS NULL OR digest IS NULL)
) STRICT;

CREATE INDEX deliveries_due ON deliveries (channel, user, lead, due_at) WHERE state = 'pending';
CREATE INDEX deliveries_gathering ON deliveries (channel, user, address, gathered) WHERE gathered IS NOT NULL;
CREATE INDEX deliveries_digest ON deliveries (digest) WHERE digest IS NOT NULL;
CREATE INDEX deliveries_leased ON deliveries (lease) WHERE lease IS NOT NULL;
CREATE INDEX deliveries_failed ON deliveries (state) WHERE state IN ('dead', 'cancelled');
CREATE INDEX deliveries_user ON deliveries (user);

-- Whose turn it is: one row for each channel and user who had deliveries. ready_at is the later of the user's earliest
-- due_at and the moment the user was last served, which makes the order round robin; NULL where nothing is pending.
CREATE TABLE turns (
    channel   TEXT    NOT NULL,
    user      TEXT    NOT NULL,
    ready_at  INTEGER,
    served_at INTEGER NOT NULL DEFAULT 0,
    turn      INTEGER NOT NULL DEFAULT 0,                  -- token of the last lease: settles ties of ready_at
    PRIMARY KEY (channel, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX turns_ready ON turns (channel, ready_at, turn) WHERE ready_at IS NOT NULL;

-- The books. Intake bumps `accepted` and what is kept as pending; the triggers below move `kept` as rows change and go,
-- and pruning bumps `pruned`: a row that vanishes in any other way unbalances them.
CREATE TABLE books_accepted (
    channel TEXT PRIMARY KEY,
    n       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE books (
    channel TEXT    NOT NULL,
    state   TEXT    NOT NULL,
    kept    INTEGER NOT NULL DEFAULT 0,
    pruned  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER deliveries_changed AFTER UPDATE OF state ON deliveries WHEN old.state <> new.state BEGIN
    UPDATE books SET kept = kept - 1 WHERE channel = old.channel AND state = old.state;
    INSERT INTO books (channel, state, kept) VALUES (new.channel, new.state, 1)
        ON CONFLICT (channel, state) DO UPDATE SET kept = kept + 1;
END;

CREATE TRIGGER deliveries_went AFTER DELETE ON deliveries BEGIN
    UPDATE books SET kept = kept - 1 WHERE channel = old.channel AND state = old.state;
END;

-- One row for each user and channel; docs/adr/0004-subscriptions-as-documents.md says why. A deleted one stays as a mark
-- until it is pruned, so that a message matched just before is not delivered just after.
CREATE TABLE subscriptions (
    user       TEXT    NOT NULL CHECK (user <> ''),
    channel    TEXT    NOT NULL CHECK (channel <> ''),
    enabled    INTEGER NOT NULL,
    deleted_at INTEGER,
    updated_at INTEGER NOT NULL,
    addresses  TEXT    NOT NULL,                           -- JSON array of strings
    settings   TEXT    NOT NULL,                           -- JSON: digest and style
    filters    TEXT    NOT NULL,                           -- JSON array of filters
    PRIMARY KEY (user, channel)
) STRICT;

CREATE TABLE channels (
    name       TEXT PRIMARY KEY CHECK (name <> ''),
    component  TEXT    NOT NULL,
    enabled    INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    config     TEXT    NOT NULL,                           -- JSON: values of fields that are not secret
    grants     TEXT    NOT NULL,                           -- JSON: reach, and credentials without their values
    limits     TEXT    NOT NULL,                           -- JSON
    secrets    TEXT    NOT NULL                            -- JSON: values of secret fields and of credentials
) STRICT;

CREATE TABLE components (
    digest       TEXT PRIMARY KEY CHECK (length(digest) = 64),
    manifest     TEXT    NOT NULL,                         -- JSON
    bytes        INTEGER NOT NULL,
    installed_at INTEGER NOT NULL,
    file         BLOB    NOT NULL
) STRICT;

CREATE TABLE plugin_state (
    channel TEXT NOT NULL,
    key     TEXT NOT NULL,
    value   BLOB NOT NULL,
    PRIMARY KEY (channel, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    id         TEXT PRIMARY KEY CHECK (id <> ''),
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;

-- `lease` numbers the leases, `check` is what the readiness check writes.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    n    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, n) VALUES ('lease', 0), ('check', 0);
