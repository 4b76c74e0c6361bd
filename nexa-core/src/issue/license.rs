//! Issues licences: every one passes the check it is issued for.
use alloc::string::{String, ToString};

use rand_core::CryptoRng;

use super::error::{IssueError, check_issuer};
use super::json::ObjectWriter;
use super::new_license::{IssuedLicense, NewDevice, NewLicense, NewTerms, check_request};
use super::signing_key::SigningKey;
use crate::base64url;
use crate::claims::{CLOCK_SKEW_S, seconds, text};
use crate::jwk::VerificationKey;
use crate::jws::{self, MAX_TOKEN_BYTES, Scratch};
use crate::license::{
    DeviceExpectation, DevicePolicy, LICENSE_TYP, LICENSE_TYPE, LicenseExpectations,
    component_hash, read_claims,
};
use crate::refusal::Claim;
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
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        self.issue_with_salt(now, salt, request)
    }

    /// As [`issue`](Self::issue), with the salt of the device's hashes already drawn: for callers that have no random
    /// source where they sign, such as a transaction. The same arguments give the same token.
    ///
    /// ```
    /// use nexa_core::{DevicePolicy, LicenseIssuer, NewDevice, NewLicense, NewTerms, SigningKey, UnixSeconds};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    /// let now = UnixSeconds::new(1_795_230_000).ok_or("out of range")?;
    /// let issuer = LicenseIssuer::new(SigningKey::generate(&mut rng), "https://licenses.example")?;
    /// let mut salt = [0; 16];
    /// rand_core::Rng::fill_bytes(&mut rng, &mut salt);
    /// let request = NewLicense {
    ///     jti: "licence-1",
    ///     subject: "tenant-1",
    ///     audience: "my-app",
    ///     ttl_s: 30 * 86_400,
    ///     device: NewDevice { components: &[("fingerprint", "a1b2c3")], policy: DevicePolicy::All },
    ///     terms: NewTerms::default(),
    ///     status: None,
    /// };
    /// let first = issuer.issue_with_salt(now, salt, &request)?;
    /// assert_eq!(issuer.issue_with_salt(now, salt, &request)?, first);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`issue`](Self::issue).
    ///
    /// # Security
    ///
    /// `salt` must come from the operating system's random source, or one seeded from it, and serve one licence: two
    /// licences with one salt can be told to be for one device.
    pub fn issue_with_salt(
        &self,
        now: UnixSeconds,
        salt: [u8; 16],
        request: &NewLicense<'_>,
    ) -> Result<IssuedLicense, IssueError> {
        let payload = payload(&self.issuer, now, salt, request)?;
        self.sign_again(payload)
    }

    /// How many bytes the token of this licence would have, from an issuer of that URL with any key: for the terms of
    /// licences that are still to come, such as a price list's.
    ///
    /// ```
    /// # use nexa_core::{DevicePolicy, IssueError, LicenseIssuer, NewDevice, NewLicense, NewTerms, SigningKey, UnixSeconds};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    /// let now = UnixSeconds::new(1_795_230_000).ok_or("out of range")?;
    /// let mut request = NewLicense {
    ///     jti: "licence-1",
    ///     subject: "tenant-1",
    ///     audience: "my-app",
    ///     ttl_s: 30 * 86_400,
    ///     device: NewDevice { components: &[("fingerprint", "a1b2c3")], policy: DevicePolicy::All },
    ///     terms: NewTerms::default(),
    ///     status: None,
    /// };
    /// let bytes = LicenseIssuer::token_bytes("https://licenses.example", now, &request)?;
    /// let issuer = LicenseIssuer::new(SigningKey::generate(&mut rng), "https://licenses.example")?;
    /// assert_eq!(issuer.issue(now, &mut rng, &request)?.token.len(), bytes);
    ///
    /// let plan = "p".repeat(3_000);
    /// request.terms.plan = Some(&plan);
    /// let refused = LicenseIssuer::token_bytes("https://licenses.example", now, &request);
    /// assert!(matches!(refused, Err(IssueError::TooLong { bytes: 4_097.. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`issue`](Self::issue).
    pub fn token_bytes(
        issuer: &str,
        now: UnixSeconds,
        request: &NewLicense<'_>,
    ) -> Result<usize, IssueError> {
        check_issuer(issuer)?;
        // The thumbprint of a key and the salt have one length, whatever they are.
        let payload = payload(issuer, now, [0; 16], request)?;
        let bytes = token_length(payload.len());
        if bytes > MAX_TOKEN_BYTES {
            return Err(IssueError::TooLong { bytes });
        }
        read_payload(issuer, [b'A'; 43], &payload)?;
        Ok(bytes)
    }

    /// Signs a payload that this issuer has issued before ([`IssuedLicense::payload`]): the same key gives the same
    /// token, byte for byte, because Ed25519 is deterministic. So an answer can be given again without a token that
    /// lies about in between.
    ///
    /// ```
    /// # use nexa_core::{DevicePolicy, LicenseIssuer, NewDevice, NewLicense, NewTerms, SigningKey, UnixSeconds};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    /// # let now = UnixSeconds::new(1_795_230_000).ok_or("out of range")?;
    /// # let issuer = LicenseIssuer::new(SigningKey::generate(&mut rng), "https://licenses.example")?;
    /// # let request = NewLicense {
    /// #     jti: "licence-1", subject: "tenant-1", audience: "my-app", ttl_s: 30 * 86_400,
    /// #     device: NewDevice { components: &[("fingerprint", "a1b2c3")], policy: DevicePolicy::All },
    /// #     terms: NewTerms::default(), status: None,
    /// # };
    /// let issued = issuer.issue(now, &mut rng, &request)?;
    /// assert_eq!(issuer.sign_again(issued.payload.clone())?, issued);
    /// assert!(issuer.sign_again("{}".to_owned()).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A checker with this issuer's key would have refused it when it was issued: it is damaged, or another issuer's.
    pub fn sign_again(&self, payload: String) -> Result<IssuedLicense, IssueError> {
        let bytes = token_length(payload.len());
        if bytes > MAX_TOKEN_BYTES {
            return Err(IssueError::TooLong { bytes });
        }
        let kid = self.key.verification_key().kid_bytes();
        let (jti, not_before, expires_at) = read_payload(&self.issuer, kid, &payload)?;
        Ok(IssuedLicense {
            token: self.key.sign_compact(LICENSE_TYP, &payload),
            payload,
            jti,
            not_before,
            expires_at,
        })
    }
}

/// How long a token of a payload of so many bytes is: the header and the signature have one length each.
const fn token_length(payload_bytes: usize) -> usize {
    const HEADER_BYTES: usize = r#"{"alg":"EdDSA","typ":"license+jwt","kid":""}"#.len() + KID_BYTES;
    const KID_BYTES: usize = 43;
    const SIGNATURE_BYTES: usize = 64;
    const fn encoded(bytes: usize) -> usize {
        (bytes * 4).div_ceil(3)
    }
    encoded(HEADER_BYTES) + 1 + encoded(payload_bytes) + 1 + encoded(SIGNATURE_BYTES)
}

/// Reads a payload with the checker's own reader, so that nothing is signed which it would refuse: id, first second, end.
fn read_payload(
    issuer: &str,
    kid: [u8; 43],
    payload: &str,
) -> Result<(String, UnixSeconds, UnixSeconds), IssueError> {
    let mut scratch = Scratch::new();
    let claims = jws::read_unsigned_payload(payload.as_bytes(), &mut scratch)?;
    let audience = text(&claims, "aud", Claim::Aud)?;
    let issued_at = seconds(&claims, "iat", Claim::Iat)?;
    let expect = LicenseExpectations::new(issuer, audience, DeviceExpectation::NotChecked);
    let license = read_claims(&claims, kid, &expect, issued_at)?;
    let jti = license.jti().to_string();
    Ok((jti, license.not_before(), license.expires_at()))
}

/// The claims, after their own rules.
fn payload(
    issuer: &str,
    now: UnixSeconds,
    salt: [u8; 16],
    request: &NewLicense<'_>,
) -> Result<String, IssueError> {
    let expires_at = check_request(now, request)?;
    let not_before = UnixSeconds::new(now.get().saturating_sub(CLOCK_SKEW_S)).unwrap_or(now);

    let mut payload = String::with_capacity(512);
    let mut claims = ObjectWriter::open(&mut payload);
    claims.string("iss", issuer);
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
    Ok(payload)
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
