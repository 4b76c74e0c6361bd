//! What the benches check: a licence of ordinary size, and its parts.
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexa_core::{
    DevicePolicy, LicenseIssuer, NewDevice, NewLicense, NewTerms, SigningKey, StatusRef,
    UnixSeconds, VerificationKey,
};

/// A licence and what is needed to check it.
pub struct LicenseSample {
    /// The whole token, 763 bytes without a status.
    pub token: String,
    /// Its signature, decoded.
    pub signature: [u8; 64],
    /// The key that it holds under.
    pub key: VerificationKey,
    /// When it was issued: now, because other crates read the clock themselves.
    pub issued_at: UnixSeconds,
}

impl LicenseSample {
    /// The issuer's URL.
    pub const ISSUER: &str = "https://auth.example.com";
    /// The app's id.
    pub const APP: &str = "agentyk-engine";
    /// The device the licence is for.
    pub const DEVICE: [(&str, &str); 1] = [("fingerprint", "8f2c1b7ad05e4c0f9b6e3d2a1c4f5e6d")];

    /// Issues a licence such as a server would: 30 days, one fingerprint, a plan, entitlements, a limit.
    ///
    /// # Errors
    /// None is expected; the issuer's are passed on.
    pub fn issue() -> Result<Self, Box<dyn Error>> {
        Self::issue_with(None)
    }

    /// The same with a place among the licences that may be revoked.
    ///
    /// # Errors
    /// As [`issue`](Self::issue).
    pub fn issue_with(status: Option<StatusRef<'_>>) -> Result<Self, Box<dyn Error>> {
        let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
        let issued_at = now()?;
        let issuer = LicenseIssuer::new(SigningKey::generate(&mut rng), Self::ISSUER)?;
        let token = issuer
            .issue(
                issued_at,
                &mut rng,
                &NewLicense {
                    jti: "0193a1f2-7b7c-7d3e-8f4a-5b6c7d8e9f01",
                    subject: "0193a1f0-1a2b-7c3d-9e4f-0a1b2c3d4e5f",
                    audience: Self::APP,
                    ttl_s: 30 * 86_400,
                    device: NewDevice {
                        components: &Self::DEVICE,
                        policy: DevicePolicy::All,
                    },
                    terms: NewTerms {
                        plan: Some("pro"),
                        entitlements: &["export", "backtest", "live"],
                        limits: &[("seats", 5)],
                        grace_s: 3 * 86_400,
                        ..NewTerms::default()
                    },
                    status,
                },
            )?
            .token;
        let (_, signature) = token.rsplit_once('.').ok_or("a token has two dots")?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or("a signature is 64 bytes in base64url")?;
        Ok(Self {
            key: issuer.verification_key(),
            token,
            signature,
            issued_at,
        })
    }

    /// What the signature is made over: header, dot and payload.
    #[must_use]
    pub fn signed(&self) -> &[u8] {
        let (signed, _) = self.token.rsplit_once('.').unwrap_or_default();
        signed.as_bytes()
    }

    /// The token with another header.
    #[must_use]
    pub fn with_header(&self, header: &str) -> String {
        let (_, rest) = self.token.split_once('.').unwrap_or_default();
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
    }

    /// The token with another signature.
    #[must_use]
    pub fn with_signature(&self, signature: &[u8]) -> String {
        let (signed, _) = self.token.rsplit_once('.').unwrap_or_default();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The time.
///
/// # Errors
/// The clock stands before 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the other crates read the clock themselves, so the licence must be of today"
)]
pub fn now() -> Result<UnixSeconds, Box<dyn Error>> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(UnixSeconds::new(seconds).ok_or("the clock is out of range")?)
}
