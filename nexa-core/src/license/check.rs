//! Checks a licence against what its verifier expects, here and now.
use core::fmt;

use super::facts::read_claims;
use crate::claims::Verified;
use crate::jwk::KeySet;
use crate::jws::{self, Scratch};
use crate::license::{
    DeviceExpectation, DeviceMatch, Freshness, LICENSE_TYP, License, LicenseReport, NoRevocations,
    RevocationStatus, Revocations, Verdict,
};
use crate::refusal::Refusal;
use crate::time::UnixSeconds;

/// Checks a licence: signature, claims, revocation, times, device.
///
/// The answer is never a bare yes or no: [`LicenseReport`] keeps what was found, and the host may decide
/// otherwise than [`LicenseReport::decision`].
///
/// ```
/// use nexa_core::{
///     DeviceExpectation, KeySet, LicenseExpectations, Scratch, UnixSeconds, Verdict, check_license,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let jwk = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// let keys = KeySet::from_jwks(jwk)?;
/// let expect = LicenseExpectations::new(
///     "https://licenses.example",
///     "my-app",
///     DeviceExpectation::Components(&[("fingerprint", "a1b2c3")]),
/// );
/// let now = UnixSeconds::new(1_795_230_000).ok_or("out of range")?;
/// let mut scratch = Scratch::new();
/// let report = check_license(&keys, &expect, now, b"not a licence", &mut scratch);
/// assert!(matches!(report.verdict(), Verdict::Refused(_)));
/// assert_eq!(report.verdict().code(), "not_three_segments");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn check_license<'b>(
    keys: &KeySet,
    expect: &LicenseExpectations<'_>,
    now: UnixSeconds,
    token: &[u8],
    scratch: &'b mut Scratch,
) -> LicenseReport<'b> {
    match verify(keys, expect, now, token, scratch) {
        Ok(license) => judge(license, expect, now),
        Err(refusal) => LicenseReport {
            verdict: match refusal {
                Refusal::KidUnknown => Verdict::UnknownKey,
                refusal => Verdict::Refused(refusal),
            },
            license: None,
            device: DeviceMatch::NotChecked,
            revocation: RevocationStatus::NotChecked,
            freshness: Freshness::Unknown,
        },
    }
}

/// What the verifier expects of a licence.
#[derive(Clone, Copy)]
pub struct LicenseExpectations<'a> {
    pub(super) issuer: &'a str,
    /// `None`: whatever the licence says.
    pub(super) audience: Option<&'a str>,
    device: DeviceExpectation<'a>,
    revocations: &'a dyn Revocations,
    pub(super) max_lifetime_s: u64,
}

impl<'a> LicenseExpectations<'a> {
    /// The longest lifetime that is accepted unless stated otherwise: 400 days.
    pub const MAX_LIFETIME_S: u64 = 400 * 86_400;

    /// This issuer (its public URL) and this audience (the app's id), compared byte by byte, and this device. There
    /// is no revocation data, and a licence lives at most 400 days, its grace included.
    ///
    /// Leaving the device out has to be written down: [`DeviceExpectation::NotChecked`].
    #[must_use]
    pub const fn new(issuer: &'a str, audience: &'a str, device: DeviceExpectation<'a>) -> Self {
        Self {
            issuer,
            audience: Some(audience),
            device,
            revocations: &NoRevocations,
            max_lifetime_s: Self::MAX_LIFETIME_S,
        }
    }

    /// As [`new`](Self::new), for the licences of every app: for the issuer's own server, which serves all of them.
    ///
    /// # Security
    ///
    /// Nothing is compared with `aud`: the caller does that, with [`License::audience`], before the licence opens anything
    /// of an app. A client names its own app in [`new`](Self::new).
    #[must_use]
    pub const fn for_any_audience(issuer: &'a str, device: DeviceExpectation<'a>) -> Self {
        Self {
            audience: None,
            ..Self::new(issuer, "", device)
        }
    }

    /// Asks `revocations`.
    #[must_use]
    pub const fn with_revocations(mut self, revocations: &'a dyn Revocations) -> Self {
        self.revocations = revocations;
        self
    }

    /// Accepts licences up to this long between `iat` and `exp`, in seconds. Grace ends there too, whatever the
    /// licence says.
    #[must_use]
    pub const fn with_max_lifetime_s(mut self, max_lifetime_s: u64) -> Self {
        self.max_lifetime_s = max_lifetime_s;
        self
    }
}

impl fmt::Debug for LicenseExpectations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LicenseExpectations")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("max_lifetime_s", &self.max_lifetime_s)
            .finish_non_exhaustive()
    }
}

fn verify<'b>(
    keys: &KeySet,
    expect: &LicenseExpectations<'_>,
    now: UnixSeconds,
    token: &[u8],
    scratch: &'b mut Scratch,
) -> Result<License<'b>, Refusal> {
    let opened = jws::open(keys, LICENSE_TYP, token, scratch)?;
    let trusted = opened.trusted;
    let license = read_claims(&opened.claims, trusted.key.kid_bytes(), expect, now)?;
    match trusted.is_in_force(license.issued_at(), now) {
        true => Ok(license),
        false => Err(Refusal::KidNotInForce),
    }
}

/// Judges a licence that broke no rule.
fn judge<'b>(
    license: License<'b>,
    expect: &LicenseExpectations<'_>,
    now: UnixSeconds,
) -> LicenseReport<'b> {
    let revocation = expect
        .revocations
        .lookup(license.jti(), license.status().as_ref());
    let device = license.device().compare(expect.device);
    let freshness = Freshness::of(data_age_s(&license, revocation, now), license.terms());
    let verdict = if let RevocationStatus::Revoked { at } = revocation {
        Verdict::Revoked { at }
    } else if now < license.not_before() {
        Verdict::NotYetValid {
            starts_in_s: license.not_before().since(now).unwrap_or(0),
        }
    } else if let Some(since_s) = now.since(license.expires_at()) {
        Verdict::Expired {
            since_s,
            grace_left_s: grace_left_s(&license, expect.max_lifetime_s, now),
        }
    } else {
        match device {
            DeviceMatch::Checked {
                matched,
                required,
                total,
                ..
            } if matched < required => Verdict::OtherDevice {
                matched,
                required,
                total,
            },
            DeviceMatch::Checked { .. } | DeviceMatch::NotChecked => match freshness {
                Freshness::TooOld {
                    age_s, max_age_s, ..
                } => Verdict::RevocationDataOld { age_s, max_age_s },
                Freshness::Unknown | Freshness::Fresh { .. } | Freshness::Aging { .. } => {
                    Verdict::Valid
                }
            },
        }
    };
    LicenseReport {
        verdict,
        license: Some(Verified::new(license)),
        device,
        revocation,
        freshness,
    }
}

/// How old what is known of revocations is. A licence was not revoked when it was issued, so that much is always known.
fn data_age_s(
    license: &License<'_>,
    revocation: RevocationStatus,
    now: UnixSeconds,
) -> Option<u64> {
    let as_of = match revocation {
        RevocationStatus::NoData => license.issued_at(),
        RevocationStatus::NotRevoked { as_of: Some(as_of) } => as_of.max(license.issued_at()),
        RevocationStatus::NotChecked
        | RevocationStatus::NotRevoked { as_of: None }
        | RevocationStatus::Revoked { .. } => return None,
    };
    Some(now.since(as_of).unwrap_or(0))
}

/// What is left of the grace of an expired licence. A mis-issued grace does not outlive the longest life that the
/// verifier accepts.
fn grace_left_s(license: &License<'_>, max_lifetime_s: u64, now: UnixSeconds) -> Option<u64> {
    let of_issuer = license
        .expires_at()
        .get()
        .saturating_add(license.terms().grace_s());
    let of_verifier = license.issued_at().get().saturating_add(max_lifetime_s);
    of_issuer
        .min(of_verifier)
        .checked_sub(now.get())
        .filter(|left_s| *left_s > 0)
}
