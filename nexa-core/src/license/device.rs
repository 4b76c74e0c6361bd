//! Binds a licence to a device: salted hashes of its components, and how many of them must match.
use core::fmt;

use subtle::ConstantTimeEq as _;

use crate::base64url::decode_exact;
use crate::claims::{required, text};
use crate::hmac::Hmac;
use crate::json::{Members, Object, Value};
use crate::refusal::{Claim, Refusal};

/// The most components a licence names.
pub(crate) const MAX_COMPONENTS: usize = 16;

/// The device a licence was issued for. It holds salted hashes, never the values themselves.
#[derive(Clone, Copy)]
pub struct DeviceBinding<'b> {
    salt: [u8; 16],
    policy: DevicePolicy,
    components: Members<'b>,
    total: u8,
}

impl<'b> DeviceBinding<'b> {
    /// How many components have to match.
    #[must_use]
    pub const fn policy(&self) -> DevicePolicy {
        self.policy
    }

    /// How many components the licence names, 1 to 16.
    #[must_use]
    pub const fn total(&self) -> u8 {
        self.total
    }

    /// The kinds of components the licence names, in the issuer's order.
    pub fn kinds(&self) -> impl Iterator<Item = &'b str> + use<'b> {
        self.components.map(|(kind, _)| kind)
    }

    /// Compares the licence's device with the one `present`ed. Of several values of one kind, one must match.
    #[must_use]
    pub fn compare(&self, present: DeviceExpectation<'_>) -> DeviceMatch<'b> {
        let DeviceExpectation::Components(present) = present else {
            return DeviceMatch::NotChecked;
        };
        let hasher = ComponentHasher::new(&self.salt);
        let mut drifted = 0_u16;
        for (index, (kind, hash)) in self.components.enumerate() {
            let expected = hash.as_str().and_then(decode_exact::<8>);
            let matches = present
                .iter()
                .filter(|(presented_kind, _)| *presented_kind == kind)
                .any(|(_, value)| {
                    expected.is_some_and(|hash| hasher.hash(kind, value).ct_eq(&hash).into())
                });
            if !matches {
                drifted |= 1 << index;
            }
        }
        DeviceMatch::Checked {
            matched: self.total - u8::try_from(drifted.count_ones()).unwrap_or(self.total),
            required: self.policy.required(self.total),
            total: self.total,
            drifted: DriftedKinds {
                components: self.components,
                mask: drifted,
            },
        }
    }

    /// Reads the claim `device`.
    pub(super) fn read(claims: &Object<'b>) -> Result<Self, Refusal> {
        let device = required(claims, "device", Claim::Device)?
            .as_object()
            .ok_or(Refusal::ClaimType(Claim::Device))?;
        let salt = text(&device, "salt", Claim::DeviceSalt)?;
        let salt = decode_exact(salt).ok_or(Refusal::ClaimWrong(Claim::DeviceSalt))?;
        let policy = required(&device, "policy", Claim::DevicePolicy)?;
        let policy = DevicePolicy::read(&policy)?;
        let components = required(&device, "components", Claim::DeviceComponents)?
            .as_object()
            .ok_or(Refusal::ClaimType(Claim::DeviceComponents))?
            .members();
        let mut total = 0;
        for (kind, hash) in components {
            let hash = hash
                .as_str()
                .ok_or(Refusal::ClaimType(Claim::DeviceComponents))?;
            if kind.is_empty() || decode_exact::<8>(hash).is_none() || total >= MAX_COMPONENTS {
                return Err(Refusal::ClaimWrong(Claim::DeviceComponents));
            }
            total += 1;
        }
        if total == 0 {
            return Err(Refusal::ClaimWrong(Claim::DeviceComponents));
        }
        let total = u8::try_from(total).unwrap_or(u8::MAX);
        match policy {
            DevicePolicy::AtLeast(count) if count == 0 || count > total => {
                Err(Refusal::ClaimWrong(Claim::DevicePolicy))
            }
            DevicePolicy::Any
            | DevicePolicy::Two
            | DevicePolicy::Most
            | DevicePolicy::All
            | DevicePolicy::AtLeast(_) => Ok(Self {
                salt,
                policy,
                components,
                total,
            }),
        }
    }
}

impl fmt::Debug for DeviceBinding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBinding")
            .field("policy", &self.policy)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

/// How many of a licence's device components have to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevicePolicy {
    /// One.
    Any,
    /// Two. Not issued for a device of one component; a verifier that meets it there wants that one.
    Two,
    /// More than half.
    Most,
    /// All of them.
    All,
    /// This many, 1 up to the number of components.
    AtLeast(u8),
}

impl DevicePolicy {
    /// How many of `total` components have to match.
    #[must_use]
    pub const fn required(self, total: u8) -> u8 {
        match self {
            Self::Any => 1,
            Self::Two => {
                if total < 2 {
                    total
                } else {
                    2
                }
            }
            Self::Most => total / 2 + 1,
            Self::All => total,
            Self::AtLeast(count) => count,
        }
    }

    fn read(value: &Value<'_>) -> Result<Self, Refusal> {
        const WRONG: Refusal = Refusal::ClaimWrong(Claim::DevicePolicy);
        if let Some(count) = value.as_integer() {
            return u8::try_from(count).map(Self::AtLeast).map_err(|_| WRONG);
        }
        match value
            .as_str()
            .ok_or(Refusal::ClaimType(Claim::DevicePolicy))?
        {
            "any" => Ok(Self::Any),
            "two" => Ok(Self::Two),
            "most" => Ok(Self::Most),
            "all" => Ok(Self::All),
            _ => Err(WRONG),
        }
    }
}

/// The device a licence is checked on.
///
/// # Security
///
/// There is no default: a verifier that leaves the device out says so where it is made.
#[derive(Clone, Copy, Debug)]
pub enum DeviceExpectation<'a> {
    /// Leave the device out of the verdict: for a server that looks at somebody else's licence.
    NotChecked,
    /// This device: pairs of kind and value.
    Components(&'a [(&'a str, &'a str)]),
}

/// How a licence's device compares with the one it is checked on.
#[derive(Clone, Debug)]
pub enum DeviceMatch<'b> {
    /// No device was presented.
    NotChecked,
    /// They were compared.
    Checked {
        /// How many of the licence's components match.
        matched: u8,
        /// How many have to.
        required: u8,
        /// How many there are.
        total: u8,
        /// The kinds that do not match.
        drifted: DriftedKinds<'b>,
    },
}

impl DeviceMatch<'_> {
    /// Whether enough components match; `None` if no device was presented.
    #[must_use]
    pub const fn is_match(&self) -> Option<bool> {
        match self {
            Self::NotChecked => None,
            Self::Checked {
                matched, required, ..
            } => Some(*matched >= *required),
        }
    }
}

/// Iterator over the kinds of components that do not match.
#[derive(Clone)]
pub struct DriftedKinds<'b> {
    components: Members<'b>,
    mask: u16,
}

impl<'b> Iterator for DriftedKinds<'b> {
    type Item = &'b str;

    fn next(&mut self) -> Option<&'b str> {
        loop {
            let (kind, _) = self.components.next()?;
            let has_drifted = self.mask & 1 == 1;
            self.mask >>= 1;
            if has_drifted {
                return Some(kind);
            }
        }
    }
}

impl fmt::Debug for DriftedKinds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// The first eight bytes of HMAC-SHA-256(salt, "nexa device v1" ‖ 0 ‖ kind ‖ 0 ‖ value).
#[cfg(feature = "issue")]
pub(crate) fn component_hash(salt: &[u8; 16], kind: &str, value: &str) -> [u8; 8] {
    ComponentHasher::new(salt).hash(kind, value)
}

/// HMAC-SHA-256 keyed with a device salt, ready for several components.
struct ComponentHasher(Hmac);

impl ComponentHasher {
    fn new(salt: &[u8; 16]) -> Self {
        Self(Hmac::new(salt))
    }

    fn hash(&self, kind: &str, value: &str) -> [u8; 8] {
        let mut hmac = self.0.clone();
        for part in [
            b"nexa device v1\0",
            kind.as_bytes(),
            b"\0",
            value.as_bytes(),
        ] {
            hmac.update(part);
        }
        let [a, b, c, d, e, f, g, h, ..] = hmac.finish();
        [a, b, c, d, e, f, g, h]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another implementation of HMAC.
    #[test]
    fn component_hashes_are_the_documented_ones() {
        let salt: [u8; 16] = core::array::from_fn(|index| u8::try_from(index).unwrap());
        let hasher = ComponentHasher::new(&salt);
        for (kind, value, expected) in [
            ("fingerprint", "a1b2", 0xa38c_f6f7_1092_d401_u64),
            ("cpu", "x86", 0x962c_0a8d_d40b_2f53_u64),
        ] {
            assert_eq!(hasher.hash(kind, value), expected.to_be_bytes());
        }
    }

    /// Kind and value are kept apart: moving a character from one to the other changes the hash.
    #[test]
    fn kind_and_value_do_not_run_together() {
        let hasher = ComponentHasher::new(&[7; 16]);
        assert_ne!(hasher.hash("ab", "c"), hasher.hash("a", "bc"));
        assert_ne!(hasher.hash("", "abc"), hasher.hash("abc", ""));
        assert_ne!(
            ComponentHasher::new(&[8; 16]).hash("ab", "c"),
            hasher.hash("ab", "c")
        );
    }

    #[test]
    fn how_many_have_to_match() {
        for (policy, expected) in [
            (DevicePolicy::Any, [1, 1, 1, 1, 1, 1]),
            (DevicePolicy::Two, [1, 2, 2, 2, 2, 2]),
            (DevicePolicy::Most, [1, 2, 2, 3, 3, 4]),
            (DevicePolicy::All, [1, 2, 3, 4, 5, 6]),
            (DevicePolicy::AtLeast(1), [1, 1, 1, 1, 1, 1]),
        ] {
            for (total, expected) in (1..).zip(expected) {
                assert_eq!(policy.required(total), expected, "{policy:?} of {total}");
            }
        }
    }
}
