//! Licence tokens (`license+jwt`): what they say and whether they hold, here and now.
mod check;
mod device;
mod facts;
mod report;
mod revocation;
mod signed_feed;
mod terms;

pub use check::{LicenseExpectations, check_license};
pub use device::{DeviceBinding, DeviceExpectation, DeviceMatch, DevicePolicy, DriftedKinds};
pub use facts::{License, StatusRef};
pub use report::{Decision, Freshness, LicenseReport, Verdict};
pub use revocation::{
    FeedError, FeedProblem, NoRevocations, RevocationFeed, RevocationStatus, Revocations,
};
pub use signed_feed::SignedFeedError;
pub use terms::{Entitlements, LicenseTerms, Limits, StalePolicy};

#[cfg(feature = "issue")]
pub(crate) use device::{MAX_COMPONENTS, component_hash};
#[cfg(feature = "issue")]
pub(crate) use facts::read_claims;

/// The header's `typ` of a licence.
pub(crate) const LICENSE_TYP: &str = "license+jwt";
/// The value of `type`.
pub(crate) const LICENSE_TYPE: &str = "license";
/// The component kind that stands for a published `device.fingerprint`.
pub const FINGERPRINT_KIND: &str = "fingerprint";
