//! The claims that rules are about, one row each.

/// One row per claim: variant, name in a message, stem of its codes, the JSON type it must have, and what is said
/// of a value that has the type and is not accepted.
macro_rules! claims {
    ($($variant:ident $name:literal $code:literal $expected:literal $fault:literal,)*) => {
        /// A claim that a rule is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Claim {
            $(#[doc = concat!("`", $name, "`: ", $expected, ".")] $variant,)*
        }

        impl Claim {
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$variant),*];

            pub(super) const fn row(self) -> ClaimRow {
                match self {
                    $(Self::$variant => ClaimRow {
                        name: $name,
                        expected: $expected,
                        fault: $fault,
                        missing: concat!($code, "_missing"),
                        mistyped: concat!($code, "_type"),
                        wrong: concat!($code, "_wrong"),
                    },)*
                }
            }
        }
    };
}

claims! {
    Iss "iss" "iss" "a string" "is not the expected issuer, compared byte by byte",
    Sub "sub" "sub" "a string" "is empty",
    Aud "aud" "aud" "one string" "is not the expected audience, compared byte by byte",
    Jti "jti" "jti" "a string" "is empty",
    Iat "iat" "iat" "a whole number of seconds" "is out of range",
    Nbf "nbf" "nbf" "a whole number of seconds" "is out of range",
    Exp "exp" "exp" "a whole number of seconds" "is out of range",
    Type "type" "type" "a string" "names another kind of token",
    Tenant "tenant" "tenant" "a string" "is empty",
    Sid "sid" "sid" "a string" "is empty",
    Sv "sv" "sv" "a whole number" "is out of range",
    Role "role" "role" "a string" "is empty",
    Scope "scope" "scope" "a string" "is empty",
    Device "device" "device" "an object" "is out of range",
    DeviceSalt "device.salt" "device_salt" "a string" "is not 16 bytes in base64url",
    DevicePolicy "device.policy" "device_policy" "a string or a whole number"
        "is not any, two, most, all or a number from 1 to the number of components",
    DeviceComponents "device.components" "device_components" "an object of strings"
        "does not have 1 to 16 kinds with a hash of 8 bytes in base64url each",
    Status "status" "status" "an object" "is out of range",
    StatusList "status.status_list" "status_list" "an object" "is out of range",
    StatusIdx "status.status_list.idx" "status_idx" "a whole number" "is more than 65535",
    StatusUri "status.status_list.uri" "status_uri" "a string" "is empty",
    Lic "lic" "lic" "an object" "is out of range",
    LicPlan "lic.plan" "lic_plan" "a string" "is out of range",
    LicEntitlements "lic.entitlements" "lic_entitlements" "an array of strings" "is out of range",
    LicLimits "lic.limits" "lic_limits" "an object of whole numbers" "is out of range",
    LicGrace "lic.grace_s" "lic_grace_s" "a whole number of seconds" "is out of range",
    LicFresh "lic.fresh_s" "lic_fresh_s" "a whole number of seconds" "is out of range",
    LicMaxAge "lic.max_age_s" "lic_max_age_s" "a whole number of seconds" "is out of range",
    LicStale "lic.stale" "lic_stale" "a string" "is neither allow, warn nor deny",
    LicRenewAfter "lic.renew_after" "lic_renew_after" "a whole number of seconds" "is out of range",
    LicTrial "lic.trial" "lic_trial" "true or false" "is out of range",
}

impl Claim {
    /// The claim's name; nested ones with their path.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }
}

pub(super) struct ClaimRow {
    pub(super) name: &'static str,
    pub(super) expected: &'static str,
    pub(super) fault: &'static str,
    pub(super) missing: &'static str,
    pub(super) mistyped: &'static str,
    pub(super) wrong: &'static str,
}
