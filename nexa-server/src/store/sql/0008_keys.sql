-- Key sets as the root key signed them, the newest last.
CREATE TABLE key_sets (
    seq       INTEGER NOT NULL PRIMARY KEY,
    root      BLOB    NOT NULL,  -- the root key's public half, 32 bytes
    signed    BLOB    NOT NULL,
    made_at_s INTEGER NOT NULL
) STRICT;
