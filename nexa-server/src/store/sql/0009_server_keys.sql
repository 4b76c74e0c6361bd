-- The keys that sign for this server, by use. Their private halves are files.
CREATE TABLE server_keys (
    kid            TEXT    NOT NULL PRIMARY KEY,  -- RFC 7638
    key_use        TEXT    NOT NULL CHECK (key_use IN ('license', 'status', 'audit')),
    public         BLOB    NOT NULL CHECK (length(public) = 32),
    not_before_s   INTEGER NOT NULL,  -- nothing older is its work
    lead_s         INTEGER NOT NULL,  -- for how long it is published before it signs
    keep_s         INTEGER NOT NULL,  -- for how long the one before is needed at least, from then on
    published_at_s INTEGER,           -- when the first signed key set held it
    signs_since_s  INTEGER,           -- NULL while it waits
    retired_at_s   INTEGER,           -- another one signs since then
    needed_until_s INTEGER NOT NULL,  -- the end of the last thing that it signed
    revoked_at_s   INTEGER
) STRICT;
CREATE UNIQUE INDEX server_keys_signing ON server_keys (key_use)
    WHERE signs_since_s IS NOT NULL AND retired_at_s IS NULL AND revoked_at_s IS NULL;
CREATE UNIQUE INDEX server_keys_waiting ON server_keys (key_use)
    WHERE signs_since_s IS NULL AND retired_at_s IS NULL AND revoked_at_s IS NULL;
