-- Agents: machine tenants (tenants.kind = 'agent') with a secret beside their API key.

CREATE TABLE agents (
    tenant_id      TEXT    NOT NULL PRIMARY KEY REFERENCES tenants (id),
    contact_email  TEXT,              -- as given; neither unique nor a log-in
    webhook_url    TEXT,
    description    TEXT,
    referral_code  TEXT,              -- as it was sent; NULL for the default agent
    referral_agent TEXT    NOT NULL,
    secret_digest  BLOB    NOT NULL,  -- SHA-256
    secret_version INTEGER NOT NULL
) STRICT;

-- The credits ledger, in millicents (1 unit of the currency = 100,000). Appended, never changed: the newest row of a
-- tenant (by time, then by seq) holds its balance, and every balance is the one before it and the change.
CREATE TABLE credit_entries (
    seq              INTEGER PRIMARY KEY CHECK (seq > 0),
    tenant_id        TEXT    NOT NULL REFERENCES tenants (id),
    at_ms            INTEGER NOT NULL,  -- never before the tenant's entry before it
    monthly_mc       INTEGER NOT NULL,  -- the changes, signed
    topup_mc         INTEGER NOT NULL,
    monthly_after_mc INTEGER NOT NULL,  -- the balances after them
    topup_after_mc   INTEGER NOT NULL,
    cause            TEXT    NOT NULL CHECK (cause IN
        ('trial', 'grant', 'reset', 'expiry', 'usage', 'payment', 'refund', 'chargeback', 'adjustment')),
    -- Which one: of a trial, a reset and an expiry the period, of usage the report, of a payment the payment, of a
    -- refund and a chargeback the refund and the chargeback themselves.
    cause_id         TEXT    NOT NULL,
    -- A report may cost nothing; nothing else is worth an entry then.
    CHECK (monthly_mc <> 0 OR topup_mc <> 0 OR cause = 'usage'),
    UNIQUE (tenant_id, cause, cause_id)  -- one cause has one effect
) STRICT;
CREATE INDEX credit_entries_by_time ON credit_entries (tenant_id, at_ms, seq);
CREATE TRIGGER credit_entries_are_not_changed BEFORE UPDATE ON credit_entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER credit_entries_are_not_removed BEFORE DELETE ON credit_entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- INSERT OR REPLACE removes rows past the trigger above. A seq that is not given is -1 here.
CREATE TRIGGER credit_entries_are_not_replaced BEFORE INSERT ON credit_entries
    WHEN (NEW.seq > 0 AND NEW.seq <= (SELECT max(seq) FROM credit_entries))
        OR EXISTS (SELECT 1 FROM credit_entries WHERE tenant_id = NEW.tenant_id AND cause = NEW.cause
            AND cause_id = NEW.cause_id)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only, and one cause has one effect'); END;
CREATE TRIGGER credit_entries_have_one_trial BEFORE INSERT ON credit_entries
    WHEN NEW.cause = 'trial'
        AND EXISTS (SELECT 1 FROM credit_entries WHERE tenant_id = NEW.tenant_id AND cause = 'trial')
    BEGIN SELECT RAISE(ABORT, 'a tenant has one trial'); END;
CREATE TRIGGER credit_entries_continue BEFORE INSERT ON credit_entries
    WHEN NEW.at_ms < (SELECT max(at_ms) FROM credit_entries WHERE tenant_id = NEW.tenant_id)
        OR NEW.monthly_after_mc <> NEW.monthly_mc + coalesce((SELECT monthly_after_mc FROM credit_entries
            WHERE tenant_id = NEW.tenant_id ORDER BY at_ms DESC, seq DESC LIMIT 1), 0)
        OR NEW.topup_after_mc <> NEW.topup_mc + coalesce((SELECT topup_after_mc FROM credit_entries
            WHERE tenant_id = NEW.tenant_id ORDER BY at_ms DESC, seq DESC LIMIT 1), 0)
    BEGIN SELECT RAISE(ABORT, 'an entry goes on from the one before it'); END;

-- When a tenant's monthly balance lapses.
CREATE TABLE credit_periods (
    tenant_id     TEXT    NOT NULL PRIMARY KEY REFERENCES tenants (id),
    id            TEXT    NOT NULL UNIQUE,
    kind          TEXT    NOT NULL CHECK (kind IN ('trial', 'plan')),
    started_at_ms INTEGER NOT NULL,
    ends_at_ms    INTEGER NOT NULL,
    CHECK (started_at_ms < ends_at_ms)
) STRICT;
CREATE INDEX credit_periods_by_end ON credit_periods (ends_at_ms, tenant_id);
