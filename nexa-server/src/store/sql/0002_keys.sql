-- What a key can carry beside its scopes, and what is counted of it.
ALTER TABLE api_keys ADD COLUMN state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled'));
ALTER TABLE api_keys ADD COLUMN environment TEXT NOT NULL DEFAULT 'live' CHECK (environment IN ('live', 'test'));
ALTER TABLE api_keys ADD COLUMN rate_limit INTEGER;     -- calls in a window; none without it
ALTER TABLE api_keys ADD COLUMN rate_window_s INTEGER;
ALTER TABLE api_keys ADD COLUMN remaining INTEGER CHECK (remaining >= 0);  -- uses left; not counted without it
ALTER TABLE api_keys ADD COLUMN allowed_ips TEXT;       -- CIDR blocks, space-separated; any address without it
ALTER TABLE api_keys ADD COLUMN metadata TEXT;          -- a JSON object
ALTER TABLE api_keys ADD COLUMN use_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN window_started_at_ms INTEGER;
ALTER TABLE api_keys ADD COLUMN window_count INTEGER NOT NULL DEFAULT 0;

-- The value that a rotation replaced passes until then.
ALTER TABLE api_key_digests ADD COLUMN expires_at_ms INTEGER;
CREATE INDEX api_key_digests_by_expiry ON api_key_digests (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
