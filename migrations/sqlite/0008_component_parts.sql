-- A component's file is kept in parts, so that writing one does not keep the queue waiting. Its row in components is
-- written last: parts without it are of no component.
CREATE TABLE component_parts (
    digest TEXT    NOT NULL CHECK (length(digest) = 64),
    part   INTEGER NOT NULL CHECK (part >= 0),
    bytes  BLOB    NOT NULL,
    PRIMARY KEY (digest, part)
) STRICT;

INSERT INTO component_parts (digest, part, bytes) SELECT digest, 0, file FROM components;

ALTER TABLE components DROP COLUMN file;
