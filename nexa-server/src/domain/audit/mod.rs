//! The audit trail: every security-relevant act, written in the transaction of its effect, each chained to the one
//! before it.

mod adopt;
mod chain;
pub(crate) mod checkpoint;
pub(crate) mod listing;
pub(crate) mod verify;

use std::net::IpAddr;

use super::error::Error;
use super::principal::{Principal, Via};
use crate::store::audit::{self, Event, Personal, Seal};
use crate::store::{Announcement, Store, Tx};
use crate::time::UnixMillis;

pub(crate) use adopt::adopt;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    AccountRegistered,
    AgentRegistered,
    AgentUpdated,
    AgentSecretRotated,
    AgentSecretLeaked,
    AgentSecretRefused,
    AgentTokenIssued,
    IdentityExchanged,
    SessionOpened,
    SessionEnded,
    LoginFailed,
    TenantEnabled,
    TenantDisabled,
    UserEnabled,
    UserDisabled,
    KeyCreated,
    KeyChanged,
    KeyRotated,
    KeyValueEnded,
    KeyDeleted,
    LicenseIssued,
    LicenseRevoked,
    OperatorKeyCreated,
    OperatorKeyDeleted,
    OperatorKeyLeaked,
    AccountRegisteredAgain,
    KeysDeleted,
    KeysImported,
    /// Somebody has found it where others can read it; it is dead.
    KeyLeaked,
    KeysExported,
    LicensesRevoked,
    SessionReused,
    SessionsEnded,
    PasswordChanged,
    PasswordRefused,
    PasswordResetRequested,
    PasswordReset,
    EmailVerified,
    AddressGivenUp,
    InviteCreated,
    InviteWithdrawn,
    InviteAccepted,
    MemberRoleChanged,
    MembersDemoted,
    MemberRemoved,
    AccountExported,
    AccountErased,
    /// Events of a tenant may be erased only if its trail has this one.
    ErasureBegun,
    DeviceReleased,
    LicenseRenewed,
    AppCreated,
    AppChanged,
    AppDeleted,
    TenantPlanChanged,
    ServerKeyAdded,
    ServerKeySigns,
    ServerKeyRevoked,
    KeySetImported,
    PaymentBegun,
    PaymentReceived,
    PaymentFailed,
    PaymentReversed,
    SubscriptionBegun,
    SubscriptionRenewed,
    SubscriptionCanceled,
    SubscriptionEnded,
    AutoRechargeChanged,
    CreditsGranted,
}

/// Who acted and from where: what every event of one call shares.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) principal: Principal,
    /// The client's address; none for acts of the command line, or when a proxy names it in a way that cannot be read.
    pub(crate) address: Option<IpAddr>,
}

/// Appends one event about `subject_id`; whoever holds credentials open hears of what may have weakened them.
pub(crate) fn record(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    act: Act,
    tenant_id: Option<&str>,
    subject_id: Option<&str>,
) -> Result<(), Error> {
    let (actor_kind, actor_id) = match &origin.principal {
        Principal::Anyone => ("anyone", None),
        Principal::Machine => ("machine", None),
        Principal::Operator { key_id } => ("operator", Some(key_id.as_str())),
        Principal::License(holder) => ("license", Some(holder.jti.as_str())),
        Principal::Member(member) => match &member.via {
            Via::Session { .. } => ("user", Some(member.user_id.as_str())),
            Via::Key { id, .. } => ("key", Some(id.as_str())),
            Via::Secret { key_id, .. } => ("secret", Some(key_id.as_str())),
            Via::Issuer { identity, .. } => ("issuer", Some(identity.as_str())),
            Via::Program => ("machine", None),
        },
    };
    let user_id = match &origin.principal {
        Principal::Member(member) => Some(member.user_id.as_str()),
        Principal::License(holder) => holder.user_id.as_deref(),
        Principal::Anyone | Principal::Machine | Principal::Operator { .. } => None,
    };
    if act.may_weaken() {
        tx.announce(Announcement::Weakened {
            tenant_id: tenant_id.map(str::to_owned),
        });
    }
    let address = origin.address.map(|address| address.to_string());
    let (seq, before) = match audit::head(tx)? {
        None => (1, chain::START),
        Some(head) => (head.seq.saturating_add(1), head.hash.ok_or_else(unchained)?),
    };
    let event = Event {
        seq,
        at: now,
        tenant_id,
        actor_kind,
        act: act.name(),
        personal: Personal {
            actor_id,
            user_id,
            subject_id,
            address: address.as_deref(),
        },
    };
    Ok(audit::append(tx, &event, &seal(tx, &event, &before)?)?)
}

/// Erases what is personal in all events of a tenant: who acted, on what, from which address. What happened and when
/// stays, and so does the chain. It is done in turns of the writer that keep nobody waiting for long.
///
/// Events that name no tenant, such as a log-in with an unknown address, are not reached.
pub(crate) fn erase_tenant(store: &Store, tenant_id: &str) -> Result<(), Error> {
    const PART: u32 = 1_000;
    let mut last = None;
    loop {
        let id = tenant_id.to_owned();
        last = store.write(move |tx| audit::erase_part(tx, &id, last, PART))?;
        if last.is_none() {
            return Ok(());
        }
    }
}

/// Chains an event to the one before it.
fn seal(tx: &Tx<'_>, event: &Event<'_>, before: &[u8; 32]) -> Result<Seal, Error> {
    let salt = tx.salt()?;
    let commitment = chain::commitment(&salt, &event.personal);
    Ok(Seal {
        salt,
        commitment,
        hash: chain::hash(event, &commitment, before),
    })
}

/// Something was recorded before [`adopt()`] was done.
fn unchained() -> Error {
    Error::Fault("the audit trail is not chained yet".to_owned())
}

impl Act {
    /// Whether a credential may be worth less after it than before: that of a tenant's users and agents, or, where the
    /// event names no tenant, anybody's.
    const fn may_weaken(self) -> bool {
        match self {
            Self::AgentSecretRotated
            | Self::AgentSecretLeaked
            | Self::SessionEnded
            | Self::SessionReused
            | Self::SessionsEnded
            | Self::TenantDisabled
            | Self::UserDisabled
            | Self::KeyChanged
            | Self::KeyRotated
            | Self::KeyValueEnded
            | Self::KeyDeleted
            | Self::KeysDeleted
            | Self::KeyLeaked
            | Self::PasswordChanged
            | Self::PasswordReset
            | Self::AddressGivenUp
            | Self::InviteAccepted
            | Self::MemberRoleChanged
            | Self::MembersDemoted
            | Self::MemberRemoved
            | Self::AccountErased
            | Self::ErasureBegun
            | Self::ServerKeyRevoked
            | Self::KeySetImported => true,
            Self::AccountRegistered
            | Self::AccountRegisteredAgain
            | Self::AgentRegistered
            | Self::AgentUpdated
            | Self::AgentSecretRefused
            | Self::AgentTokenIssued
            | Self::IdentityExchanged
            | Self::SessionOpened
            | Self::LoginFailed
            | Self::TenantEnabled
            | Self::UserEnabled
            | Self::KeyCreated
            | Self::KeysImported
            | Self::KeysExported
            | Self::LicenseIssued
            | Self::LicenseRevoked
            | Self::OperatorKeyCreated
            | Self::OperatorKeyDeleted
            | Self::OperatorKeyLeaked
            | Self::LicensesRevoked
            | Self::PasswordRefused
            | Self::PasswordResetRequested
            | Self::EmailVerified
            | Self::InviteCreated
            | Self::InviteWithdrawn
            | Self::AccountExported
            | Self::DeviceReleased
            | Self::LicenseRenewed
            | Self::AppCreated
            | Self::AppChanged
            | Self::AppDeleted
            | Self::TenantPlanChanged
            | Self::ServerKeyAdded
            | Self::ServerKeySigns
            | Self::PaymentBegun
            | Self::PaymentReceived
            | Self::PaymentFailed
            | Self::PaymentReversed
            | Self::SubscriptionBegun
            | Self::SubscriptionRenewed
            | Self::SubscriptionCanceled
            | Self::SubscriptionEnded
            | Self::AutoRechargeChanged
            | Self::CreditsGranted => false,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::AccountRegistered => "account.registered",
            Self::AgentRegistered => "agent.registered",
            Self::AgentUpdated => "agent.updated",
            Self::AgentSecretRotated => "agent.secret_rotated",
            Self::AgentSecretLeaked => "agent.secret_leaked",
            Self::AgentSecretRefused => "agent.secret_refused",
            Self::AgentTokenIssued => "agent.token_issued",
            Self::IdentityExchanged => "identity.exchanged",
            Self::SessionOpened => "session.opened",
            Self::SessionEnded => "session.ended",
            Self::LoginFailed => "login.failed",
            Self::TenantEnabled => "tenant.enabled",
            Self::TenantDisabled => "tenant.disabled",
            Self::UserEnabled => "user.enabled",
            Self::UserDisabled => "user.disabled",
            Self::KeyCreated => "key.created",
            Self::KeyChanged => "key.changed",
            Self::KeyRotated => "key.rotated",
            Self::KeyValueEnded => "key.value_ended",
            Self::KeyDeleted => "key.deleted",
            Self::LicenseIssued => "license.issued",
            Self::LicenseRevoked => "license.revoked",
            Self::OperatorKeyCreated => "operator_key.created",
            Self::OperatorKeyDeleted => "operator_key.deleted",
            Self::OperatorKeyLeaked => "operator_key.leaked",
            Self::AccountRegisteredAgain => "account.registered_again",
            Self::KeysDeleted => "keys.deleted",
            Self::KeyLeaked => "key.leaked",
            Self::KeysImported => "keys.imported",
            Self::KeysExported => "keys.exported",
            Self::LicensesRevoked => "licenses.revoked",
            Self::SessionReused => "session.reused",
            Self::SessionsEnded => "sessions.ended",
            Self::PasswordChanged => "password.changed",
            Self::PasswordRefused => "password.refused",
            Self::PasswordResetRequested => "password.reset_requested",
            Self::PasswordReset => "password.reset",
            Self::EmailVerified => "email.verified",
            Self::AddressGivenUp => "email.given_up",
            Self::InviteCreated => "invite.created",
            Self::InviteWithdrawn => "invite.withdrawn",
            Self::InviteAccepted => "invite.accepted",
            Self::MemberRoleChanged => "member.role_changed",
            Self::MembersDemoted => "members.demoted",
            Self::MemberRemoved => "member.removed",
            Self::AccountExported => "account.exported",
            Self::AccountErased => "account.erased",
            Self::ErasureBegun => "account.erasure_begun",
            Self::DeviceReleased => "device.released",
            Self::LicenseRenewed => "license.renewed",
            Self::AppCreated => "app.created",
            Self::AppChanged => "app.changed",
            Self::AppDeleted => "app.deleted",
            Self::TenantPlanChanged => "tenant.plan_changed",
            Self::ServerKeyAdded => "server_key.added",
            Self::ServerKeySigns => "server_key.signs",
            Self::ServerKeyRevoked => "server_key.revoked",
            Self::KeySetImported => "key_set.imported",
            Self::PaymentBegun => "payment.begun",
            Self::PaymentReceived => "payment.received",
            Self::PaymentFailed => "payment.failed",
            Self::PaymentReversed => "payment.reversed",
            Self::SubscriptionBegun => "subscription.begun",
            Self::SubscriptionRenewed => "subscription.renewed",
            Self::SubscriptionCanceled => "subscription.canceled",
            Self::SubscriptionEnded => "subscription.ended",
            Self::AutoRechargeChanged => "auto_recharge.changed",
            Self::CreditsGranted => "credits.granted",
        }
    }
}
