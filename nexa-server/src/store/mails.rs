//! Rows of mails that are due.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct Mail {
    pub(crate) id: String,
    pub(crate) kind: String,
    /// Who it goes to, if not to the address of an invitation; for a mail to nobody there is no such user.
    pub(crate) user_id: Option<String>,
    pub(crate) invite_id: Option<String>,
    /// What it tells of, if that is a notice.
    pub(crate) notice_id: Option<String>,
    /// The client that asked for it.
    pub(crate) address: Option<String>,
    /// How often sending it was begun.
    pub(crate) attempts: i64,
    pub(crate) created_at: UnixMillis,
    pub(crate) due_at: UnixMillis,
}

/// What stands as the kind of mails that carry a notice.
const NOTICE: &str = "notice";

/// Adds a mail that carries no notice, in the place of an unsent one of the same kind to the same user.
pub(crate) fn insert(tx: &Tx<'_>, mail: &Mail) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO mails (id, kind, user_id, invite_id, address, attempts, created_at_ms, due_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (user_id, kind) WHERE notice_id IS NULL DO UPDATE SET id = excluded.id, address = excluded.address, attempts = 0,
             created_at_ms = excluded.created_at_ms, due_at_ms = excluded.due_at_ms",
        &[
            (&mail.id).into(),
            (&mail.kind).into(),
            mail.user_id.as_deref().into(),
            mail.invite_id.as_deref().into(),
            mail.address.as_deref().into(),
            mail.attempts.into(),
            mail.created_at.ms().into(),
            mail.due_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// Adds a mail that carries a notice to a user, due at once.
pub(crate) fn insert_notice(
    tx: &Tx<'_>,
    now: UnixMillis,
    id: &str,
    notice_id: &str,
    user_id: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO mails (id, kind, user_id, notice_id, attempts, created_at_ms, due_at_ms) VALUES (?1, ?2, ?3, ?4, 0, ?5, ?5)",
        &[
            id.into(),
            NOTICE.into(),
            user_id.into(),
            notice_id.into(),
            now.ms().into(),
        ],
    )?;
    Ok(())
}

/// The next mail to send: those that were never tried before those that failed, the one that has been due longest first.
pub(crate) fn next(tx: &Tx<'_>, now: UnixMillis) -> Result<Option<Mail>, StoreError> {
    tx.optional(
        "SELECT id, kind, user_id, invite_id, notice_id, address, attempts, created_at_ms, due_at_ms FROM mails
         WHERE due_at_ms <= ?1 ORDER BY attempts, due_at_ms LIMIT 1",
        &[now.ms().into()],
        |row| {
            Ok(Mail {
                id: row.text(0)?,
                kind: row.text(1)?,
                user_id: row.optional_text(2)?,
                invite_id: row.optional_text(3)?,
                notice_id: row.optional_text(4)?,
                address: row.optional_text(5)?,
                attempts: row.int(6)?,
                created_at: UnixMillis::from_ms(row.int(7)?),
                due_at: UnixMillis::from_ms(row.int(8)?),
            })
        },
    )
}

/// Notes that sending begins, and when to try again if it fails; false when the mail is gone.
pub(crate) fn begin(tx: &Tx<'_>, id: &str, again_at: UnixMillis) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE mails SET attempts = attempts + 1, due_at_ms = ?2 WHERE id = ?1",
        &[id.into(), again_at.ms().into()],
    )?;
    Ok(changed > 0)
}

/// A letter to an address that an agent has named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContactLetter<'a> {
    pub(crate) mail_id: &'a str,
    /// SHA-256 of the address.
    pub(crate) contact_digest: &'a [u8; 32],
    /// Until when it counts.
    pub(crate) expires_at: UnixMillis,
}

/// How many other letters to the same address count now. None counts longer than the letter itself: a clock was set back since.
pub(crate) fn count_contact_letters(
    tx: &Tx<'_>,
    now: UnixMillis,
    letter: ContactLetter<'_>,
) -> Result<i64, StoreError> {
    tx.one(
        "SELECT count(*) FROM contact_letters
         WHERE contact_digest = ?1 AND expires_at_ms > ?2 AND expires_at_ms <= ?3 AND mail_id <> ?4",
        &[
            letter.contact_digest.into(),
            now.ms().into(),
            letter.expires_at.ms().into(),
            letter.mail_id.into(),
        ],
        |row| row.int(0),
    )
}

/// Counts a letter, once however often it is tried.
pub(crate) fn put_contact_letter(tx: &Tx<'_>, letter: ContactLetter<'_>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO contact_letters (mail_id, contact_digest, expires_at_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (mail_id) DO UPDATE SET contact_digest = excluded.contact_digest, expires_at_ms = excluded.expires_at_ms",
        &[
            letter.mail_id.into(),
            letter.contact_digest.into(),
            letter.expires_at.ms().into(),
        ],
    )?;
    Ok(())
}

/// Removes what waits for a user, but for notices: they are not about how the user gets in, and no change of that is a reason
/// to lose one. Whoever may not get them any more is left out when they are sent.
pub(crate) fn delete_of_user(tx: &Tx<'_>, user_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM mails WHERE user_id = ?1 AND notice_id IS NULL",
        &[user_id.into()],
    )?;
    Ok(())
}

/// Removes what waits for the users of a tenant.
pub(crate) fn delete_of_tenant(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM mails WHERE user_id IN (SELECT id FROM users WHERE tenant_id = ?1)",
        &[tenant_id.into()],
    )?;
    Ok(())
}

pub(crate) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM mails WHERE id = ?1", &[id.into()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{MIGRATIONS, Store, StoreError};
    use super::*;

    #[test]
    fn mails_that_wait_outlast_the_change_of_their_table() {
        let scratch = tempfile::tempdir().unwrap();
        let before = Store::open(scratch.path(), &MIGRATIONS[..10]).unwrap();
        let written = before.write(|tx| {
            for sql in [
                "INSERT INTO tenants (id, name, kind, state, created_at_ms) VALUES ('t', 'T', 'workspace', 'active', 1)",
                "INSERT INTO users (id, tenant_id, role, state, session_version, created_at_ms) VALUES ('u', 't', 'owner', 'active', 1, 1)",
                "INSERT INTO invites (id, tenant_id, invited_by, email, email_given, role, created_at_ms, expires_at_ms)
                    VALUES ('i', 't', 'u', 'a@b', 'A@b', 'member', 1, 9)",
                "INSERT INTO mails (id, kind, user_id, invite_id, address, attempts, created_at_ms, due_at_ms)
                    VALUES ('m1', 'reset_password', 'u', NULL, '::1', 3, 4, 5), ('m2', 'invite', NULL, 'i', NULL, 2, 7, 8)",
            ] {
                tx.execute(sql, &[])?;
            }
            Ok::<(), StoreError>(())
        });
        written.unwrap();
        drop(before);
        let after = Store::open(scratch.path(), MIGRATIONS).unwrap();
        let mails = after.write(|tx| {
            let mut found = Vec::new();
            while let Some(mail) = next(tx, UnixMillis::from_ms(100))? {
                delete(tx, &mail.id)?;
                found.push((
                    mail.id,
                    mail.kind,
                    mail.user_id.or(mail.invite_id),
                    mail.address,
                    (mail.attempts, mail.created_at.ms(), mail.due_at.ms()),
                ));
            }
            Ok::<_, StoreError>(found)
        });
        let text = |text: &str| text.to_owned();
        assert_eq!(
            mails.unwrap(),
            [
                (text("m2"), text("invite"), Some(text("i")), None, (2, 7, 8)),
                (
                    text("m1"),
                    text("reset_password"),
                    Some(text("u")),
                    Some(text("::1")),
                    (3, 4, 5)
                ),
            ]
        );
    }
}
