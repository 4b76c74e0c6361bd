//! What a check of a licence answers: facts, one verdict from a closed set, and a default decision.
use core::fmt;

use crate::claims::Verified;
use crate::license::{DeviceMatch, License, LicenseTerms, RevocationStatus, StalePolicy};
use crate::refusal::Refusal;
use crate::time::UnixSeconds;

/// What a check found.
#[derive(Clone, Debug)]
pub struct LicenseReport<'b> {
    pub(super) verdict: Verdict,
    pub(super) license: Option<Verified<License<'b>>>,
    pub(super) device: DeviceMatch<'b>,
    pub(super) revocation: RevocationStatus,
    pub(super) freshness: Freshness,
}

impl<'b> LicenseReport<'b> {
    /// The verdict. Of several, the first in this order: refused (or unknown key), revoked, not yet valid,
    /// expired, other device, revocation data too old.
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

    /// How old the revocation data is, by the licence's own measure, whatever the verdict.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// What to do if the host has no rule of its own: allow a valid licence, and an expired one on its own
    /// device during the grace its issuer gave it; deny what has too old revocation data and an issuer who says
    /// [`StalePolicy::Deny`] to that.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        match self.verdict {
            Verdict::Valid => Decision::Allow,
            Verdict::RevocationDataOld { .. } => self.freshness.decision(),
            Verdict::Expired {
                grace_left_s: Some(_),
                ..
            } => match self.device.is_match() {
                // "Expired" hides "other device" and "data too old": grace must not let a copied licence or a revoked
                // one pass.
                Some(false) => Decision::Deny,
                Some(true) | None => self.freshness.decision(),
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
///
/// A closed set: a host can match on it without a wildcard, and a new verdict is a breaking change. New rules show
/// as new codes inside [`Verdict::Refused`].
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
        /// What is left of the grace its issuer gave it, in seconds, up to the longest life the verifier accepts;
        /// `None` when nothing is.
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
    /// It holds as far as is known, but what is known of revocations is older than the licence allows.
    RevocationDataOld {
        /// How old it is, in seconds.
        age_s: u64,
        /// How old it may be.
        max_age_s: u64,
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
            Self::RevocationDataOld { .. } => "revocation_data_old",
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
            Self::RevocationDataOld { age_s, max_age_s } => write!(
                f,
                "the revocation data is {age_s} s old; the licence wants it no older than {max_age_s} s"
            ),
            Self::UnknownKey => Refusal::KidUnknown.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

/// How old revocation data is, by the measure of a licence. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The age is not known or has no say: no source was asked, or nothing signed says when its data was so.
    Unknown,
    /// No older than the licence's [`fresh_s`](crate::LicenseTerms::fresh_s), or the licence states none.
    Fresh {
        /// How old it is, in seconds.
        age_s: u64,
    },
    /// Newer data should be fetched.
    Aging {
        /// How old it is, in seconds.
        age_s: u64,
    },
    /// Older than the licence's [`max_age_s`](crate::LicenseTerms::max_age_s).
    TooOld {
        /// How old it is, in seconds.
        age_s: u64,
        /// How old it may be.
        max_age_s: u64,
        /// What the issuer wants then.
        policy: StalePolicy,
    },
}

impl Freshness {
    /// Judges an age in seconds by the licence's terms.
    pub(super) fn of(age_s: Option<u64>, terms: &LicenseTerms<'_>) -> Self {
        let Some(age_s) = age_s else {
            return Self::Unknown;
        };
        if let Some(max_age_s) = terms.max_age_s().filter(|max_age_s| age_s > *max_age_s) {
            return Self::TooOld {
                age_s,
                max_age_s,
                policy: terms.stale(),
            };
        }
        match terms.fresh_s().is_some_and(|fresh_s| age_s > fresh_s) {
            true => Self::Aging { age_s },
            false => Self::Fresh { age_s },
        }
    }

    const fn decision(self) -> Decision {
        match self {
            Self::TooOld {
                policy: StalePolicy::Deny,
                ..
            } => Decision::Deny,
            Self::TooOld {
                policy: StalePolicy::Allow | StalePolicy::Warn,
                ..
            }
            | Self::Unknown
            | Self::Fresh { .. }
            | Self::Aging { .. } => Decision::Allow,
        }
    }
}

/// What to do with the user of a licence. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Let them go on.
    Allow,
    /// Stop them.
    Deny,
}
