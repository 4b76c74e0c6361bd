-- Notices: what owners are to be told, each once; and mails that carry them.

CREATE TABLE notices (
    id            TEXT    NOT NULL PRIMARY KEY,
    tenant_id     TEXT    NOT NULL REFERENCES tenants (id),
    kind          TEXT    NOT NULL CHECK (kind IN
        ('credits_low', 'payment_failed', 'subscription_ended', 'trial_ending')),
    subject       TEXT    NOT NULL,  -- which report, payment, subscription, app or period it is about
    left_mc       INTEGER,           -- of credits that are low
    amount_cents  INTEGER,           -- of a payment that failed
    paid_for      TEXT    CHECK (paid_for IN ('subscription', 'topup', 'auto_recharge')),
    plan          TEXT,              -- of a subscription that ended
    app_id        TEXT,              -- of a trial that ends; NULL for the one of the credits
    ends_at_ms    INTEGER,
    told_at_ms    INTEGER NOT NULL,
    due_at_ms     INTEGER NOT NULL,
    carried_at_ms INTEGER,           -- NULL until it is handed to everything that carries it further
    CHECK ((kind = 'credits_low') = (left_mc IS NOT NULL)),
    CHECK ((kind = 'payment_failed') = (amount_cents IS NOT NULL)),
    CHECK ((kind = 'payment_failed') = (paid_for IS NOT NULL)),
    CHECK ((kind = 'subscription_ended') = (plan IS NOT NULL)),
    CHECK ((kind = 'trial_ending') = (ends_at_ms IS NOT NULL)),
    CHECK (kind = 'trial_ending' OR app_id IS NULL),
    UNIQUE (tenant_id, kind, subject)  -- each once, however often it is told
) STRICT;
CREATE INDEX notices_by_due ON notices (due_at_ms, id) WHERE carried_at_ms IS NULL;
CREATE INDEX notices_by_carrying ON notices (carried_at_ms) WHERE carried_at_ms IS NOT NULL;
-- In the order in which they are exported.
CREATE INDEX notices_by_tenant ON notices (tenant_id, id);

-- Two notices to one user are two mails, of whatever kind they are; any other mail takes the place of an unsent one.
CREATE TABLE mails_and_notices (
    id            TEXT    NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL CHECK (kind IN
        ('verify_email', 'reset_password', 'invite', 'already_registered', 'password_changed', 'notice')),
    user_id       TEXT,
    invite_id     TEXT    REFERENCES invites (id) ON DELETE CASCADE,
    notice_id     TEXT    REFERENCES notices (id) ON DELETE CASCADE,
    address       TEXT,              -- of the client that asked for it
    attempts      INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    due_at_ms     INTEGER NOT NULL,
    CHECK ((user_id IS NULL) <> (invite_id IS NULL)),
    CHECK ((kind = 'notice') = (notice_id IS NOT NULL)),
    CHECK (notice_id IS NULL OR invite_id IS NULL),
    UNIQUE (invite_id)
) STRICT;
INSERT INTO mails_and_notices
    SELECT id, kind, user_id, invite_id, NULL, address, attempts, created_at_ms, due_at_ms FROM mails;
DROP TABLE mails;
ALTER TABLE mails_and_notices RENAME TO mails;
CREATE INDEX mails_by_due ON mails (attempts, due_at_ms);
CREATE INDEX mails_by_user ON mails (user_id);
CREATE UNIQUE INDEX mails_of_one_kind ON mails (user_id, kind) WHERE notice_id IS NULL;
CREATE UNIQUE INDEX mails_of_one_notice ON mails (notice_id, user_id) WHERE notice_id IS NOT NULL;
