-- Who signed a component when it was installed, and with which key, so that a key that is given up takes along what it
-- signed; none where it was not signed.
ALTER TABLE components ADD COLUMN signed_by TEXT;
ALTER TABLE components ADD COLUMN signing_key TEXT;
