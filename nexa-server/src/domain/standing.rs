//! Whether a caller still stands: what every write asks again, in the transaction of its effect.

use nexa_core::KeyDigest;

use super::error::Error;
use super::keys;
use super::license_tokens;
use super::principal::{Principal, Role, Via};
use crate::store::{Tx, agents, api_keys, operator_keys, sessions, users};
use crate::time::UnixMillis;

/// Refuses a principal whose credential has died, or whose role has changed, since the gate let it pass.
///
/// Without this, a request that was on its way when its key was deleted could still leave something behind.
///
/// # Errors
/// `TokenInvalid`, `KeyInvalid` or `LicenseEnded`.
pub(crate) fn require(tx: &Tx<'_>, now: UnixMillis, principal: &Principal) -> Result<(), Error> {
    match principal {
        Principal::Anyone | Principal::Machine => Ok(()),
        Principal::Operator { key_id } => match operator_keys::exists(tx, key_id)? {
            true => Ok(()),
            false => Err(Error::KeyInvalid),
        },
        Principal::License(holder) => license_tokens::require(tx, holder),
        Principal::Member(member) => {
            match role(tx, now, &member.tenant_id, &member.user_id, &member.via)? {
                role if role == member.role => Ok(()),
                _ => Err(refused(&member.via, "role changed")),
            }
        }
    }
}

/// The role that the user has now, if its credential still stands.
///
/// # Errors
/// `TokenInvalid` for an access token, `KeyInvalid` for a key.
pub(super) fn role(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    user_id: &str,
    via: &Via,
) -> Result<Role, Error> {
    let user = users::find(tx, user_id)?
        .filter(|user| user.is_active && user.tenant_id == tenant_id)
        .ok_or_else(|| refused(via, "user or tenant not active"))?;
    let stands = match via {
        Via::Session { id, version } => {
            user.session_version == *version && sessions::is_open(tx, now, id, user_id)?
        }
        Via::Key { id, digest, power } => {
            let found = keys::matching(tx, &KeyDigest::from_bytes(*digest))?;
            found.is_some_and(|found| {
                found.key.id == *id
                    && keys::power(&found) == *power
                    && keys::stands(now, &found).is_ok()
                    && keys::stands_for_its_owner(now, &found.key)
            })
        }
        // That the issuer is still trusted was asked when the token was read: it cannot change while the server runs.
        Via::Issuer { version, .. } => {
            user.session_version == *version && user.role == Role::Owner.as_str()
        }
        Via::Program => user.role == Role::Owner.as_str(),
        Via::Secret {
            key_id,
            value,
            version,
        } => {
            let is_current =
                agents::find(tx, tenant_id)?.is_some_and(|agent| agent.secret_version == *version);
            is_current
                && api_keys::is_current_value(tx, key_id, *value)?
                && api_keys::find(tx, tenant_id, key_id)?.is_some_and(|key| {
                    key.user_id == user_id
                        && keys::stands_for_its_owner(now, &key)
                        // A limit that the key got later would not bind its tokens.
                        && !keys::is_limited(&key)
                })
        }
    };
    if stands {
        Role::parse(&user.role)
    } else {
        Err(refused(via, "session, secret or key ended"))
    }
}

fn refused(via: &Via, reason: &str) -> Error {
    match via {
        Via::Session { .. } | Via::Secret { .. } | Via::Issuer { .. } | Via::Program => {
            Error::TokenInvalid {
                reason: reason.to_owned(),
            }
        }
        Via::Key { .. } => Error::KeyInvalid,
    }
}
