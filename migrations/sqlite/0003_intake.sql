-- Intake writes less. A delivery enters the index of its user's past once it is over: while it waits, deliveries_due names
-- its user. Entries of an index by user lie on as many pages as there are users, and each is written whole.
DROP INDEX deliveries_user;
CREATE INDEX deliveries_past ON deliveries (user) WHERE state <> 'pending';
