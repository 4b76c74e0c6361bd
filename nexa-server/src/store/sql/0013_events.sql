-- Events: what happened in a tenant and its programs want to know of, in the order in which it happened.

CREATE TABLE events (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, so that whoever reads on misses nothing
    id            TEXT    NOT NULL UNIQUE,
    tenant_id     TEXT    NOT NULL REFERENCES tenants (id),
    user_id       TEXT,              -- whose key or licence it is about; NULL for what is the tenant's
    kind          TEXT    NOT NULL CHECK (kind IN
        ('key.created', 'key.rotated', 'key.revoked', 'secret.revoked', 'license.issued', 'license.revoked',
            'credits.low')),
    subject_id    TEXT,              -- of the key, or the jti of the licence
    name          TEXT,              -- of the key
    prefix        TEXT,              -- of the key's value
    app_id        TEXT,              -- of the licence
    reason        TEXT,              -- of a revocation
    found_at_url  TEXT,              -- where a leaked key or secret was found
    ends_at_ms    INTEGER,           -- of the key's replaced value, or of the licence
    left_mc       INTEGER,           -- of credits that are low
    at_ms         INTEGER NOT NULL,
    CHECK ((kind = 'credits.low') = (left_mc IS NOT NULL)),
    CHECK ((kind IN ('credits.low', 'secret.revoked')) = (subject_id IS NULL)),
    CHECK ((kind LIKE 'key.%') = (name IS NOT NULL)),
    CHECK ((name IS NULL) = (prefix IS NULL)),
    CHECK ((kind LIKE 'license.%') = (app_id IS NOT NULL))
) STRICT;
CREATE INDEX events_by_tenant ON events (tenant_id, seq);
CREATE INDEX events_by_time ON events (at_ms);
