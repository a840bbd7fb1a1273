-- What each channel's plugin keeps, counted as it changes: a plugin that fills its state and goes on writing would otherwise
-- have all of it counted for each value, by the one connection that everybody's deliveries are written with.
CREATE TABLE plugin_state_use (
    channel TEXT    PRIMARY KEY,
    keys    INTEGER NOT NULL,
    bytes   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO plugin_state_use (channel, keys, bytes)
    SELECT channel, count(*), sum(octet_length(key) + octet_length(value)) FROM plugin_state GROUP BY channel;

CREATE TRIGGER plugin_state_came AFTER INSERT ON plugin_state BEGIN
    INSERT INTO plugin_state_use (channel, keys, bytes)
        VALUES (new.channel, 1, octet_length(new.key) + octet_length(new.value))
        ON CONFLICT (channel) DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER plugin_state_changed AFTER UPDATE OF value ON plugin_state BEGIN
    UPDATE plugin_state_use SET bytes = bytes + octet_length(new.value) - octet_length(old.value)
        WHERE channel = new.channel;
END;

CREATE TRIGGER plugin_state_went AFTER DELETE ON plugin_state BEGIN
    UPDATE plugin_state_use
        SET keys = keys - 1, bytes = bytes - octet_length(old.key) - octet_length(old.value)
        WHERE channel = old.channel;
    DELETE FROM plugin_state_use WHERE channel = old.channel AND keys = 0;
END;
