-- Licensing: apps that the operator keeps, devices that take seats, and answers that are given again.

ALTER TABLE tenants ADD COLUMN plan TEXT;  -- NULL without one

CREATE TABLE apps (
    id            TEXT    NOT NULL PRIMARY KEY,
    created_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL
) STRICT;

-- What is NULL in a trial or a plan is as in the base.
CREATE TABLE app_terms (
    app_id                TEXT    NOT NULL REFERENCES apps (id),
    kind                  TEXT    NOT NULL CHECK (kind IN ('base', 'trial', 'plan')),
    name                  TEXT    NOT NULL,  -- of the plan
    trial_days            INTEGER,
    ttl_days_min          INTEGER,
    ttl_days_max          INTEGER,
    ttl_days_default      INTEGER,
    devices               INTEGER,
    entitlements          TEXT,              -- one a line
    limits                TEXT,              -- one a line: number, blank, name
    grace_days            INTEGER,
    fresh_hours           INTEGER,
    max_age_days          INTEGER,
    stale                 TEXT,
    renew_days_before_end INTEGER,
    device_policy         TEXT,
    PRIMARY KEY (app_id, kind, name),
    CHECK ((kind = 'plan') = (name <> '')),
    CHECK ((kind = 'trial') = (trial_days IS NOT NULL)),
    CHECK (kind <> 'base' OR (ttl_days_min IS NOT NULL AND ttl_days_max IS NOT NULL AND ttl_days_default IS NOT NULL))
) STRICT;

-- A device has a seat while it has a licence that is neither revoked nor over.
CREATE TABLE devices (
    id                 TEXT    NOT NULL PRIMARY KEY,
    tenant_id          TEXT    NOT NULL REFERENCES tenants (id),
    app_id             TEXT    NOT NULL,
    digest             BLOB    NOT NULL CHECK (length(digest) = 32),  -- SHA-256 of tenant and device, never the values
    platform           TEXT    NOT NULL,
    name               TEXT,
    user_id            TEXT    REFERENCES users (id) ON DELETE SET NULL,  -- who may release it, beside managers
    first_issued_at_ms INTEGER NOT NULL,
    last_issued_at_ms  INTEGER NOT NULL,
    UNIQUE (tenant_id, app_id, digest)
) STRICT;
CREATE INDEX devices_by_user ON devices (user_id);

ALTER TABLE licenses ADD COLUMN device_id TEXT REFERENCES devices (id) ON DELETE SET NULL;
ALTER TABLE licenses ADD COLUMN over_at_ms INTEGER;  -- the end of its grace

-- The oldest licence's id serves the device that it is for.
INSERT INTO devices (id, tenant_id, app_id, digest, platform, name, user_id, first_issued_at_ms, last_issued_at_ms)
    SELECT oldest.id, newest.tenant_id, newest.app_id, newest.device_fingerprint, newest.device_platform,
        newest.device_name, newest.user_id, oldest.issued_at_ms, newest.issued_at_ms
    FROM (SELECT min(jti) AS id, max(jti) AS newest_jti, min(issued_at_ms) AS issued_at_ms FROM licenses
          WHERE device_fingerprint IS NOT NULL AND device_platform IS NOT NULL
          GROUP BY tenant_id, app_id, device_fingerprint) AS oldest
    JOIN licenses AS newest ON newest.jti = oldest.newest_jti;
UPDATE licenses SET over_at_ms = expires_at_ms, device_id =
    (SELECT id FROM devices WHERE devices.tenant_id = licenses.tenant_id AND devices.app_id = licenses.app_id
        AND devices.digest = licenses.device_fingerprint);

CREATE INDEX licenses_by_device ON licenses (device_id, over_at_ms) WHERE device_id IS NOT NULL;
-- A trial begins with the first one.
CREATE INDEX licenses_by_app ON licenses (tenant_id, app_id, issued_at_ms);

-- What a call with an Idempotency-Key has answered: enough to answer it again, and no token.
CREATE TABLE idempotency_records (
    tenant_id     TEXT    NOT NULL REFERENCES tenants (id),
    route         TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    payload       BLOB    NOT NULL CHECK (length(payload) = 32),  -- SHA-256
    status        INTEGER NOT NULL,
    kid           TEXT    NOT NULL,  -- of the key that signed the answer
    answer        TEXT    NOT NULL,  -- the claims that were signed
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_records_by_expiry ON idempotency_records (expires_at_ms);
