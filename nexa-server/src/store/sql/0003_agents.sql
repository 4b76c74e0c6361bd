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
-- tenant holds its balance, and every balance is the sum of the changes up to it.
CREATE TABLE credit_entries (
    seq              INTEGER PRIMARY KEY,
    id               TEXT    NOT NULL UNIQUE,
    tenant_id        TEXT    NOT NULL REFERENCES tenants (id),
    at_ms            INTEGER NOT NULL,
    monthly_mc       INTEGER NOT NULL,  -- the changes, signed
    topup_mc         INTEGER NOT NULL,
    monthly_after_mc INTEGER NOT NULL,  -- the balances after them
    topup_after_mc   INTEGER NOT NULL,
    cause            TEXT    NOT NULL CHECK (cause IN
        ('trial', 'grant', 'reset', 'expiry', 'usage', 'payment', 'refund', 'chargeback', 'adjustment')),
    cause_id         TEXT,              -- which report, payment, period, …
    CHECK (monthly_mc <> 0 OR topup_mc <> 0),
    UNIQUE (tenant_id, cause, cause_id)  -- one cause has one effect
) STRICT;
CREATE INDEX credit_entries_by_tenant ON credit_entries (tenant_id, seq);
CREATE TRIGGER credit_entries_are_not_changed BEFORE UPDATE ON credit_entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER credit_entries_are_not_removed BEFORE DELETE ON credit_entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- When a tenant's monthly balance lapses.
CREATE TABLE credit_periods (
    tenant_id     TEXT    NOT NULL PRIMARY KEY REFERENCES tenants (id),
    started_at_ms INTEGER NOT NULL,
    ends_at_ms    INTEGER NOT NULL,
    CHECK (started_at_ms < ends_at_ms)
) STRICT;
CREATE INDEX credit_periods_by_end ON credit_periods (ends_at_ms);
