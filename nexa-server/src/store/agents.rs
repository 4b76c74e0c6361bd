//! Rows of agents: what an agent's tenant has beyond other tenants.

use super::{StoreError, Tx};
use crate::time::UnixMillis;

pub(crate) struct Agent {
    pub(crate) tenant_id: String,
    pub(crate) contact_email: Option<String>,
    pub(crate) webhook_url: Option<String>,
    /// When the receiver there said that it is gone: nothing goes there any more.
    pub(crate) webhook_gone_at: Option<UnixMillis>,
    pub(crate) description: Option<String>,
    /// `None` for an agent that sent no code.
    pub(crate) referral_code: Option<String>,
    /// The agent that it is assigned to.
    pub(crate) referral_agent: String,
    /// SHA-256 of the `api_secret`.
    pub(crate) secret_digest: [u8; 32],
    /// Counts the secrets: a token names the one it came from.
    pub(crate) secret_version: i64,
}

pub(crate) fn insert(tx: &Tx<'_>, agent: &Agent) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO agents (tenant_id, contact_email, webhook_url, description, referral_code, referral_agent, secret_digest, secret_version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            (&agent.tenant_id).into(),
            agent.contact_email.as_deref().into(),
            agent.webhook_url.as_deref().into(),
            agent.description.as_deref().into(),
            agent.referral_code.as_deref().into(),
            (&agent.referral_agent).into(),
            (&agent.secret_digest).into(),
            agent.secret_version.into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn find(tx: &Tx<'_>, tenant_id: &str) -> Result<Option<Agent>, StoreError> {
    tx.optional(
        "SELECT tenant_id, contact_email, webhook_url, description, referral_code, referral_agent, secret_digest, secret_version, webhook_gone_at_ms
         FROM agents WHERE tenant_id = ?1",
        &[tenant_id.into()],
        |row| {
            Ok(Agent {
                tenant_id: row.text(0)?,
                contact_email: row.optional_text(1)?,
                webhook_url: row.optional_text(2)?,
                description: row.optional_text(3)?,
                referral_code: row.optional_text(4)?,
                referral_agent: row.text(5)?,
                secret_digest: row.array(6)?,
                secret_version: row.int(7)?,
                webhook_gone_at: row.optional_int(8)?.map(UnixMillis::from_ms),
            })
        },
    )
}

/// The agent that has that secret.
pub(crate) fn tenant_of_secret(
    tx: &Tx<'_>,
    secret_digest: &[u8; 32],
) -> Result<Option<String>, StoreError> {
    let found = tx.all(
        "SELECT tenant_id FROM agents WHERE secret_digest = ?1 LIMIT 1",
        &[secret_digest.into()],
        |row| row.text(0),
    )?;
    Ok(found.into_iter().next())
}

/// Writes what an agent may change of itself.
pub(crate) fn update(tx: &Tx<'_>, agent: &Agent) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE agents SET contact_email = ?2, webhook_url = ?3, description = ?4, webhook_gone_at_ms = ?5 WHERE tenant_id = ?1",
        &[
            (&agent.tenant_id).into(),
            agent.contact_email.as_deref().into(),
            agent.webhook_url.as_deref().into(),
            agent.description.as_deref().into(),
            agent.webhook_gone_at.map(UnixMillis::ms).into(),
        ],
    )?;
    Ok(())
}

/// Notes that the receiver at that URL is gone; false when the agent has another one by now, or has noted it.
pub(crate) fn set_webhook_gone(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    url: &str,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE agents SET webhook_gone_at_ms = ?3 WHERE tenant_id = ?1 AND webhook_url = ?2 AND webhook_gone_at_ms IS NULL",
        &[tenant_id.into(), url.into(), now.ms().into()],
    )?;
    Ok(changed > 0)
}

/// Notes whether the last attempt at its receiver failed or took long.
pub(crate) fn set_webhook_degraded(
    tx: &Tx<'_>,
    tenant_id: &str,
    is_degraded: bool,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE agents SET webhook_is_degraded = ?2 WHERE tenant_id = ?1 AND webhook_is_degraded <> ?2",
        &[tenant_id.into(), i64::from(is_degraded).into()],
    )?;
    Ok(())
}

/// Puts a new secret in the place of the old one, under the next version.
pub(crate) fn replace_secret(
    tx: &Tx<'_>,
    tenant_id: &str,
    secret_digest: &[u8; 32],
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE agents SET secret_digest = ?2, secret_version = secret_version + 1 WHERE tenant_id = ?1",
        &[tenant_id.into(), secret_digest.into()],
    )?;
    Ok(())
}

/// Ends every token of the secret, which stays; does nothing for a tenant of people.
pub(crate) fn raise_secret_version(tx: &Tx<'_>, tenant_id: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE agents SET secret_version = secret_version + 1 WHERE tenant_id = ?1",
        &[tenant_id.into()],
    )?;
    Ok(())
}
