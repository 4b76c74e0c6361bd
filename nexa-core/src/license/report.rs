//! What a check of a licence answers: facts, one verdict from a closed set, and a default decision.
use core::fmt;

use crate::claims::Verified;
use crate::license::{DeviceMatch, License, RevocationStatus};
use crate::refusal::Refusal;
use crate::time::UnixSeconds;

/// What a check found.
#[derive(Clone, Debug)]
pub struct LicenseReport<'b> {
    pub(super) verdict: Verdict,
    pub(super) license: Option<Verified<License<'b>>>,
    pub(super) device: DeviceMatch<'b>,
    pub(super) revocation: RevocationStatus,
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

/// What to do with the user of a licence. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Let them go on.
    Allow,
    /// Stop them.
    Deny,
}
