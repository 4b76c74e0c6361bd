//! What a key can carry, and the rules of each part.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use nexa_core::{Scope, ScopeSet};

use super::super::error::Error;
use super::super::fields;
use super::super::key_usage::RateLimit;
use super::super::principal::Role;
use crate::store::api_keys::ApiKey;
use crate::time::UnixMillis;

/// What a key is for. A test key passes no live rule, and no live key a test rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Environment {
    #[default]
    Live,
    Test,
}

/// Which keys a rule takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Environments {
    #[default]
    Live,
    Test,
    Any,
}

/// Which scopes there are, and which of them a user may hand on.
#[derive(Clone, Debug)]
pub(crate) struct KeyPolicy {
    /// Beside `full_access`.
    pub(crate) known: ScopeSet,
    /// What the keys of an owner, an admin, a member may do at most.
    pub(crate) owner: ScopeSet,
    pub(crate) admin: ScopeSet,
    pub(crate) member: ScopeSet,
}

/// When a key ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Expiry {
    #[default]
    Never,
    /// In the future.
    At(UnixMillis),
    /// It has ended when it is made: for trying out what happens then.
    Now,
}

/// What its maker may give a key beside name and scopes.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyTerms {
    pub(crate) environment: Environment,
    pub(crate) is_disabled: bool,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) remaining: Option<u64>,
    /// CIDR blocks or addresses; `None` for any address.
    pub(crate) allowed_ips: Option<Vec<String>>,
    /// A JSON object, encoded.
    pub(crate) metadata: Option<String>,
}

/// What is to change in a key; `Some(None)` takes a limit away.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyChanges {
    pub(crate) name: Option<String>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) expires_at: Option<Option<UnixMillis>>,
    pub(crate) is_enabled: Option<bool>,
    pub(crate) rate_limit: Option<Option<RateLimit>>,
    pub(crate) remaining: Option<Option<u64>>,
    pub(crate) allowed_ips: Option<Option<Vec<String>>>,
    pub(crate) metadata: Option<Option<String>>,
}

/// In seconds: 31 days.
const WINDOW_MAX_S: u32 = 31 * 24 * 3600;
/// What every JSON reader takes for an integer (RFC 8259 §6).
const REMAINING_MAX: u64 = (1 << 53) - 1;
const ALLOWED_IPS_MAX: usize = 100;
/// In bytes.
const METADATA_MAX: usize = 4096;

impl Environment {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    /// Reads a stored environment.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            _ => Err(Error::Fault(format!(
                "unknown environment {text:?} in the store"
            ))),
        }
    }
}

impl Environments {
    pub(crate) const fn take(self, environment: Environment) -> bool {
        match (self, environment) {
            (Self::Any, _) | (Self::Live, Environment::Live) | (Self::Test, Environment::Test) => {
                true
            }
            (Self::Live, Environment::Test) | (Self::Test, Environment::Live) => false,
        }
    }
}

impl KeyPolicy {
    /// What keys of a user of that role may do at most.
    pub(crate) const fn ceiling(&self, role: Role) -> &ScopeSet {
        match role {
            Role::Owner => &self.owner,
            Role::Admin => &self.admin,
            Role::Member => &self.member,
        }
    }

    /// The scopes that a user of that role asks for, in their stored form; without any it is `full_access`.
    ///
    /// # Errors
    /// `Invalid` for `scopes`: an empty list (nobody gets full access by forgetting to ask for less), a malformed or
    /// an unknown scope, or one beyond the role.
    pub(crate) fn granted(&self, role: Role, asked: Option<&[String]>) -> Result<String, Error> {
        let Some(asked) = asked else {
            return Ok(Scope::full_access().as_str().to_owned());
        };
        let refuse = |rule: String| Err(Error::invalid("scopes", rule));
        if asked.is_empty() {
            return refuse("must not be empty; full_access covers all".to_owned());
        }
        let asked = ScopeSet::parse(asked.iter().map(String::as_str))
            .map_err(|error| Error::invalid("scopes", error.to_string()))?;
        for scope in asked.iter().filter(|scope| !scope.is_full_access()) {
            if !self.known.contains(scope) {
                let mut known = self.known.to_strings();
                known.insert(0, Scope::full_access().as_str().to_owned());
                return refuse(format!(
                    "unknown scope {scope}; known are {}",
                    known.join(" ")
                ));
            }
            if !self.ceiling(role).covers(scope) {
                return refuse(format!(
                    "{scope} is beyond what keys of role {} may do",
                    role.as_str()
                ));
            }
        }
        Ok(asked.to_strings().join(" "))
    }
}

impl Expiry {
    /// # Errors
    /// `Invalid` for `expires_at` unless it lies in the future.
    pub(super) fn checked(self, now: UnixMillis) -> Result<Option<UnixMillis>, Error> {
        match self {
            Self::Never => Ok(None),
            Self::Now => Ok(Some(now)),
            Self::At(at) if at > now => Ok(Some(at)),
            Self::At(_) => Err(Error::invalid("expires_at", "must lie in the future")),
        }
    }
}

impl KeyTerms {
    /// Puts the terms into a row.
    pub(super) fn apply(self, row: &mut ApiKey) -> Result<(), Error> {
        self.environment.as_str().clone_into(&mut row.environment);
        row.is_enabled = !self.is_disabled;
        row.rate_limit = rate_limit(self.rate_limit)?;
        row.remaining = remaining(self.remaining)?;
        row.allowed_ips = allowed_ips(self.allowed_ips)?;
        row.metadata = metadata(self.metadata)?;
        Ok(())
    }
}

impl KeyChanges {
    /// Puts the changes into a row; `role` is that of whoever makes them.
    pub(super) fn apply(
        self,
        now: UnixMillis,
        role: Role,
        policy: &KeyPolicy,
        row: &mut ApiKey,
    ) -> Result<(), Error> {
        if let Some(name) = self.name {
            row.name = fields::name("name", &name)?;
        }
        if let Some(scopes) = self.scopes {
            row.scopes = policy.granted(role, Some(&scopes))?;
        }
        if let Some(expires_at) = self.expires_at {
            row.expires_at = expires_at.map_or(Expiry::Never, Expiry::At).checked(now)?;
        }
        if let Some(is_enabled) = self.is_enabled {
            row.is_enabled = is_enabled;
        }
        if let Some(rate) = self.rate_limit {
            row.rate_limit = rate_limit(rate)?;
        }
        if let Some(uses) = self.remaining {
            row.remaining = remaining(uses)?;
        }
        if let Some(blocks) = self.allowed_ips {
            row.allowed_ips = allowed_ips(blocks)?;
        }
        if let Some(object) = self.metadata {
            row.metadata = metadata(object)?;
        }
        Ok(())
    }
}

/// Reads a stored list of blocks.
pub(super) fn stored_blocks(text: Option<&str>) -> Result<Box<[IpNet]>, Error> {
    let blocks = text.unwrap_or_default().split_whitespace();
    blocks
        .map(|block| {
            block
                .parse()
                .map_err(|_| Error::Fault(format!("stored CIDR block {block:?}")))
        })
        .collect()
}

fn rate_limit(rate: Option<RateLimit>) -> Result<Option<(u32, u32)>, Error> {
    let Some(RateLimit { limit, window_s }) = rate else {
        return Ok(None);
    };
    if limit == 0 {
        return Err(Error::invalid("rate_limit.limit", "must be at least 1"));
    }
    if !(1..=WINDOW_MAX_S).contains(&window_s) {
        return Err(Error::invalid(
            "rate_limit.window_seconds",
            format!("must be from 1 to {WINDOW_MAX_S} (31 days)"),
        ));
    }
    Ok(Some((limit, window_s)))
}

fn remaining(uses: Option<u64>) -> Result<Option<u64>, Error> {
    match uses {
        Some(uses) if uses > REMAINING_MAX => Err(Error::invalid(
            "remaining",
            format!("at most {REMAINING_MAX}"),
        )),
        uses => Ok(uses),
    }
}

/// Blocks in one written form: without host bits, an address as a block of one.
fn allowed_ips(blocks: Option<Vec<String>>) -> Result<Option<String>, Error> {
    let Some(blocks) = blocks else {
        return Ok(None);
    };
    if blocks.is_empty() || blocks.len() > ALLOWED_IPS_MAX {
        return Err(Error::invalid(
            "allowed_ips",
            format!("must have 1 to {ALLOWED_IPS_MAX} entries; null allows every address"),
        ));
    }
    let read = blocks.iter().enumerate().map(|(place, text)| {
        let block =
            block(text).map_err(|rule| Error::invalid(format!("allowed_ips[{place}]"), rule))?;
        Ok(block.to_string())
    });
    Ok(Some(read.collect::<Result<Vec<_>, Error>>()?.join(" ")))
}

/// A block as callers' addresses are compared: in IPv4 where it is mapped (RFC 4291 §2.5.5.2).
pub(crate) fn canonical(block: IpNet) -> IpNet {
    const MAPPED_PREFIX: u8 = 96;
    let IpNet::V6(v6) = block else {
        return block;
    };
    let network = v6.network().to_ipv4_mapped();
    let prefix = v6.prefix_len().checked_sub(MAPPED_PREFIX);
    (network.zip(prefix))
        .and_then(|(network, prefix)| Ipv4Net::new(network, prefix).ok())
        .map_or(block, IpNet::V4)
}

/// One block.
fn block(text: &str) -> Result<IpNet, &'static str> {
    const MAPPED: Ipv6Addr = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let block = text
        .parse::<IpNet>()
        .map_err(|_| "must be an IP address or a CIDR block")?
        .trunc();
    match canonical(block) {
        IpNet::V6(v6) if v6.contains(&MAPPED) => Err(
            "must not cover the IPv4-mapped addresses ::ffff:0:0/96; write IPv4 blocks for those, and narrower IPv6 ones",
        ),
        block => Ok(block),
    }
}

fn metadata(object: Option<String>) -> Result<Option<String>, Error> {
    match object {
        Some(object) if object.len() > METADATA_MAX => Err(Error::invalid(
            "metadata",
            format!("at most {METADATA_MAX} bytes of JSON"),
        )),
        object => Ok(object),
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    const COVERS: &str = "allowed_ips[0]: must not cover the IPv4-mapped addresses ::ffff:0:0/96; write IPv4 blocks for those, and narrower IPv6 ones";

    #[test]
    fn blocks_have_one_written_form() {
        let read = |blocks: &[&str]| {
            let blocks = blocks.iter().map(|block| (*block).to_owned()).collect();
            allowed_ips(Some(blocks)).map_err(|error| error.to_string())
        };
        for (given, stored) in [
            (&["192.0.2.7"][..], "192.0.2.7/32"),
            (&["::ffff:192.0.2.7"], "192.0.2.7/32"),
            (
                &["10.1.2.3/8", "2001:db8::1/32"],
                "10.0.0.0/8 2001:db8::/32",
            ),
            (&["::ffff:10.0.0.0/104"], "10.0.0.0/8"),
            (
                &["::ffff:10.1.2.3/104", "::ffff:0:0/96"],
                "10.0.0.0/8 0.0.0.0/0",
            ),
            (&["::ffff:192.0.2.7/128"], "192.0.2.7/32"),
            (&["::1:0:0:0/80", "2000::/3"], "::1:0:0:0/80 2000::/3"),
        ] {
            assert_eq!(read(given), Ok(Some(stored.to_owned())), "{given:?}");
        }
        for bad in [
            &[][..],
            &["10.0.0.0/33"],
            &["example.com"],
            &[""],
            &["10.0.0.0/8 11.0.0.0/8"],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert!(read(&["10.0.0.1"; ALLOWED_IPS_MAX + 1]).is_err());
        for (given, sentence) in [
            (
                &["10.0.0.1", "::1", "hunter2"][..],
                "allowed_ips[2]: must be an IP address or a CIDR block",
            ),
            (&["::/0"], COVERS),
            (&["::ffff:0:0/95"], COVERS),
            (&["::ffff:10.0.0.0/64"], COVERS),
        ] {
            assert_eq!(read(given), Err(sentence.to_owned()), "{given:?}");
        }
    }

    #[test]
    fn scopes_stay_within_what_the_role_may_do() {
        let set = |scopes: &[&str]| ScopeSet::parse(scopes.iter().copied()).unwrap();
        let policy = KeyPolicy {
            known: set(&["signals", "agents"]),
            owner: ScopeSet::full_access(),
            admin: ScopeSet::full_access(),
            member: set(&["signals"]),
        };
        let granted = |role, asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|scope| (*scope).to_owned()).collect();
            policy
                .granted(role, Some(&asked))
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            granted(Role::Owner, &["signals", "agents"]),
            Ok("agents signals".to_owned())
        );
        assert_eq!(
            granted(Role::Member, &["full_access"]),
            Ok("full_access".to_owned()),
            "cut when it is used"
        );
        assert_eq!(
            granted(Role::Member, &["agents"]),
            Err("scopes: agents is beyond what keys of role member may do".to_owned())
        );
        assert!(granted(Role::Owner, &["other"]).is_err());
        assert!(granted(Role::Owner, &[]).is_err());
    }
}
