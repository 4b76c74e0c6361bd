-- Webhooks: the outbox of what is to be delivered, and the log of what became of it.

ALTER TABLE agents ADD COLUMN webhook_gone_at_ms INTEGER;  -- when the receiver answered 410; NULL while it is delivered to

-- One for each event of a tenant that had a receiver when it was told.
CREATE TABLE webhook_deliveries (
    event_seq       INTEGER NOT NULL PRIMARY KEY,  -- of the event: their order
    event_id        TEXT    NOT NULL UNIQUE,
    tenant_id       TEXT    NOT NULL REFERENCES tenants (id),
    state           TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'cancelled')),
    round           INTEGER NOT NULL,  -- one more each time that it is sent again by hand
    attempts        INTEGER NOT NULL,  -- in this round
    due_at_ms       INTEGER NOT NULL,
    tried_at_ms     INTEGER,           -- last
    status          INTEGER,           -- that was answered then
    problem         TEXT,              -- or why nothing was
    delivered_at_ms INTEGER,           -- last
    CHECK (state <> 'delivered' OR delivered_at_ms IS NOT NULL)
) STRICT;
CREATE INDEX webhook_deliveries_by_tenant ON webhook_deliveries (tenant_id, event_seq);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (tenant_id, due_at_ms, event_seq) WHERE state = 'waiting';
