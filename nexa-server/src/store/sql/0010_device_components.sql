-- What a device was made of when it got its seat: parts may change as far as the app's policy allows.
CREATE TABLE device_components (
    tenant_id TEXT NOT NULL,
    app_id    TEXT NOT NULL,
    digest    BLOB NOT NULL CHECK (length(digest) = 32),  -- SHA-256 of tenant, kind and value, never the values
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    PRIMARY KEY (tenant_id, app_id, digest, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_components_by_device ON device_components (device_id);
