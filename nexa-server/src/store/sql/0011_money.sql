-- Money: plans that are paid for month by month, payments, what uses have cost.

-- The plan that grants in it; NULL for a trial.
ALTER TABLE credit_periods ADD COLUMN plan_id TEXT;

-- One row for each time that a tenant subscribed. It is canceled by the tenant, goes on to the end of what is paid, and ends.
CREATE TABLE subscriptions (
    id             TEXT    NOT NULL PRIMARY KEY,
    tenant_id      TEXT    NOT NULL REFERENCES tenants (id),
    plan_id        TEXT    NOT NULL,
    price_cents    INTEGER NOT NULL CHECK (price_cents > 0),
    currency       TEXT    NOT NULL,
    customer_id    TEXT    NOT NULL,  -- at the payment provider
    provider_id    TEXT    UNIQUE,    -- of the subscription there, once it is known
    started_at_ms  INTEGER NOT NULL,  -- months are counted from here
    months         INTEGER NOT NULL CHECK (months > 0),  -- paid so far
    paid_until_ms  INTEGER NOT NULL,
    canceled_at_ms INTEGER,
    ended_at_ms    INTEGER,
    -- Charges whose news was lost: when to ask for them, and when the provider has told of them last.
    ask_at_ms      INTEGER,
    asked_at_ms    INTEGER,
    -- What is still to be done at the provider, and when.
    errand         TEXT    CHECK (errand IN ('create', 'cancel')),
    tried_at_ms    INTEGER,           -- for the first time
    due_at_ms      INTEGER,
    attempts       INTEGER NOT NULL,
    CHECK ((errand IS NULL) = (due_at_ms IS NULL))
) STRICT;
CREATE UNIQUE INDEX subscriptions_live ON subscriptions (tenant_id) WHERE ended_at_ms IS NULL;
CREATE INDEX subscriptions_by_tenant ON subscriptions (tenant_id, id);
CREATE INDEX subscriptions_by_paid ON subscriptions (paid_until_ms, id) WHERE ended_at_ms IS NULL;
CREATE INDEX subscriptions_by_ask ON subscriptions (ask_at_ms) WHERE ask_at_ms IS NOT NULL;
CREATE INDEX subscriptions_by_due ON subscriptions (due_at_ms) WHERE due_at_ms IS NOT NULL;

-- A tenant as the payment provider knows it.
CREATE TABLE payment_customers (
    tenant_id   TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    id          TEXT NOT NULL UNIQUE,  -- ours: what makes creating it there one effect
    provider_id TEXT UNIQUE,           -- NULL until the provider has answered
    tried_at_ms INTEGER                -- when the provider was asked for it for the first time
) STRICT;

-- Payments. A row is there before the provider hears of it, and says what to do when nothing is heard of it any more.
CREATE TABLE payments (
    id              TEXT    NOT NULL PRIMARY KEY,
    tenant_id       TEXT    NOT NULL REFERENCES tenants (id),
    kind            TEXT    NOT NULL CHECK (kind IN ('subscription', 'renewal', 'topup', 'recharge_setup', 'recharge')),
    plan_id         TEXT,              -- that a subscription begins with
    subscription_id TEXT    REFERENCES subscriptions (id),  -- that it has begun or renewed
    amount_cents    INTEGER NOT NULL CHECK (amount_cents > 0),
    currency        TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('new', 'open', 'paid', 'failed')),
    provider_id     TEXT    UNIQUE,
    redirect_url    TEXT,              -- where the payer goes afterwards
    checkout_url    TEXT,              -- where the payer pays
    created_at_ms   INTEGER NOT NULL,
    tried_at_ms     INTEGER,           -- when the provider was asked for it for the first time
    due_at_ms       INTEGER,           -- when to look after it
    attempts        INTEGER NOT NULL,
    CHECK ((kind = 'subscription') = (plan_id IS NOT NULL))
) STRICT;
CREATE INDEX payments_by_tenant ON payments (tenant_id, id);
CREATE INDEX payments_of_recharges ON payments (tenant_id, created_at_ms) WHERE kind = 'recharge';
CREATE INDEX payments_by_subscription ON payments (subscription_id) WHERE subscription_id IS NOT NULL;
CREATE INDEX payments_by_due ON payments (due_at_ms) WHERE due_at_ms IS NOT NULL;
-- Those that nobody but us has ever heard of.
CREATE INDEX payments_unmade ON payments (created_at_ms) WHERE state = 'failed' AND provider_id IS NULL;
-- However many reports cross the threshold.
CREATE UNIQUE INDEX payments_one_recharge ON payments (tenant_id) WHERE kind = 'recharge' AND state IN ('new', 'open');

-- Refunds and chargebacks that are known of, by their ids at the provider.
CREATE TABLE payment_reversals (
    id            TEXT    NOT NULL PRIMARY KEY,
    payment_id    TEXT    NOT NULL REFERENCES payments (id) ON DELETE CASCADE,
    kind          TEXT    NOT NULL CHECK (kind IN ('refund', 'chargeback')),
    amount_cents  INTEGER NOT NULL,
    taken_mc      INTEGER NOT NULL,  -- from the credits
    is_given_back INTEGER NOT NULL CHECK (is_given_back IN (0, 1))
) STRICT;
CREATE INDEX payment_reversals_by_payment ON payment_reversals (payment_id);

-- Balances that are topped up by themselves.
CREATE TABLE auto_recharges (
    tenant_id    TEXT    NOT NULL PRIMARY KEY REFERENCES tenants (id),
    is_enabled   INTEGER NOT NULL CHECK (is_enabled IN (0, 1)),
    is_ready     INTEGER NOT NULL CHECK (is_ready IN (0, 1)),  -- the payment that sets it up has arrived
    threshold_mc INTEGER NOT NULL CHECK (threshold_mc >= 0),
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    failures     INTEGER NOT NULL,  -- one after the other
    retry_at_ms  INTEGER,           -- not before, after a failure
    paused_at_ms INTEGER            -- after too many failures
) STRICT;

-- Customers that are to be removed at the payment provider, with their mandates and subscriptions; their tenant may be gone.
CREATE TABLE payment_farewells (
    customer_id TEXT    NOT NULL PRIMARY KEY,
    is_lost     INTEGER NOT NULL CHECK (is_lost IN (0, 1)),  -- the provider's answer; the id is ours
    due_at_ms   INTEGER NOT NULL,
    attempts    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX payment_farewells_by_due ON payment_farewells (due_at_ms);

-- What was used, report by report.
CREATE TABLE usage_reports (
    tenant_id           TEXT    NOT NULL REFERENCES tenants (id),
    id                  TEXT    NOT NULL,  -- in the order of their time
    jti                 TEXT    NOT NULL,  -- of the licence, which knows whose it is
    app_id              TEXT    NOT NULL,
    model_id            TEXT,
    input_tokens        INTEGER NOT NULL,
    cached_input_tokens INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL,
    cost_mc             INTEGER NOT NULL,
    at_ms               INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_report_metrics (
    tenant_id TEXT    NOT NULL,
    report_id TEXT    NOT NULL,
    metric    TEXT    NOT NULL,
    amount    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, report_id, metric),
    FOREIGN KEY (tenant_id, report_id) REFERENCES usage_reports (tenant_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Their sums, kept as they come: those of the whole tenant, whose user is '', and those of each user who is there. A day is
-- counted from 1970-01-01 in UTC; '' stands for no model.
CREATE TABLE usage_days (
    tenant_id           TEXT    NOT NULL REFERENCES tenants (id),
    user_id             TEXT    NOT NULL,
    day                 INTEGER NOT NULL,
    app_id              TEXT    NOT NULL,
    model_id            TEXT    NOT NULL,
    reports             INTEGER NOT NULL,
    input_tokens        INTEGER NOT NULL,
    cached_input_tokens INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL,
    cost_mc             INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, user_id, day, app_id, model_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE usage_day_metrics (
    tenant_id TEXT    NOT NULL REFERENCES tenants (id),
    user_id   TEXT    NOT NULL,
    day       INTEGER NOT NULL,
    app_id    TEXT    NOT NULL,
    model_id  TEXT    NOT NULL,
    metric    TEXT    NOT NULL,
    amount    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, user_id, day, app_id, model_id, metric)
) STRICT, WITHOUT ROWID;
