-- Status shards: where the revocation of a licence stands for clients that are offline.

ALTER TABLE licenses ADD COLUMN status_shard INTEGER;      -- with its position, for as long as it has a place
ALTER TABLE licenses ADD COLUMN status_position INTEGER;   -- 0 to 65,535
ALTER TABLE licenses ADD COLUMN status_until_ms INTEGER;   -- from then on nobody asks any more, and the place is free again
CREATE UNIQUE INDEX licenses_by_place ON licenses (status_shard, status_position) WHERE status_shard IS NOT NULL;
-- What a shard says is read from here alone.
CREATE INDEX licenses_revoked_by_place ON licenses (status_shard, status_position)
    WHERE status_shard IS NOT NULL AND revoked_at_ms IS NOT NULL;
CREATE INDEX licenses_by_status_until ON licenses (status_until_ms) WHERE status_until_ms IS NOT NULL;

CREATE TABLE status_shards (
    number         INTEGER NOT NULL PRIMARY KEY,
    taken          INTEGER NOT NULL,  -- places
    seq            INTEGER NOT NULL,  -- of what is signed
    changes_since  INTEGER NOT NULL,  -- the seq after which every change is in status_changes
    this_update_s  INTEGER NOT NULL,
    kid            TEXT    NOT NULL,  -- of the key that signed
    signed         BLOB    NOT NULL   -- the shard's bytes
) STRICT;
CREATE INDEX status_shards_by_update ON status_shards (this_update_s);
-- Of sixteen draws one hits a free place in a shard that is nearly full; one with more places taken gets no more.
CREATE INDEX status_shards_with_room ON status_shards (number) WHERE taken < 61440;

-- What changed from one version of a shard to a later one.
CREATE TABLE status_changes (
    shard      INTEGER NOT NULL REFERENCES status_shards (number),
    seq        INTEGER NOT NULL,  -- the first version that has the change
    position   INTEGER NOT NULL,
    is_revoked INTEGER NOT NULL,
    PRIMARY KEY (shard, seq, position)
) STRICT, WITHOUT ROWID;
