//! Agents: tenants of programs, each with one backend user, an API key, a secret and a trial balance.

use nexa_core::{KeyDigest, KeyFormat, PlainKey, uuid_v7};
use rand_core::CryptoRng;

use super::audit::{self, Act, Origin};
use super::credits::{self, Account, Balance, Trial};
use super::email::EmailAddress;
use super::error::Error;
use super::events::{self, Event};
use super::keys::{self, Expiry, KeyFields, KeyPolicy, KeyTerms, NewKey};
use super::notices::{self, TrialOf};
use super::principal::{Member, Role, Via};
use super::tariff::Tariff;
use super::{fields, web_url, webhooks};
use crate::store::agents::{self, Agent};
use crate::store::api_keys::ApiKey;
use crate::store::leaked_values;
use crate::store::tenants::{self, Tenant};
use crate::store::users::{self, User};
use crate::store::{StoreError, Tx};
use crate::time::UnixMillis;

/// What the operator has laid down for agents.
#[derive(Clone, Debug)]
pub(crate) struct AgentPolicy {
    /// Who agents without a referral code are assigned to.
    pub(crate) default_agent: String,
    /// Each code once.
    pub(crate) referrals: Vec<Referral>,
    /// In millicents, not negative.
    pub(crate) trial_mc: i64,
    pub(crate) trial_days: u32,
}

/// A code, and the agent that whoever brings it is assigned to.
#[derive(Clone, Debug)]
pub(crate) struct Referral {
    pub(crate) code: String,
    pub(crate) agent: String,
}

/// What a registration may say.
pub(crate) struct AgentFields<'a> {
    pub(crate) name: &'a str,
    pub(crate) contact_email: Option<&'a str>,
    pub(crate) webhook_url: Option<&'a str>,
    pub(crate) description: Option<&'a str>,
    pub(crate) referral_code: Option<&'a str>,
}

/// A registration whose fields hold, with the credentials that are shown once.
pub(crate) struct NewAgent {
    pub(crate) api_key: PlainKey,
    pub(crate) api_secret: PlainKey,
    pub(crate) referral: Option<Referral>,
    pub(crate) trial: Trial,
    tenant: Tenant,
    user: User,
    agent: Agent,
    key: ApiKey,
}

const SECRET_PREFIX: &str = "nxs_";
/// The prefix and 32 characters.
const SECRET_FORMAT: KeyFormat = match KeyFormat::new(SECRET_PREFIX, 26) {
    Ok(format) => format,
    Err(_) => panic!("a prefix and a length within their bounds"),
};
const FIRST_SECRET: i64 = 1;
const NOUN: &str = "Agent account";
const SECONDS_A_DAY: i64 = 24 * 3600;

impl NewAgent {
    /// Checks the fields and draws the credentials.
    ///
    /// # Errors
    /// `Invalid` naming the field.
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        policy: &AgentPolicy,
        key_policy: &KeyPolicy,
        fields: &AgentFields<'_>,
    ) -> Result<Self, Error> {
        let name = name(fields.name)?;
        let referral = fields
            .referral_code
            .map(|code| policy.referral(code))
            .transpose()?;
        let tenant_id = uuid_v7(now.unsigned_ms(), rng);
        let user = User {
            id: uuid_v7(now.unsigned_ms(), rng),
            tenant_id: tenant_id.clone(),
            email: None,
            email_given: None,
            email_verified_at: None,
            password_hash: None,
            role: Role::Owner.as_str().to_owned(),
            session_version: 1,
            created_at: now,
            is_active: true,
        };
        // The key comes from no credential: it is the first one.
        let owner = Member {
            tenant_id: tenant_id.clone(),
            user_id: user.id.clone(),
            role: Role::Owner,
            via: Via::Secret {
                key_id: String::new(),
                value: 0,
                version: FIRST_SECRET,
            },
        };
        let key_fields = KeyFields {
            format: KeyFormat::NEXA,
            name: &name,
            scopes: None,
            expiry: Expiry::Never,
            terms: KeyTerms::default(),
        };
        let NewKey {
            plain: api_key,
            row: key,
        } = NewKey::new(now, rng, &owner, key_policy, key_fields)?;
        let api_secret = SECRET_FORMAT.generate(rng);
        let agent = Agent {
            tenant_id: tenant_id.clone(),
            contact_email: fields.contact_email.map(contact_email).transpose()?,
            webhook_url: fields.webhook_url.map(webhook_url).transpose()?,
            webhook_gone_at: None,
            description: fields.description.map(description).transpose()?,
            referral_code: referral.as_ref().map(|referral| referral.code.clone()),
            referral_agent: referral.as_ref().map_or_else(
                || policy.default_agent.clone(),
                |referral| referral.agent.clone(),
            ),
            secret_digest: api_secret.digest().to_bytes(),
            secret_version: FIRST_SECRET,
        };
        let trial = Trial {
            period_id: uuid_v7(now.unsigned_ms(), rng),
            amount_mc: policy.trial_mc,
            ends_at: now.plus_seconds(i64::from(policy.trial_days) * SECONDS_A_DAY),
        };
        let tenant = Tenant {
            id: tenant_id,
            name,
            kind: "agent".to_owned(),
            created_at: now,
        };
        Ok(Self {
            api_key,
            api_secret,
            referral,
            trial,
            tenant,
            user,
            agent,
            key,
        })
    }

    pub(crate) fn tenant_id(&self) -> &str {
        &self.tenant.id
    }

    pub(crate) fn user_id(&self) -> &str {
        &self.user.id
    }
}

/// Adds the agent: tenant, user, key, secret and trial balance, with a notice of its end, or nothing.
pub(crate) fn register(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tariff: &Tariff,
    new: &NewAgent,
) -> Result<(), Error> {
    tenants::insert(tx, &new.tenant)?;
    users::insert(tx, &new.user)?;
    agents::insert(tx, &new.agent)?;
    record(tx, now, origin, Act::AgentRegistered, &new.tenant.id)?;
    keys::create(tx, now, origin, &new.key, &new.api_key.digest())?;
    let (tenant_id, trial) = (&new.tenant.id, &new.trial);
    credits::grant_trial(tx, now, tariff, tenant_id, trial)?;
    let period_id = &trial.period_id;
    let of = TrialOf::Credits { period_id };
    notices::tell_of_trial(tx, now, tenant_id, of, trial.ends_at)
}

/// An agent as it may see itself.
pub(crate) struct AgentInfo {
    pub(crate) tenant: Tenant,
    pub(crate) agent: Agent,
    /// While the trial lasts.
    pub(crate) trial: Option<Balance>,
}

/// The calling agent.
///
/// # Errors
/// `NotFound` for a tenant of people; `Forbidden` for a user who does not manage the tenant.
pub(crate) fn info(
    tx: &Tx<'_>,
    now: UnixMillis,
    tariff: &Tariff,
    member: &Member,
) -> Result<AgentInfo, Error> {
    let agent = managed(tx, member)?;
    let tenant = tenants::find(tx, &member.tenant_id)?.ok_or(StoreError::NoRow)?;
    // What would have to be written first is the end of it.
    let account = Account::open_settled(tx, now, tariff, &member.tenant_id)?;
    let balance = account.map(|account| account.balance());
    Ok(AgentInfo {
        trial: balance.filter(Balance::is_of_trial),
        tenant,
        agent,
    })
}

/// What an agent wants changed: `None` leaves a field, `Some(None)` clears it.
pub(crate) struct AgentChanges {
    pub(crate) name: Option<Option<String>>,
    pub(crate) contact_email: Option<Option<String>>,
    pub(crate) webhook_url: Option<Option<String>>,
    pub(crate) description: Option<Option<String>>,
}

/// Changes the calling agent; answers what it is then.
///
/// # Errors
/// `Invalid` naming the field; otherwise as [`info`].
pub(crate) fn update(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tariff: &Tariff,
    changes: &AgentChanges,
) -> Result<AgentInfo, Error> {
    let member = origin.principal.member()?;
    let mut agent = managed(tx, member)?;
    keys::require_current(member)?;
    match &changes.name {
        None => {}
        Some(None) => return Err(Error::invalid("name", "must not be null")),
        Some(Some(text)) => tenants::rename(tx, &agent.tenant_id, &name(text)?)?,
    }
    merge(
        &mut agent.contact_email,
        &changes.contact_email,
        contact_email,
    )?;
    merge(&mut agent.webhook_url, &changes.webhook_url, webhook_url)?;
    merge(&mut agent.description, &changes.description, description)?;
    if changes.webhook_url.is_some() {
        webhooks::url_was_set(tx, &mut agent)?;
    }
    agents::update(tx, &agent)?;
    record(tx, now, origin, Act::AgentUpdated, &agent.tenant_id)?;
    info(tx, now, tariff, member)
}

/// Draws a secret that [`rotate_secret`] has yet to put in the place of the old one.
pub(crate) fn new_secret(rng: &mut dyn CryptoRng) -> PlainKey {
    SECRET_FORMAT.generate(rng)
}

/// Replaces the calling agent's secret. Every token of the old one is dead with it, since a token names the version of its
/// secret and is compared with the store at each use; the API key stays.
///
/// # Errors
/// As [`info`].
pub(crate) fn rotate_secret(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    digest: &KeyDigest,
) -> Result<(), Error> {
    let member = origin.principal.member()?;
    let agent = managed(tx, member)?;
    keys::require_current(member)?;
    agents::replace_secret(tx, &agent.tenant_id, &digest.to_bytes())?;
    record(tx, now, origin, Act::AgentSecretRotated, &agent.tenant_id)
}

/// Ends a secret that was found where others can read it, and with it every token of it. Whoever manages the agent asks for
/// another one with its key.
pub(crate) fn end_leaked_secret(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tenant_id: &str,
    digest: &KeyDigest,
    url: Option<&str>,
) -> Result<(), Error> {
    /// Of no secret that anybody could find.
    const NOBODYS: [u8; 32] = [0; 32];
    let digest = digest.to_bytes();
    if agents::tenant_of_secret(tx, &digest)?.as_deref() != Some(tenant_id) {
        return Ok(());
    }
    leaked_values::insert(tx, now, &digest)?;
    agents::replace_secret(tx, tenant_id, &NOBODYS)?;
    record(tx, now, origin, Act::AgentSecretLeaked, tenant_id)?;
    let event = Event::SecretLeaked {
        url: url.map(str::to_owned),
    };
    events::tell(tx, now, tenant_id, &event)?;
    notices::tell_of_leaked_secret(tx, now, tenant_id, SECRET_PREFIX, url)
}

/// The member's agent, if it manages it.
pub(super) fn managed(tx: &Tx<'_>, member: &Member) -> Result<Agent, Error> {
    let agent = agents::find(tx, &member.tenant_id)?.ok_or(Error::NotFound { noun: NOUN })?;
    if member.role.manages_tenant() {
        Ok(agent)
    } else {
        Err(Error::Forbidden {
            rule: "This needs an owner or an admin of the agent account",
        })
    }
}

fn record(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    act: Act,
    tenant_id: &str,
) -> Result<(), Error> {
    audit::record(tx, now, origin, act, Some(tenant_id), Some(tenant_id))
}

impl AgentPolicy {
    /// The referral of a code, byte for byte.
    fn referral(&self, code: &str) -> Result<Referral, Error> {
        self.referrals
            .iter()
            .find(|referral| referral.code == code)
            .cloned()
            .ok_or_else(|| Error::invalid("referral_code", "unknown code"))
    }
}

/// A display name of 2 to 100 characters.
fn name(text: &str) -> Result<String, Error> {
    let name = fields::name("name", text)?;
    match name.chars().count() {
        0 | 1 => Err(Error::invalid("name", "at least 2 characters")),
        _ => Ok(name),
    }
}

fn contact_email(text: &str) -> Result<String, Error> {
    match EmailAddress::parse(text) {
        Ok(address) => Ok(address.given),
        Err(Error::Invalid { rule, .. }) => Err(Error::invalid("contact_email", rule)),
        Err(error) => Err(error),
    }
}

fn webhook_url(text: &str) -> Result<String, Error> {
    web_url::check("webhook_url", text)?;
    Ok(text.to_owned())
}

fn description(text: &str) -> Result<String, Error> {
    const CHARACTERS_MAX: usize = 500;
    fields::lines_up_to("description", text, CHARACTERS_MAX)
}

fn merge(
    field: &mut Option<String>,
    change: &Option<Option<String>>,
    check: fn(&str) -> Result<String, Error>,
) -> Result<(), Error> {
    if let Some(text) = change {
        *field = text.as_deref().map(check).transpose()?;
    }
    Ok(())
}
