//! Checks a licence and says what it found: facts, one verdict from a closed set, and a default decision.
use core::fmt;

use crate::claims::{Verified, check_lifetime, exact, optional, required, seconds, text};
use crate::json::{Object, Value};
use crate::jwk::KeySet;
use crate::jws::{self, Scratch};
use crate::license::{
    DeviceBinding, DeviceExpectation, DeviceMatch, LICENSE_TYP, LICENSE_TYPE, LicenseTerms,
    NoRevocations, RevocationStatus, Revocations,
};
use crate::refusal::{Claim, Refusal};
use crate::time::UnixSeconds;

/// Checks a licence: signature, claims, revocation, times, device.
///
/// The answer is never a bare yes or no: [`LicenseReport`] keeps what was found, and the host may decide
/// otherwise than [`LicenseReport::decision`].
///
/// ```
/// use nexa_core::{KeySet, LicenseExpectations, Scratch, UnixSeconds, Verdict, check_license};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let jwk = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// let keys = KeySet::from_jwks(jwk)?;
/// let expect = LicenseExpectations::new("https://licenses.example", "my-app");
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
        },
    }
}

/// What the verifier expects of a licence.
#[derive(Clone, Copy)]
pub struct LicenseExpectations<'a> {
    issuer: &'a str,
    audience: &'a str,
    device: DeviceExpectation<'a>,
    revocations: &'a dyn Revocations,
    max_lifetime_s: u64,
}

impl<'a> LicenseExpectations<'a> {
    /// The longest lifetime that is accepted unless stated otherwise: 400 days.
    pub const MAX_LIFETIME_S: u64 = 400 * 86_400;

    /// This issuer (its public URL) and this audience (the app's id), compared byte by byte. The device is not
    /// checked, there is no revocation data, and a licence lives at most 400 days.
    #[must_use]
    pub const fn new(issuer: &'a str, audience: &'a str) -> Self {
        Self {
            issuer,
            audience,
            device: DeviceExpectation::NotChecked,
            revocations: &NoRevocations,
            max_lifetime_s: Self::MAX_LIFETIME_S,
        }
    }

    /// Checks the device too.
    #[must_use]
    pub const fn with_device(mut self, device: DeviceExpectation<'a>) -> Self {
        self.device = device;
        self
    }

    /// Asks `revocations`.
    #[must_use]
    pub const fn with_revocations(mut self, revocations: &'a dyn Revocations) -> Self {
        self.revocations = revocations;
        self
    }

    /// Accepts licences up to this long between `iat` and `exp`, in seconds.
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

/// What a check found.
#[derive(Clone, Debug)]
pub struct LicenseReport<'b> {
    verdict: Verdict,
    license: Option<Verified<License<'b>>>,
    device: DeviceMatch<'b>,
    revocation: RevocationStatus,
}

impl<'b> LicenseReport<'b> {
    /// The verdict. Of several, the first in this order: refused (or unknown key), revoked, not yet valid,
    /// expired, other device.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What the licence says; there whenever signature and claims hold, also if it expired, was revoked or is
    /// another device's.
    #[must_use]
    pub const fn license(&self) -> Option<&Verified<License<'b>>> {
        self.license.as_ref()
    }

    /// How the device compares, whatever the verdict.
    #[must_use]
    pub const fn device(&self) -> &DeviceMatch<'b> {
        &self.device
    }

    /// What is known about revocation, whatever the verdict.
    #[must_use]
    pub const fn revocation(&self) -> RevocationStatus {
        self.revocation
    }

    /// What to do if the host has no rule of its own: allow a valid licence, and an expired one on its own
    /// device during the grace its issuer gave it.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        match self.verdict {
            Verdict::Valid => Decision::Allow,
            Verdict::Expired {
                grace_left_s: Some(_),
                ..
            } => match self.device.is_match() {
                // "Expired" hides "other device": grace must not let a copied licence pass.
                Some(false) => Decision::Deny,
                Some(true) | None => Decision::Allow,
            },
            Verdict::Expired {
                grace_left_s: None, ..
            }
            | Verdict::NotYetValid { .. }
            | Verdict::Revoked { .. }
            | Verdict::OtherDevice { .. }
            | Verdict::UnknownKey
            | Verdict::Refused(_) => Decision::Deny,
        }
    }
}

/// What became of a licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, here and now.
    Valid,
    /// Its time has not come.
    NotYetValid {
        /// The seconds until it comes.
        starts_in_s: u64,
    },
    /// Its time has passed.
    Expired {
        /// The seconds since it passed.
        since_s: u64,
        /// What is left of the grace its issuer gave it, in seconds; `None` when nothing is.
        grace_left_s: Option<u64>,
    },
    /// It was revoked.
    Revoked {
        /// When.
        at: UnixSeconds,
    },
    /// It was issued for another device.
    OtherDevice {
        /// How many components match.
        matched: u8,
        /// How many have to.
        required: u8,
        /// How many there are.
        total: u8,
    },
    /// No key of the set signed it: a newer key set may hold the key.
    UnknownKey,
    /// It broke a rule.
    Refused(Refusal),
}

impl Verdict {
    /// The stable name of the verdict, in snake case; for a refusal, the rule's.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::Expired { .. } => "expired",
            Self::Revoked { .. } => "revoked",
            Self::OtherDevice { .. } => "other_device",
            Self::UnknownKey => "unknown_key",
            Self::Refused(refusal) => refusal.code(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.write_str("the licence is valid"),
            Self::NotYetValid { starts_in_s } => {
                write!(f, "the licence is not valid for another {starts_in_s} s")
            }
            Self::Expired {
                since_s,
                grace_left_s: Some(left),
            } => write!(
                f,
                "the licence expired {since_s} s ago; {left} s of grace are left"
            ),
            Self::Expired {
                since_s,
                grace_left_s: None,
            } => write!(f, "the licence expired {since_s} s ago"),
            Self::Revoked { at } => {
                write!(f, "the licence was revoked at Unix time {}", at.get())
            }
            Self::OtherDevice {
                matched,
                required,
                total,
            } => write!(
                f,
                "the licence is another device's: {matched} of {total} components match, {required} have to"
            ),
            Self::UnknownKey => Refusal::KidUnknown.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

/// What to do with the user of a licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Let them go on.
    Allow,
    /// Stop them.
    Deny,
}

/// What a licence says.
#[derive(Clone, Copy, Debug)]
pub struct License<'b> {
    issuer: &'b str,
    subject: &'b str,
    audience: &'b str,
    jti: &'b str,
    kid: Kid,
    issued_at: UnixSeconds,
    not_before: UnixSeconds,
    expires_at: UnixSeconds,
    status: Option<StatusRef<'b>>,
    terms: LicenseTerms<'b>,
    device: DeviceBinding<'b>,
}

impl<'b> License<'b> {
    /// `iss`: the issuer's public URL.
    #[must_use]
    pub const fn issuer(&self) -> &'b str {
        self.issuer
    }

    /// `sub`: the tenant's id.
    #[must_use]
    pub const fn subject(&self) -> &'b str {
        self.subject
    }

    /// `aud`: the app's id.
    #[must_use]
    pub const fn audience(&self) -> &'b str {
        self.audience
    }

    /// `jti`: the licence's own id, by which it is revoked.
    #[must_use]
    pub const fn jti(&self) -> &'b str {
        self.jti
    }

    /// The id of the key that signed it.
    #[must_use]
    pub fn kid(&self) -> &str {
        core::str::from_utf8(&self.kid.0).unwrap_or_default()
    }

    /// `iat`: when it was issued.
    #[must_use]
    pub const fn issued_at(&self) -> UnixSeconds {
        self.issued_at
    }

    /// `nbf`: the first second at which it is valid.
    #[must_use]
    pub const fn not_before(&self) -> UnixSeconds {
        self.not_before
    }

    /// `exp`: the first second at which it no longer is.
    #[must_use]
    pub const fn expires_at(&self) -> UnixSeconds {
        self.expires_at
    }

    /// `status`: its place in a status list.
    #[must_use]
    pub const fn status(&self) -> Option<StatusRef<'b>> {
        self.status
    }

    /// `lic`: what it grants.
    #[must_use]
    pub const fn terms(&self) -> &LicenseTerms<'b> {
        &self.terms
    }

    /// `device`: the device it was issued for.
    #[must_use]
    pub const fn device(&self) -> &DeviceBinding<'b> {
        &self.device
    }
}

/// A licence's place in a status list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRef<'b> {
    /// The position in the list.
    pub index: u16,
    /// Where the list is.
    pub uri: &'b str,
}

#[derive(Clone, Copy)]
struct Kid([u8; 43]);

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::str::from_utf8(&self.0).unwrap_or_default().fmt(f)
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
    read_claims(&opened.claims, opened.key.kid_bytes(), expect, now)
}

/// The claims' rules, in this order: issuer, subject, audience, type, id, times, device, status, terms.
pub(crate) fn read_claims<'b>(
    object: &Object<'b>,
    kid: [u8; 43],
    expect: &LicenseExpectations<'_>,
    now: UnixSeconds,
) -> Result<License<'b>, Refusal> {
    let issuer = exact(object, "iss", Claim::Iss, expect.issuer)?;
    let subject = text(object, "sub", Claim::Sub)?;
    let audience = exact(object, "aud", Claim::Aud, expect.audience)?;
    exact(object, "type", Claim::Type, LICENSE_TYPE)?;
    let jti = text(object, "jti", Claim::Jti)?;
    let issued_at = seconds(object, "iat", Claim::Iat)?;
    let not_before = seconds(object, "nbf", Claim::Nbf)?;
    let expires_at = seconds(object, "exp", Claim::Exp)?;
    if expires_at <= not_before {
        return Err(Refusal::ExpNotAfterNbf);
    }
    check_lifetime(now, issued_at, expires_at, expect.max_lifetime_s)?;
    let device = DeviceBinding::read(object)?;
    let status = read_status(object)?;
    let terms = LicenseTerms::read(object)?;
    Ok(License {
        issuer,
        subject,
        audience,
        jti,
        kid: Kid(kid),
        issued_at,
        not_before,
        expires_at,
        status,
        terms,
        device,
    })
}

/// Reads the claim `status` of the OAuth Token Status List draft.
fn read_status<'b>(object: &Object<'b>) -> Result<Option<StatusRef<'b>>, Refusal> {
    let Some(status) = optional(object, "status", Claim::Status, Value::as_object)? else {
        return Ok(None);
    };
    let list = required(&status, "status_list", Claim::StatusList)?
        .as_object()
        .ok_or(Refusal::ClaimType(Claim::StatusList))?;
    let index = required(&list, "idx", Claim::StatusIdx)?
        .as_integer()
        .ok_or(Refusal::ClaimType(Claim::StatusIdx))?;
    Ok(Some(StatusRef {
        index: u16::try_from(index).map_err(|_| Refusal::ClaimWrong(Claim::StatusIdx))?,
        uri: text(&list, "uri", Claim::StatusUri)?,
    }))
}

/// Judges a licence that broke no rule.
fn judge<'b>(
    license: License<'b>,
    expect: &LicenseExpectations<'_>,
    now: UnixSeconds,
) -> LicenseReport<'b> {
    let revocation = expect
        .revocations
        .lookup(license.jti, license.status.as_ref());
    let device = license.device.compare(expect.device);
    let verdict = if let RevocationStatus::Revoked { at } = revocation {
        Verdict::Revoked { at }
    } else if now < license.not_before {
        Verdict::NotYetValid {
            starts_in_s: license.not_before.since(now).unwrap_or(0),
        }
    } else if let Some(since_s) = now.since(license.expires_at) {
        Verdict::Expired {
            since_s,
            grace_left_s: license
                .terms
                .grace_s()
                .checked_sub(since_s)
                .filter(|left| *left > 0),
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
            DeviceMatch::Checked { .. } | DeviceMatch::NotChecked => Verdict::Valid,
        }
    };
    LicenseReport {
        verdict,
        license: Some(Verified::new(license)),
        device,
        revocation,
    }
}
