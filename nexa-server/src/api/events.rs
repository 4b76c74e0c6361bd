//! An event as programs read it, in a webhook and on a WebSocket alike.

use serde::Serialize;

use super::base_v1::key_id;
use crate::domain::Error;
use crate::domain::events::{Event, KeyEnd, KeyNamed, LEAKED, LicenseNamed, ToldEvent};
use crate::time::UnixMillis;

/// The members that the Standard Webhooks specification recommends, and the id that repeats are known by.
#[derive(Serialize)]
struct Payload<'a> {
    id: &'a str,
    r#type: &'static str,
    timestamp: UnixMillis,
    /// One key signs the webhooks of all tenants: receivers look here whether an event is theirs.
    tenant_id: &'a str,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Key {
        #[serde(flatten)]
        key: Key<'a>,
    },
    RotatedKey {
        #[serde(flatten)]
        key: Key<'a>,
        /// Until when the value before still passes; null: it is dead.
        old_value_until: Option<UnixMillis>,
        /// Why it is dead, if not by a rotation.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        found_at_url: Option<&'a str>,
    },
    RevokedKey {
        #[serde(flatten)]
        key: Key<'a>,
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        found_at_url: Option<&'a str>,
    },
    RevokedSecret {
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        found_at_url: Option<&'a str>,
    },
    License {
        #[serde(flatten)]
        license: License<'a>,
    },
    RevokedLicense {
        #[serde(flatten)]
        license: License<'a>,
        reason: Option<&'a str>,
    },
    Credits {
        left_millicents: i64,
    },
}

#[derive(Serialize)]
struct Key<'a> {
    /// As on `/api/v1/api-keys` and `/api/users/me/api-keys`.
    key_id: &'a str,
    /// The same, as on `/v1/api-keys`.
    v1_key_id: String,
    user_id: &'a str,
    name: &'a str,
    prefix: &'a str,
}

#[derive(Serialize)]
struct License<'a> {
    jti: &'a str,
    app_id: &'a str,
    user_id: Option<&'a str>,
    expires_at: UnixMillis,
}

/// The event as JSON text.
///
/// # Errors
/// `Fault` for an event about a key whose id is no UUID: none of ours is.
pub(crate) fn payload(told: &ToldEvent) -> Result<String, Error> {
    let payload = Payload {
        id: &told.id,
        r#type: told.event.kind(),
        timestamp: told.at,
        tenant_id: &told.tenant_id,
        data: data(&told.event)?,
    };
    serde_json::to_string(&payload).map_err(|error| Error::Fault(format!("event: {error}")))
}

/// As [`payload`], as a value.
///
/// # Errors
/// As [`payload`].
pub(crate) fn value(told: &ToldEvent) -> Result<serde_json::Value, Error> {
    serde_json::from_str(&payload(told)?).map_err(|error| Error::Fault(format!("event: {error}")))
}

fn data(event: &Event) -> Result<Data<'_>, Error> {
    Ok(match event {
        Event::KeyCreated(named) => Data::Key { key: key(named)? },
        Event::KeyRotated {
            key: named,
            old_until,
        } => Data::RotatedKey {
            key: key(named)?,
            old_value_until: *old_until,
            reason: None,
            found_at_url: None,
        },
        Event::OldValueLeaked { key: named, url } => Data::RotatedKey {
            key: key(named)?,
            old_value_until: None,
            reason: Some(LEAKED),
            found_at_url: url.as_deref(),
        },
        Event::KeyRevoked { key: named, reason } => Data::RevokedKey {
            key: key(named)?,
            reason: reason.as_str(),
            found_at_url: match reason {
                KeyEnd::Leaked { url } => url.as_deref(),
                KeyEnd::Deleted | KeyEnd::OwnerGone => None,
            },
        },
        Event::SecretLeaked { url } => Data::RevokedSecret {
            reason: LEAKED,
            found_at_url: url.as_deref(),
        },
        Event::LicenseIssued(named) => Data::License {
            license: license(named),
        },
        Event::LicenseRevoked {
            license: named,
            reason,
        } => Data::RevokedLicense {
            license: license(named),
            reason: reason.as_deref(),
        },
        Event::CreditsLow { left_mc } => Data::Credits {
            left_millicents: *left_mc,
        },
    })
}

fn key(named: &KeyNamed) -> Result<Key<'_>, Error> {
    Ok(Key {
        key_id: &named.id,
        v1_key_id: key_id::written(&named.id)?,
        user_id: &named.user_id,
        name: &named.name,
        prefix: &named.prefix,
    })
}

fn license(named: &LicenseNamed) -> License<'_> {
    License {
        jti: &named.jti,
        app_id: &named.app_id,
        user_id: named.user_id.as_deref(),
        expires_at: named.expires_at,
    }
}
