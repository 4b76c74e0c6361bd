-- People: sessions that go on, mailed tokens, invitations, mails that are due, and what erasure leaves.

ALTER TABLE users ADD COLUMN email_verified_at_ms INTEGER;  -- NULL until somebody has read a mail to the address
-- While its data is being removed; what is left is an id that the ledger and the audit trail refer to.
ALTER TABLE tenants ADD COLUMN erasing_since_ms INTEGER;
ALTER TABLE tenants ADD COLUMN erased_at_ms INTEGER;
CREATE INDEX tenants_erasing ON tenants (erasing_since_ms) WHERE erasing_since_ms IS NOT NULL;
-- While the licences of a disabled tenant are being revoked.
ALTER TABLE tenants ADD COLUMN revoking_since_ms INTEGER;
CREATE INDEX tenants_revoking ON tenants (revoking_since_ms) WHERE revoking_since_ms IS NOT NULL;
-- In the order in which users are listed.
DROP INDEX users_by_tenant;
CREATE INDEX users_by_tenant ON users (tenant_id, id);

-- One row a log-in. Sessions of earlier versions end here: they could not be refreshed anyway.
DROP TABLE sessions;
CREATE TABLE sessions (
    id               TEXT    NOT NULL PRIMARY KEY,
    user_id          TEXT    NOT NULL REFERENCES users (id),
    family_digest    BLOB    NOT NULL UNIQUE,  -- of what all its refresh tokens begin with
    refresh_digest   BLOB    NOT NULL,         -- of the one that is current
    previous_digest  BLOB,                     -- of the one before it
    masked_successor BLOB,                     -- the current one, readable with the one before it
    address          TEXT,                     -- where it was used from last
    user_agent       TEXT,
    created_at_ms    INTEGER NOT NULL,
    refreshed_at_ms  INTEGER NOT NULL,
    expires_at_ms    INTEGER NOT NULL,
    CHECK ((previous_digest IS NULL) = (masked_successor IS NULL))
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at_ms);

-- The newest token of a kind that was mailed to a user; it works once.
CREATE TABLE mailed_tokens (
    digest        BLOB    NOT NULL PRIMARY KEY,
    purpose       TEXT    NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
    user_id       TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at_ms INTEGER NOT NULL,
    UNIQUE (user_id, purpose)
) STRICT;
CREATE INDEX mailed_tokens_by_expiry ON mailed_tokens (expires_at_ms);

CREATE TABLE invites (
    id            TEXT    NOT NULL PRIMARY KEY,
    tenant_id     TEXT    NOT NULL REFERENCES tenants (id),
    invited_by    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email         TEXT    NOT NULL,  -- the normal form
    email_given   TEXT    NOT NULL,  -- where the mail goes
    role          TEXT    NOT NULL CHECK (role IN ('admin', 'member')),
    token_digest  BLOB    UNIQUE,    -- NULL until the mail is on its way
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    UNIQUE (tenant_id, email)        -- the newest one of an address
) STRICT;
CREATE INDEX invites_by_inviter ON invites (invited_by);
CREATE INDEX invites_by_expiry ON invites (expires_at_ms);

-- Mails that are due. No token stands here: each try draws one of its own. user_id is no foreign key: a mail for an address
-- that nobody has names a user that does not exist, so that asking for it takes the same work.
CREATE TABLE mails (
    id            TEXT    NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL CHECK (kind IN
        ('verify_email', 'reset_password', 'invite', 'already_registered', 'password_changed')),
    user_id       TEXT,
    invite_id     TEXT    REFERENCES invites (id) ON DELETE CASCADE,
    address       TEXT,              -- of the client that asked for it
    attempts      INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    due_at_ms     INTEGER NOT NULL,
    CHECK ((user_id IS NULL) <> (invite_id IS NULL)),
    UNIQUE (user_id, kind),
    UNIQUE (invite_id)
) STRICT;
CREATE INDEX mails_by_due ON mails (attempts, due_at_ms);

-- A licence outlives the user it was issued by, and what tells of its device is removed with its tenant.
CREATE TABLE licenses_of_anyone (
    jti                TEXT    NOT NULL PRIMARY KEY,
    tenant_id          TEXT    NOT NULL REFERENCES tenants (id),
    user_id            TEXT    REFERENCES users (id) ON DELETE SET NULL,
    app_id             TEXT    NOT NULL,
    device_fingerprint BLOB,              -- SHA-256 of tenant and fingerprint, never the value
    device_platform    TEXT,
    device_name        TEXT,
    issued_at_ms       INTEGER NOT NULL,
    expires_at_ms      INTEGER NOT NULL,
    revoked_at_ms      INTEGER UNIQUE,    -- strictly increasing, so that a feed read "since" misses nothing
    revoked_reason     TEXT
) STRICT;
INSERT INTO licenses_of_anyone
    SELECT jti, tenant_id, user_id, app_id, device_fingerprint, device_platform, device_name, issued_at_ms, expires_at_ms,
        revoked_at_ms, revoked_reason FROM licenses;
DROP TABLE licenses;
ALTER TABLE licenses_of_anyone RENAME TO licenses;
CREATE INDEX licenses_by_tenant ON licenses (tenant_id, jti);
CREATE INDEX licenses_by_user ON licenses (user_id);

CREATE INDEX api_keys_by_user ON api_keys (user_id);
