-- Letters to addresses that agents have named and nobody has shown to be theirs: an address gets so many in a day, whoever names it.
-- They outlast the agents, whose erasure would otherwise make room for more, and so hold no address but its digest, for that day.
CREATE TABLE contact_letters (
    mail_id        TEXT    NOT NULL PRIMARY KEY,
    contact_digest BLOB    NOT NULL CHECK (length(contact_digest) = 32),
    expires_at_ms  INTEGER NOT NULL
) STRICT;
CREATE INDEX contact_letters_by_contact ON contact_letters (contact_digest, expires_at_ms);
CREATE INDEX contact_letters_by_expiry ON contact_letters (expires_at_ms);
