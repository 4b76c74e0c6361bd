-- Times are Unix milliseconds (…_ms). Secrets stand here only as SHA-256 digests or Argon2id hashes.

CREATE TABLE tenants (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    kind          TEXT    NOT NULL CHECK (kind IN ('workspace', 'agent')),
    state         TEXT    NOT NULL CHECK (state IN ('active', 'disabled')),
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id              TEXT    NOT NULL PRIMARY KEY,
    tenant_id       TEXT    NOT NULL REFERENCES tenants (id),
    email           TEXT    UNIQUE,  -- the normal form: what addresses are compared by
    email_given     TEXT,            -- as its owner wrote it: where mail goes
    password_hash   TEXT,
    role            TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    state           TEXT    NOT NULL CHECK (state IN ('active', 'disabled')),
    session_version INTEGER NOT NULL,
    created_at_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX users_by_tenant ON users (tenant_id);

CREATE TABLE sessions (
    id             TEXT    NOT NULL PRIMARY KEY,
    user_id        TEXT    NOT NULL REFERENCES users (id),
    refresh_digest BLOB    NOT NULL UNIQUE,
    created_at_ms  INTEGER NOT NULL,
    expires_at_ms  INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE api_keys (
    id              TEXT    NOT NULL PRIMARY KEY,
    tenant_id       TEXT    NOT NULL REFERENCES tenants (id),
    user_id         TEXT    NOT NULL REFERENCES users (id),
    name            TEXT    NOT NULL,
    prefix          TEXT    NOT NULL,
    scopes          TEXT    NOT NULL,  -- space-separated
    expires_at_ms   INTEGER,
    last_used_at_ms INTEGER,
    created_at_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, id);

-- A key is found by the first eight bytes of its digest; the rest is compared in constant time.
CREATE TABLE api_key_digests (
    head   INTEGER NOT NULL,
    tail   BLOB    NOT NULL,
    key_id TEXT    NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    PRIMARY KEY (head, tail)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_digests_by_key ON api_key_digests (key_id);

CREATE TABLE operator_keys (
    id            TEXT    NOT NULL PRIMARY KEY,
    head          INTEGER NOT NULL,
    tail          BLOB    NOT NULL,
    prefix        TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (head, tail)
) STRICT;

CREATE TABLE licenses (
    jti                TEXT    NOT NULL PRIMARY KEY,
    tenant_id          TEXT    NOT NULL REFERENCES tenants (id),
    user_id            TEXT    NOT NULL REFERENCES users (id),
    app_id             TEXT    NOT NULL,
    device_fingerprint BLOB    NOT NULL,  -- SHA-256 of tenant and fingerprint, never the value
    device_platform    TEXT    NOT NULL,
    device_name        TEXT,
    issued_at_ms       INTEGER NOT NULL,
    expires_at_ms      INTEGER NOT NULL,
    revoked_at_ms      INTEGER UNIQUE,    -- strictly increasing, so that a feed read "since" misses nothing
    revoked_reason     TEXT
) STRICT;
CREATE INDEX licenses_by_tenant ON licenses (tenant_id, jti);

CREATE TABLE audit_events (
    seq        INTEGER PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    tenant_id  TEXT,
    actor_kind TEXT    NOT NULL,
    actor_id   TEXT,
    act        TEXT    NOT NULL,
    subject_id TEXT,
    address    TEXT
) STRICT;
CREATE INDEX audit_events_by_tenant ON audit_events (tenant_id, seq);

-- One row, written again and again: an empty transaction would succeed on a full disk.
CREATE TABLE health_probe (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    at_ms INTEGER NOT NULL
) STRICT;
