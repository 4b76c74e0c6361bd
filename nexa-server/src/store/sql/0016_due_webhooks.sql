-- Webhooks: which tenants have something due and whose receivers hold others up, without a look at each that waits.

ALTER TABLE agents ADD COLUMN webhook_due_at_ms INTEGER;  -- the earliest of what waits; NULL while nothing does
ALTER TABLE agents ADD COLUMN webhook_is_degraded INTEGER NOT NULL DEFAULT 0 CHECK (webhook_is_degraded IN (0, 1));  -- 1: its last attempt failed, or took long

UPDATE agents SET webhook_due_at_ms =
    (SELECT min(due_at_ms) FROM webhook_deliveries WHERE tenant_id = agents.tenant_id AND state = 'waiting');
CREATE INDEX agents_by_webhook_due ON agents (webhook_due_at_ms, tenant_id, webhook_is_degraded) WHERE webhook_due_at_ms IS NOT NULL;
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries ((attempts > 0), due_at_ms) WHERE state = 'waiting';

-- Whatever writes deliveries: what nobody finds due is never sent.
CREATE TRIGGER webhook_deliveries_are_due_when_inserted AFTER INSERT ON webhook_deliveries BEGIN
    UPDATE agents SET webhook_due_at_ms =
        (SELECT min(due_at_ms) FROM webhook_deliveries WHERE tenant_id = NEW.tenant_id AND state = 'waiting')
    WHERE tenant_id = NEW.tenant_id;
END;
CREATE TRIGGER webhook_deliveries_are_due_when_changed AFTER UPDATE OF state, due_at_ms ON webhook_deliveries BEGIN
    UPDATE agents SET webhook_due_at_ms =
        (SELECT min(due_at_ms) FROM webhook_deliveries WHERE tenant_id = NEW.tenant_id AND state = 'waiting')
    WHERE tenant_id = NEW.tenant_id;
END;
CREATE TRIGGER webhook_deliveries_are_due_when_removed AFTER DELETE ON webhook_deliveries BEGIN
    UPDATE agents SET webhook_due_at_ms =
        (SELECT min(due_at_ms) FROM webhook_deliveries WHERE tenant_id = OLD.tenant_id AND state = 'waiting')
    WHERE tenant_id = OLD.tenant_id;
END;
