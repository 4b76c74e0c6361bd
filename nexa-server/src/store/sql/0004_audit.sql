-- The audit trail as a chain: each event's hash covers the event and the hash before it. What is personal stands
-- beside the chain, and the chain holds only a salted commitment to it, so that it can be erased.
ALTER TABLE audit_events ADD COLUMN user_id TEXT;     -- the user behind the actor, whatever credential it came with
ALTER TABLE audit_events ADD COLUMN salt BLOB CHECK (length(salt) = 16);             -- NULL once erased
ALTER TABLE audit_events ADD COLUMN commitment BLOB CHECK (length(commitment) = 32); -- SHA-256
ALTER TABLE audit_events ADD COLUMN hash BLOB CHECK (length(hash) = 32);             -- SHA-256

-- Events of versions before this one have no hash until the next start has chained them.
CREATE INDEX audit_events_unchained ON audit_events (seq) WHERE hash IS NULL;

-- What a tenant reads, newest first, and of it what a member may read.
DROP INDEX audit_events_by_tenant;
CREATE INDEX audit_events_by_tenant ON audit_events (tenant_id, at_ms);
CREATE INDEX audit_events_by_user ON audit_events (user_id, at_ms) WHERE user_id IS NOT NULL;
CREATE INDEX audit_events_by_subject ON audit_events (subject_id, at_ms) WHERE subject_id IS NOT NULL;

CREATE TRIGGER audit_events_are_not_removed BEFORE DELETE ON audit_events
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
-- INSERT OR REPLACE removes rows past the trigger above. A seq that is not given is -1 here.
CREATE TRIGGER audit_events_continue BEFORE INSERT ON audit_events
    WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit_events)
        OR NEW.salt IS NULL OR NEW.commitment IS NULL OR NEW.hash IS NULL
        OR EXISTS (SELECT 1 FROM audit_events WHERE hash IS NULL)
    BEGIN SELECT RAISE(ABORT, 'an event goes on from the one before it'); END;
CREATE TRIGGER audit_events_are_only_erased_or_chained BEFORE UPDATE ON audit_events
    WHEN NEW.seq IS NOT OLD.seq OR NEW.at_ms IS NOT OLD.at_ms OR NEW.tenant_id IS NOT OLD.tenant_id
        OR NEW.actor_kind IS NOT OLD.actor_kind OR NEW.act IS NOT OLD.act
        OR NOT (
            -- Erased: all that is personal, and nothing else.
            (OLD.hash IS NOT NULL AND NEW.hash IS OLD.hash AND NEW.commitment IS OLD.commitment AND NEW.salt IS NULL
                AND NEW.actor_id IS NULL AND NEW.user_id IS NULL AND NEW.subject_id IS NULL AND NEW.address IS NULL)
            -- Chained: once, in order.
            OR (OLD.hash IS NULL AND NEW.hash IS NOT NULL AND NEW.commitment IS NOT NULL AND NEW.salt IS NOT NULL
                AND NEW.actor_id IS OLD.actor_id AND NEW.subject_id IS OLD.subject_id AND NEW.address IS OLD.address
                AND NOT EXISTS (SELECT 1 FROM audit_events WHERE hash IS NULL AND seq < OLD.seq)))
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

-- How far the trail had come, signed.
CREATE TABLE audit_checkpoints (
    seq       INTEGER NOT NULL PRIMARY KEY,  -- of the newest event at that time
    hash      BLOB    NOT NULL CHECK (length(hash) = 32),
    at_ms     INTEGER NOT NULL,
    kid       TEXT    NOT NULL,
    signature BLOB    NOT NULL CHECK (length(signature) = 64)
) STRICT;
CREATE TRIGGER audit_checkpoints_are_not_changed BEFORE UPDATE ON audit_checkpoints
    BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER audit_checkpoints_are_not_removed BEFORE DELETE ON audit_checkpoints
    BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER audit_checkpoints_go_on BEFORE INSERT ON audit_checkpoints
    WHEN NEW.seq <= (SELECT max(seq) FROM audit_checkpoints)
        OR NOT EXISTS (SELECT 1 FROM audit_events WHERE seq = NEW.seq AND hash = NEW.hash)
    BEGIN SELECT RAISE(ABORT, 'a checkpoint is of an event after the one before it'); END;
