-- Keys that another program has issued may be known by their SHA-512: head and tail are then a digest of it, and what was
-- imported stands here, to be exported again.
ALTER TABLE api_key_digests ADD COLUMN sha512 BLOB CHECK (length(sha512) = 64);

-- Values that others could read. They pass nowhere any more, and are not imported again.
CREATE TABLE leaked_values (
    head  INTEGER NOT NULL,
    tail  BLOB    NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (head, tail)
) STRICT, WITHOUT ROWID;
CREATE INDEX agents_by_secret ON agents (secret_digest);

-- A notice of a leaked key, which goes to whose key it was, or to the owners. Mails refer to notices, and would go with the
-- table that they refer to: they are moved first.
CREATE TABLE notices_of_leaks_too (
    id            TEXT    NOT NULL PRIMARY KEY,
    tenant_id     TEXT    NOT NULL REFERENCES tenants (id),
    kind          TEXT    NOT NULL CHECK (kind IN
        ('credits_low', 'payment_failed', 'subscription_ended', 'trial_ending', 'key_leaked')),
    subject       TEXT    NOT NULL,  -- which report, payment, subscription, app, period or key it is about
    left_mc       INTEGER,           -- of credits that are low
    amount_cents  INTEGER,           -- of a payment that failed
    paid_for      TEXT    CHECK (paid_for IN ('subscription', 'topup', 'auto_recharge')),
    plan          TEXT,              -- of a subscription that ended
    app_id        TEXT,              -- of a trial that ends; NULL for the one of the credits
    ends_at_ms    INTEGER,
    user_id       TEXT,              -- who is told of a leaked key; NULL for the owners
    key_name      TEXT,              -- of a key that leaked
    key_prefix    TEXT,
    found_at_url  TEXT,
    is_replaced   INTEGER NOT NULL DEFAULT 0,  -- 1: it was a value that another had replaced, and the key lives
    told_at_ms    INTEGER NOT NULL,
    due_at_ms     INTEGER NOT NULL,
    carried_at_ms INTEGER,           -- NULL until it is handed to everything that carries it further
    CHECK ((kind = 'credits_low') = (left_mc IS NOT NULL)),
    CHECK ((kind = 'payment_failed') = (amount_cents IS NOT NULL)),
    CHECK ((kind = 'payment_failed') = (paid_for IS NOT NULL)),
    CHECK ((kind = 'subscription_ended') = (plan IS NOT NULL)),
    CHECK ((kind = 'trial_ending') = (ends_at_ms IS NOT NULL)),
    CHECK (kind = 'trial_ending' OR app_id IS NULL),
    CHECK ((kind = 'key_leaked') = (key_name IS NOT NULL)),
    CHECK ((key_name IS NULL) = (key_prefix IS NULL)),
    CHECK (kind = 'key_leaked' OR (user_id IS NULL AND found_at_url IS NULL AND is_replaced = 0)),
    UNIQUE (tenant_id, kind, subject)  -- each once, however often it is told
) STRICT;
INSERT INTO notices_of_leaks_too (id, tenant_id, kind, subject, left_mc, amount_cents, paid_for, plan, app_id, ends_at_ms,
        told_at_ms, due_at_ms, carried_at_ms)
    SELECT id, tenant_id, kind, subject, left_mc, amount_cents, paid_for, plan, app_id, ends_at_ms, told_at_ms, due_at_ms,
        carried_at_ms FROM notices;
CREATE TABLE moved_mails (
    id            TEXT    NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL CHECK (kind IN
        ('verify_email', 'reset_password', 'invite', 'already_registered', 'password_changed', 'notice')),
    user_id       TEXT,
    invite_id     TEXT    REFERENCES invites (id) ON DELETE CASCADE,
    notice_id     TEXT    REFERENCES notices_of_leaks_too (id) ON DELETE CASCADE,
    address       TEXT,              -- of the client that asked for it
    attempts      INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    due_at_ms     INTEGER NOT NULL,
    CHECK ((user_id IS NULL) <> (invite_id IS NULL)),
    CHECK ((kind = 'notice') = (notice_id IS NOT NULL)),
    CHECK (notice_id IS NULL OR invite_id IS NULL),
    UNIQUE (invite_id)
) STRICT;
INSERT INTO moved_mails
    SELECT id, kind, user_id, invite_id, notice_id, address, attempts, created_at_ms, due_at_ms FROM mails;
DROP TABLE mails;
DROP TABLE notices;
ALTER TABLE notices_of_leaks_too RENAME TO notices;
ALTER TABLE moved_mails RENAME TO mails;
CREATE INDEX notices_by_due ON notices (due_at_ms, id) WHERE carried_at_ms IS NULL;
CREATE INDEX notices_by_carrying ON notices (carried_at_ms) WHERE carried_at_ms IS NOT NULL;
CREATE INDEX notices_by_tenant ON notices (tenant_id, id);
CREATE INDEX mails_by_due ON mails (attempts, due_at_ms);
CREATE INDEX mails_by_user ON mails (user_id);
CREATE UNIQUE INDEX mails_of_one_kind ON mails (user_id, kind) WHERE notice_id IS NULL;
CREATE UNIQUE INDEX mails_of_one_notice ON mails (notice_id, user_id) WHERE notice_id IS NOT NULL;
