//! What a licence is to say, and the rules that have names of their own in an error.
use alloc::string::String;

use super::error::{IssueError, check_length};
use crate::license::{DevicePolicy, LicenseExpectations, MAX_COMPONENTS, StalePolicy, StatusRef};
use crate::time::UnixSeconds;

/// The licence that is wanted. Ids are 1 to 256 bytes.
#[derive(Clone, Copy, Debug)]
pub struct NewLicense<'a> {
    /// The licence's own id, by which it is revoked; unique for the issuer.
    pub jti: &'a str,
    /// The tenant's id.
    pub subject: &'a str,
    /// The app's id.
    pub audience: &'a str,
    /// How long it is valid from now on, in seconds: 1 s to 400 days.
    pub ttl_s: u64,
    /// The device it is for.
    pub device: NewDevice<'a>,
    /// What it grants.
    pub terms: NewTerms<'a>,
    /// Its place in a status list, if it has one.
    pub status: Option<StatusRef<'a>>,
}

/// The device a licence is for.
#[derive(Clone, Copy, Debug)]
pub struct NewDevice<'a> {
    /// 1 to 16 pairs of kind (1 to 64 bytes, each once) and value (1 to 512 bytes). A published fingerprint is
    /// the kind `fingerprint`.
    pub components: &'a [(&'a str, &'a str)],
    /// How many of them have to match when the licence is checked; [`DevicePolicy::Two`] wants at least two.
    pub policy: DevicePolicy,
}

/// What a licence grants; by default nothing is stated.
///
/// A verifier reads at most 64 members of an object and 512 values of a licence, names included (29 or more of them
/// are the other claims), so limits are at most 64 and entitlements some 450; and the token has at most 4,096 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewTerms<'a> {
    /// The plan's name.
    pub plan: Option<&'a str>,
    /// Names of what is allowed.
    pub entitlements: &'a [&'a str],
    /// Names and values (below 2^53) of limits, each name once.
    pub limits: &'a [(&'a str, u64)],
    /// How long after its end the licence still lets its user go on, in seconds; with `ttl_s` at most 400 days.
    pub grace_s: u64,
    /// How old revocation data may get before newer should be fetched, in seconds.
    pub fresh_s: Option<u64>,
    /// How old revocation data may get before `stale` applies, in seconds.
    pub max_age_s: Option<u64>,
    /// What holds when revocation data is too old.
    pub stale: Option<StalePolicy>,
    /// From when on the client should ask for the next licence.
    pub renew_after: Option<UnixSeconds>,
    /// Whether this is a trial.
    pub is_trial: bool,
}

/// A licence that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedLicense {
    /// The token, at most 4,096 bytes.
    pub token: String,
    /// The claims that were signed, as they stand in the token: JSON, and no secret.
    /// [`LicenseIssuer::sign_again`](super::LicenseIssuer::sign_again) makes the same token of them.
    pub payload: String,
    /// Its id.
    pub jti: String,
    /// The first second at which it is valid.
    pub not_before: UnixSeconds,
    /// The first second at which it no longer is.
    pub expires_at: UnixSeconds,
}

/// Checks what has a name of its own in an error, and says when the licence ends.
pub(super) fn check_request(
    now: UnixSeconds,
    request: &NewLicense<'_>,
) -> Result<UnixSeconds, IssueError> {
    check_length("jti", request.jti, 256)?;
    check_length("subject", request.subject, 256)?;
    check_length("audience", request.audience, 256)?;
    const TTL: IssueError = IssueError::Value {
        field: "ttl_s",
        rule: "1 s to 400 days",
    };
    if !(1..=LicenseExpectations::MAX_LIFETIME_S).contains(&request.ttl_s) {
        return Err(TTL);
    }
    let lasts_s = request.ttl_s.saturating_add(request.terms.grace_s);
    if lasts_s > LicenseExpectations::MAX_LIFETIME_S {
        return Err(IssueError::Value {
            field: "terms.grace_s",
            rule: "at most 400 days together with ttl_s",
        });
    }
    check_device(&request.device)?;
    if let Some(status) = request.status {
        check_length("status.uri", status.uri, 512)?;
    }
    now.plus(request.ttl_s).ok_or(TTL)
}

fn check_device(device: &NewDevice<'_>) -> Result<(), IssueError> {
    let total = device.components.len();
    if !(1..=MAX_COMPONENTS).contains(&total) {
        return Err(IssueError::Length {
            field: "device.components",
            min: 1,
            max: MAX_COMPONENTS,
            unit: "entries",
        });
    }
    for (index, (kind, value)) in device.components.iter().enumerate() {
        check_length("device component kind", kind, 64)?;
        check_length("device component value", value, 512)?;
        let mut earlier = device.components.iter().take(index);
        if earlier.any(|(other, _)| other == kind) {
            return Err(IssueError::Value {
                field: "device component kind",
                rule: "named once",
            });
        }
    }
    match device.policy {
        DevicePolicy::AtLeast(count) if count == 0 || usize::from(count) > total => {
            Err(IssueError::Value {
                field: "device.policy",
                rule: "between 1 and the number of components",
            })
        }
        DevicePolicy::Two if total < 2 => Err(IssueError::Value {
            field: "device.policy",
            rule: "something other than two where the device has one component",
        }),
        DevicePolicy::Any
        | DevicePolicy::Two
        | DevicePolicy::Most
        | DevicePolicy::All
        | DevicePolicy::AtLeast(_) => Ok(()),
    }
}
