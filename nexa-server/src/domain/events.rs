//! Events: what programs of a tenant are told of, each written in the transaction of what it tells.

use nexa_core::uuid_v7_from;

use super::error::Error;
use super::principal::Member;
use crate::store::api_keys::ApiKey;
use crate::store::events::{self, EventRow};
use crate::store::licenses::License;
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// How long events are kept, in seconds: as long as somebody may ask again what was told.
pub(super) const KEPT_S: i64 = 30 * 24 * 3600;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    KeyCreated(KeyNamed),
    KeyRotated {
        key: KeyNamed,
        /// How long the value before still passes; none: it is dead.
        old_until: Option<UnixMillis>,
    },
    /// A value that a rotation has replaced has ended: it stood where others can read it. The key lives with the value that it
    /// has, so programs are told of the end of its rotation.
    OldValueLeaked {
        key: KeyNamed,
        url: Option<String>,
    },
    KeyRevoked {
        key: KeyNamed,
        reason: KeyEnd,
    },
    /// An agent's secret has ended: it stood where others can read it.
    SecretLeaked {
        url: Option<String>,
    },
    LicenseIssued(LicenseNamed),
    LicenseRevoked {
        license: LicenseNamed,
        reason: Option<String>,
    },
    CreditsLow {
        left_mc: i64,
    },
}

/// A key, as far as an event names it: never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyNamed {
    pub(crate) id: String,
    /// Whose key it is.
    pub(crate) user_id: String,
    pub(crate) name: String,
    /// What its value begins with.
    pub(crate) prefix: String,
}

/// A licence, as far as an event names it: never its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LicenseNamed {
    pub(crate) jti: String,
    /// Who had it issued; none once they have left.
    pub(crate) user_id: Option<String>,
    pub(crate) app_id: String,
    pub(crate) expires_at: UnixMillis,
}

/// Why a key has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyEnd {
    /// Somebody who manages it has deleted it.
    Deleted,
    /// Whose key it was has left, or was never who the address belongs to.
    OwnerGone,
    /// It stood where others can read it.
    Leaked { url: Option<String> },
}

/// An event that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToldEvent {
    /// Its place in the order of all events.
    pub(crate) seq: i64,
    pub(crate) id: String,
    /// Whom it was told: no event of one tenant passes as another's.
    pub(crate) tenant_id: String,
    pub(crate) at: UnixMillis,
    pub(crate) event: Event,
}

impl From<&ApiKey> for KeyNamed {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.clone(),
            user_id: key.user_id.clone(),
            name: key.name.clone(),
            prefix: key.prefix.clone(),
        }
    }
}

impl From<&License> for LicenseNamed {
    fn from(license: &License) -> Self {
        Self {
            jti: license.jti.clone(),
            user_id: license.user_id.clone(),
            app_id: license.app_id.clone(),
            expires_at: license.expires_at,
        }
    }
}

/// Tells a tenant's programs of an event, in the transaction of what it tells. A tenant that is disabled or being erased is
/// told nothing.
pub(crate) fn tell(
    tx: &Tx<'_>,
    now: UnixMillis,
    tenant_id: &str,
    event: &Event,
) -> Result<(), Error> {
    let id = uuid_v7_from(now.unsigned_ms(), tx.salt()?);
    events::insert(tx, &event.row(id, now, tenant_id))?;
    Ok(())
}

/// Where the events that are told from now on begin.
pub(crate) fn newest_seq(store: &Store) -> Result<i64, Error> {
    Ok(store.read(events::newest_seq)?)
}

/// Events of a tenant behind a place, oldest first, at most `limit`.
pub(crate) fn after(
    tx: &Tx<'_>,
    tenant_id: &str,
    after_seq: i64,
    limit: u32,
) -> Result<Vec<ToldEvent>, Error> {
    let rows = events::list_after(tx, tenant_id, after_seq, limit)?;
    rows.into_iter().map(ToldEvent::read).collect()
}

/// One event of a tenant.
pub(crate) fn find(tx: &Tx<'_>, tenant_id: &str, id: &str) -> Result<Option<ToldEvent>, Error> {
    let row = events::find(tx, tenant_id, id)?;
    row.map(ToldEvent::read).transpose()
}

impl ToldEvent {
    /// Whether that member may see it: whoever does not manage the tenant sees what is about their own keys and licences.
    pub(crate) fn is_seen_by(&self, member: &Member) -> bool {
        let whose = match &self.event {
            Event::KeyCreated(key)
            | Event::KeyRotated { key, .. }
            | Event::OldValueLeaked { key, .. }
            | Event::KeyRevoked { key, .. } => Some(key.user_id.as_str()),
            Event::LicenseIssued(license) | Event::LicenseRevoked { license, .. } => {
                license.user_id.as_deref()
            }
            Event::SecretLeaked { .. } | Event::CreditsLow { .. } => None,
        };
        member.role.manages_tenant() || whose == Some(member.user_id.as_str())
    }

    fn read((seq, row): (i64, EventRow)) -> Result<Self, Error> {
        let (id, tenant_id, at) = (row.id.clone(), row.tenant_id.clone(), row.at);
        let event = Event::read(row).ok_or_else(|| {
            Error::Fault(format!("event {id} in the store is none of this version's"))
        })?;
        Ok(Self {
            seq,
            id,
            tenant_id,
            at,
            event,
        })
    }
}

const DELETED: &str = "deleted";
const OWNER_GONE: &str = "owner_gone";
pub(crate) const LEAKED: &str = "leaked";

impl KeyEnd {
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Deleted => DELETED,
            Self::OwnerGone => OWNER_GONE,
            Self::Leaked { .. } => LEAKED,
        }
    }
}

impl Event {
    /// Its type, as programs know it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::KeyCreated(_) => "key.created",
            Self::KeyRotated { .. } | Self::OldValueLeaked { .. } => "key.rotated",
            Self::KeyRevoked { .. } => "key.revoked",
            Self::SecretLeaked { .. } => "secret.revoked",
            Self::LicenseIssued(_) => "license.issued",
            Self::LicenseRevoked { .. } => "license.revoked",
            Self::CreditsLow { .. } => "credits.low",
        }
    }

    fn row(&self, id: String, at: UnixMillis, tenant_id: &str) -> EventRow {
        let mut row = EventRow {
            id,
            tenant_id: tenant_id.to_owned(),
            user_id: None,
            kind: self.kind().to_owned(),
            subject_id: None,
            name: None,
            prefix: None,
            app_id: None,
            reason: None,
            found_at_url: None,
            ends_at: None,
            left_mc: None,
            at,
        };
        match self {
            Self::KeyCreated(key)
            | Self::KeyRotated { key, .. }
            | Self::OldValueLeaked { key, .. }
            | Self::KeyRevoked { key, .. } => {
                row.user_id = Some(key.user_id.clone());
                row.subject_id = Some(key.id.clone());
                row.name = Some(key.name.clone());
                row.prefix = Some(key.prefix.clone());
            }
            Self::LicenseIssued(license) | Self::LicenseRevoked { license, .. } => {
                row.user_id.clone_from(&license.user_id);
                row.subject_id = Some(license.jti.clone());
                row.app_id = Some(license.app_id.clone());
                row.ends_at = Some(license.expires_at);
            }
            Self::SecretLeaked { url } => row.found_at_url.clone_from(url),
            Self::CreditsLow { left_mc } => row.left_mc = Some(*left_mc),
        }
        match self {
            Self::KeyRotated { old_until, .. } => row.ends_at = *old_until,
            Self::OldValueLeaked { url, .. } => {
                row.reason = Some(LEAKED.to_owned());
                row.found_at_url.clone_from(url);
            }
            Self::KeyRevoked { reason, .. } => {
                row.reason = Some(reason.as_str().to_owned());
                if let KeyEnd::Leaked { url } = reason {
                    row.found_at_url.clone_from(url);
                }
            }
            Self::LicenseRevoked { reason, .. } => row.reason.clone_from(reason),
            Self::KeyCreated(_)
            | Self::SecretLeaked { .. }
            | Self::LicenseIssued(_)
            | Self::CreditsLow { .. } => {}
        }
        row
    }

    /// What a stored row says; `None` for what no version has written.
    fn read(row: EventRow) -> Option<Self> {
        let EventRow {
            kind,
            user_id,
            subject_id,
            name,
            prefix,
            app_id,
            reason,
            found_at_url,
            ends_at,
            left_mc,
            ..
        } = row;
        match kind.as_str() {
            "credits.low" => return left_mc.map(|left_mc| Self::CreditsLow { left_mc }),
            "secret.revoked" => return Some(Self::SecretLeaked { url: found_at_url }),
            _ => {}
        }
        let id = subject_id?;
        if let Some(app_id) = app_id {
            let license = LicenseNamed {
                jti: id,
                user_id,
                app_id,
                expires_at: ends_at?,
            };
            return match kind.as_str() {
                "license.issued" => Some(Self::LicenseIssued(license)),
                "license.revoked" => Some(Self::LicenseRevoked { license, reason }),
                _ => None,
            };
        }
        let key = KeyNamed {
            id,
            user_id: user_id?,
            name: name?,
            prefix: prefix?,
        };
        match kind.as_str() {
            "key.created" => Some(Self::KeyCreated(key)),
            "key.rotated" => match reason.as_deref() {
                None => Some(Self::KeyRotated {
                    key,
                    old_until: ends_at,
                }),
                Some(LEAKED) => Some(Self::OldValueLeaked {
                    key,
                    url: found_at_url,
                }),
                Some(_) => None,
            },
            "key.revoked" => {
                let reason = match reason?.as_str() {
                    DELETED => KeyEnd::Deleted,
                    OWNER_GONE => KeyEnd::OwnerGone,
                    LEAKED => KeyEnd::Leaked { url: found_at_url },
                    _ => return None,
                };
                Some(Self::KeyRevoked { key, reason })
            }
            _ => None,
        }
    }
}
