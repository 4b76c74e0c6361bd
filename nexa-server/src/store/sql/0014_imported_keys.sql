-- Keys that another program has issued may be known by their SHA-512: head and tail are then a digest of it, and what was
-- imported stands here, to be exported again.
ALTER TABLE api_key_digests ADD COLUMN sha512 BLOB CHECK (length(sha512) = 64);
