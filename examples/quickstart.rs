//! An API key and a licence from their making to their end, in one process and with no server.
//!
//! ```text
//! cargo run -p nexa-examples --example quickstart
//! ```

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use nexa_core::{
    Decision, DeviceExpectation, DevicePolicy, KeyDigest, KeyFormat, KeySet, LicenseExpectations,
    LicenseIssuer, NewDevice, NewLicense, NewTerms, PlainKey, Requirement, RevocationFeed, Scope,
    ScopeSet, Scratch, SigningKey, UnixSeconds, check_license, public_jwks,
};
use rand_core::UnwrapErr;

fn main() -> Result<(), Box<dyn Error>> {
    api_key()?;
    licence()
}

fn api_key() -> Result<(), Box<dyn Error>> {
    // Made once and shown once; what is stored is the digest and the scopes.
    let key = KeyFormat::NEXA.generate(&mut UnwrapErr(SysRng));
    let stored: KeyDigest = key.digest();
    let held = ScopeSet::parse(["reports:*", "signals"])?;
    println!("a new key        {}", key.expose());
    println!("stored as        {}", stored.to_hex());

    // A request comes in with the key.
    let presented = PlainKey::from_presented(key.expose()).ok_or("not a key")?;
    println!("is it the key?   {}", stored.matches(&presented.digest()));
    for asked in ["reports:read", "agents"] {
        let requirement = Requirement::Scope(Scope::parse(asked)?);
        match held.missing(&requirement) {
            None => println!("may it {asked}?  yes"),
            Some(scope) => println!("may it {asked}?  API key missing required scope: {scope}"),
        }
    }
    Ok(())
}

fn licence() -> Result<(), Box<dyn Error>> {
    const ISSUER: &str = "https://auth.example.com";
    const APP: &str = "my-app";
    let mut rng = UnwrapErr(SysRng);
    let now = now()?;

    // The issuer's side: a signing key, a published key set, a licence for one device.
    let issuer = LicenseIssuer::new(SigningKey::generate(&mut rng), ISSUER)?;
    let jwks = public_jwks(&[issuer.verification_key()]);
    let request = NewLicense {
        jti: "licence-1",
        subject: "tenant-1",
        audience: APP,
        ttl_s: 30 * 86_400,
        device: NewDevice {
            components: &[("fingerprint", "a1b2c3")],
            policy: DevicePolicy::All,
        },
        terms: NewTerms {
            plan: Some("pro"),
            entitlements: &["export"],
            ..NewTerms::default()
        },
        status: None,
    };
    let token = issuer.issue(now, &mut rng, &request)?.token;
    println!("\nkey set          {jwks}");
    println!("licence          {token}");

    // The client's side: the key set, the name of issuer and app, its own fingerprint.
    let keys = KeySet::from_jwks(jwks.as_bytes())?;
    let device = DeviceExpectation::Components(&[("fingerprint", "a1b2c3")]);
    let expect = LicenseExpectations::new(ISSUER, APP, device);
    let mut scratch = Scratch::new();
    let report = check_license(&keys, &expect, now, token.as_bytes(), &mut scratch);
    println!("verdict          {}", report.verdict());
    let license = report.license().ok_or("no facts")?.claims();
    println!("may it export?   {}", license.terms().allows("export"));

    // The issuer revokes it; the client reads the feed and refuses.
    let feed = format!(
        r#"[{{"jti":"{}","revokedAt":"2026-11-21T03:00:00.000Z"}}]"#,
        license.jti()
    );
    let feed = RevocationFeed::read(feed.as_bytes())?;
    let expect = expect.with_revocations(&feed);
    let report = check_license(&keys, &expect, now, token.as_bytes(), &mut scratch);
    println!("after the feed   {}", report.verdict());
    match report.decision() {
        Decision::Deny => Ok(()),
        Decision::Allow => Err("a revoked licence must not pass".into()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program is where the clock is read; the library takes the time as an argument"
)]
fn now() -> Result<UnixSeconds, Box<dyn Error>> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(UnixSeconds::new(seconds).ok_or("the clock is out of range")?)
}
