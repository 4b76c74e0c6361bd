//! Licence tokens (`license+jwt`): what they say and whether they hold, here and now.
mod check;
mod device;
mod revocation;
mod terms;

pub use check::{
    Decision, License, LicenseExpectations, LicenseReport, StatusRef, Verdict, check_license,
};
pub use device::{DeviceBinding, DeviceExpectation, DeviceMatch, DevicePolicy, DriftedKinds};
pub use revocation::{
    FeedError, FeedProblem, NoRevocations, RevocationFeed, RevocationStatus, Revocations,
};
pub use terms::{Entitlements, LicenseTerms, Limits, StalePolicy};

#[cfg(feature = "issue")]
pub(crate) use check::read_claims;
#[cfg(feature = "issue")]
pub(crate) use device::{MAX_COMPONENTS, component_hash};

/// The header's `typ` of a licence.
pub(crate) const LICENSE_TYP: &str = "license+jwt";
/// The value of `type`.
pub(crate) const LICENSE_TYPE: &str = "license";
/// The component kind that stands for a published `device.fingerprint`.
pub const FINGERPRINT_KIND: &str = "fingerprint";
