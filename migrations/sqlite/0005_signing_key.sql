-- With which key a component was signed, so that a key that is given up takes along what it signed. Of those that were
-- installed before, it is not known: where signatures are required they are installed once more.
ALTER TABLE components ADD COLUMN signing_key TEXT;
