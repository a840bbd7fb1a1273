-- Who signed a component when it was installed; none where it was not signed.
ALTER TABLE components ADD COLUMN signed_by TEXT;
