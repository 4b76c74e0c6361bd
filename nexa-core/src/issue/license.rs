//! Issues licences: every one passes the check it is issued for.
use alloc::string::{String, ToString};

use rand_core::CryptoRng;

use super::error::{IssueError, check_issuer, check_length};
use super::json::ObjectWriter;
use super::signing_key::SigningKey;
use crate::base64url;
use crate::claims::CLOCK_SKEW_S;
use crate::jwk::VerificationKey;
use crate::jws::{self, MAX_TOKEN_BYTES, Scratch};
use crate::license::{
    DeviceExpectation, DevicePolicy, LICENSE_TYP, LICENSE_TYPE, LicenseExpectations,
    MAX_COMPONENTS, StalePolicy, StatusRef, component_hash, read_claims,
};
use crate::time::UnixSeconds;

/// Issues licences for one issuer with one key.
///
/// ```
/// use nexa_core::{
///     DeviceExpectation, DevicePolicy, KeySet, LicenseExpectations, LicenseIssuer, NewDevice, NewLicense,
///     NewTerms, Scratch, SigningKey, UnixSeconds, Verdict, check_license,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
/// let now = UnixSeconds::new(1_795_230_000).ok_or("out of range")?;
/// let issuer = LicenseIssuer::new(SigningKey::generate(&mut rng), "https://licenses.example")?;
/// let issued = issuer.issue(now, &mut rng, &NewLicense {
///     jti: "licence-1",
///     subject: "tenant-1",
///     audience: "my-app",
///     ttl_s: 30 * 86_400,
///     device: NewDevice { components: &[("fingerprint", "a1b2c3")], policy: DevicePolicy::All },
///     terms: NewTerms { plan: Some("pro"), entitlements: &["export"], ..NewTerms::default() },
///     status: None,
/// })?;
///
/// let keys = KeySet::from_keys(&[issuer.verification_key()])?;
/// let device = DeviceExpectation::Components(&[("fingerprint", "a1b2c3")]);
/// let expect = LicenseExpectations::new("https://licenses.example", "my-app", device);
/// let mut scratch = Scratch::new();
/// let report = check_license(&keys, &expect, now, issued.token.as_bytes(), &mut scratch);
/// assert_eq!(report.verdict(), Verdict::Valid);
/// let license = report.license().ok_or("no facts")?.claims();
/// assert!(license.terms().allows("export"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LicenseIssuer {
    key: SigningKey,
    issuer: String,
}

impl LicenseIssuer {
    /// An issuer known by its public URL, as [`check_issuer`] wants it.
    ///
    /// # Errors
    ///
    /// The URL breaks that rule.
    pub fn new(key: SigningKey, issuer: &str) -> Result<Self, IssueError> {
        check_issuer(issuer)?;
        Ok(Self {
            key,
            issuer: issuer.to_string(),
        })
    }

    /// The issuer's public URL, the claim `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key that checks what this issuer signs.
    #[must_use]
    pub fn verification_key(&self) -> VerificationKey {
        self.key.verification_key()
    }

    /// Issues a licence, valid from 300 s before `now` (for clocks that run late) until `now` + `ttl_s`.
    ///
    /// `rng` makes the salt of the device's hashes.
    ///
    /// # Errors
    ///
    /// A field of the request breaks its rule, or the token would be longer than 4,096 bytes.
    pub fn issue<R: CryptoRng + ?Sized>(
        &self,
        now: UnixSeconds,
        rng: &mut R,
        request: &NewLicense<'_>,
    ) -> Result<IssuedLicense, IssueError> {
        let expires_at = check_request(now, request)?;
        let not_before = UnixSeconds::new(now.get().saturating_sub(CLOCK_SKEW_S)).unwrap_or(now);
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);

        let mut payload = String::with_capacity(512);
        let mut claims = ObjectWriter::open(&mut payload);
        claims.string("iss", &self.issuer);
        claims.string("sub", request.subject);
        claims.string("aud", request.audience);
        claims.string("type", LICENSE_TYPE);
        claims.string("jti", request.jti);
        claims.integer("iat", now.get());
        claims.integer("nbf", not_before.get());
        claims.integer("exp", expires_at.get());
        write_device(&mut claims, &salt, &request.device);
        if let Some(status) = request.status {
            let mut outer = claims.object("status");
            let mut list = outer.object("status_list");
            list.integer("idx", u64::from(status.index));
            list.string("uri", status.uri);
            list.close();
            outer.close();
        }
        write_terms(&mut claims, &request.terms);
        claims.close();

        self.check_payload(now, request, &payload)?;
        let token = self.key.sign_compact(LICENSE_TYP, &payload);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(IssueError::TooLong { bytes: token.len() });
        }
        Ok(IssuedLicense {
            token,
            jti: request.jti.to_string(),
            not_before,
            expires_at,
        })
    }

    /// Reads the payload with the checker's own reader, so that nothing is signed which it would refuse.
    fn check_payload(
        &self,
        now: UnixSeconds,
        request: &NewLicense<'_>,
        payload: &str,
    ) -> Result<(), IssueError> {
        let mut scratch = Scratch::new();
        let expect = LicenseExpectations::new(
            &self.issuer,
            request.audience,
            DeviceExpectation::NotChecked,
        );
        jws::read_unsigned_payload(payload.as_bytes(), &mut scratch)
            .and_then(|claims| {
                let kid = self.key.verification_key().kid_bytes();
                read_claims(&claims, kid, &expect, now)
            })
            .map(|_| ())
            .map_err(IssueError::from)
    }
}

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
    /// Its id.
    pub jti: String,
    /// The first second at which it is valid.
    pub not_before: UnixSeconds,
    /// The first second at which it no longer is.
    pub expires_at: UnixSeconds,
}

/// Checks what has a name of its own in an error, and says when the licence ends.
fn check_request(now: UnixSeconds, request: &NewLicense<'_>) -> Result<UnixSeconds, IssueError> {
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

fn write_device(claims: &mut ObjectWriter<'_>, salt: &[u8; 16], device: &NewDevice<'_>) {
    let encoded = |bytes: &[u8]| {
        let mut text = String::with_capacity(24);
        base64url::encode_into(bytes, &mut text);
        text
    };
    let mut object = claims.object("device");
    object.string("salt", &encoded(salt));
    match device.policy {
        DevicePolicy::Any => object.string("policy", "any"),
        DevicePolicy::Two => object.string("policy", "two"),
        DevicePolicy::Most => object.string("policy", "most"),
        DevicePolicy::All => object.string("policy", "all"),
        DevicePolicy::AtLeast(count) => object.integer("policy", u64::from(count)),
    }
    let mut components = object.object("components");
    for (kind, value) in device.components {
        components.string(kind, &encoded(&component_hash(salt, kind, value)));
    }
    components.close();
    object.close();
}

/// Writes the claim `lic` with what is stated.
fn write_terms(claims: &mut ObjectWriter<'_>, terms: &NewTerms<'_>) {
    let NewTerms {
        plan,
        entitlements,
        limits,
        grace_s,
        fresh_s,
        max_age_s,
        stale,
        renew_after,
        is_trial,
    } = *terms;
    let mut lic = claims.object("lic");
    if let Some(plan) = plan {
        lic.string("plan", plan);
    }
    if !entitlements.is_empty() {
        lic.strings("entitlements", entitlements);
    }
    if !limits.is_empty() {
        let mut object = lic.object("limits");
        for (name, limit) in limits {
            object.integer(name, *limit);
        }
        object.close();
    }
    if grace_s > 0 {
        lic.integer("grace_s", grace_s);
    }
    if let Some(fresh_s) = fresh_s {
        lic.integer("fresh_s", fresh_s);
    }
    if let Some(max_age_s) = max_age_s {
        lic.integer("max_age_s", max_age_s);
    }
    if let Some(stale) = stale {
        lic.string("stale", stale.name());
    }
    if let Some(renew_after) = renew_after {
        lic.integer("renew_after", renew_after.get());
    }
    if is_trial {
        lic.boolean("trial", true);
    }
    lic.close();
}
