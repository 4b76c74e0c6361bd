//! Keys and licences in process: a data folder, and no socket.
//!
//! ```text
//! cargo run -p nexa-examples --example embedded_keys
//! ```
//!
//! It opens a folder of its own, and leaves nothing behind.

use std::error::Error;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::Request;
use hyper::body::Bytes;
use nexa_server::{Ask, Config, NewKey, NewLicense, Nexa, Overrides};
use nexa_verify::{Decision, DeviceExpectation, RevocationFeed, Scratch, UnixSeconds, Verifier};

const ISSUER: &str = "https://keys.example.com";
/// The one app of the sample configuration.
const APP: &str = "agentyk-engine";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    walk(folder.path().join("nexa-data"))
}

fn walk(data: PathBuf) -> Result<(), Box<dyn Error>> {
    // Scopes and apps are those of the sample configuration; `Config::from_toml` takes your own.
    let config = Config::load(
        None,
        Overrides {
            data: Some(data),
            public_url: Some(ISSUER.to_owned()),
            ..Overrides::default()
        },
    )?;
    let nexa = Nexa::open(config)?;

    // Once for each customer; keep the id beside what you know of them.
    let customer = nexa.register_agent("Build robot")?.tenant_id;
    let tenant = nexa.tenant(customer);

    let made = tenant.create_key(NewKey::new("ci").scopes(["signals"]))?;
    println!("key {}: {}", made.id, made.key.expose());
    let ask = Ask::new().scope("signals".parse()?);
    let facts = nexa.check_key(made.key.expose(), &ask)?;
    println!("passes, for tenant {}", facts.tenant_id());
    let more = Ask::new().scope("positions".parse()?);
    println!("{}", refused(nexa.check_key(made.key.expose(), &more))?);

    tenant.revoke_key(&made.id)?;
    println!("{}", refused(nexa.check_key(made.key.expose(), &ask))?);

    let licence = tenant.issue_license(&NewLicense::new(APP, "my-laptop", "linux"))?;
    println!(
        "licence {}: {}",
        licence.jti,
        allowed(&nexa, &licence.token)?
    );
    tenant.revoke_license(&licence.jti, Some("lost laptop"))?;
    println!(
        "licence {}: {}",
        licence.jti,
        allowed(&nexa, &licence.token)?
    );

    nexa.close()?;
    Ok(())
}

/// Why a check was refused; that one passes is an error here.
fn refused<T>(checked: Result<T, nexa_server::CheckError>) -> Result<String, Box<dyn Error>> {
    match checked {
        Ok(_) => Err("the key passed".into()),
        Err(error) => Ok(error.to_string()),
    }
}

/// What the licensed program on the other side finds, with what the server publishes.
fn allowed(nexa: &Nexa, token: &str) -> Result<&'static str, Box<dyn Error>> {
    let keys = published(nexa, "/.well-known/jwks.json")?;
    let revoked = published(nexa, "/api/licenses/revocations")?;
    let components = [("fingerprint", "my-laptop")];
    let device = DeviceExpectation::Components(&components);
    let feed = RevocationFeed::read(&revoked)?;
    let verifier = Verifier::new(&keys, ISSUER, APP, device)?.with_revocations(&feed);
    let mut scratch = Scratch::new();
    let report = verifier.check(now()?, token.as_bytes(), &mut scratch);
    Ok(match report.decision() {
        Decision::Allow => "allowed",
        Decision::Deny => "denied",
    })
}

/// The whole HTTP API is a function call.
fn published(nexa: &Nexa, path: &str) -> Result<Bytes, Box<dyn Error>> {
    let request = Request::get(path).body(Bytes::new())?;
    let response = nexa.call([127, 0, 0, 1].into(), request);
    match response.status().is_success() {
        true => Ok(response.into_body()),
        false => Err(format!("{path}: {}", response.status()).into()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_ends_well_and_again_on_the_same_folder() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        walk(folder.path().to_owned())?;
        walk(folder.path().to_owned())
    }

    #[test]
    fn a_revoked_licence_is_denied_and_a_whole_one_is_not() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let overrides = Overrides {
            data: Some(folder.path().to_owned()),
            public_url: Some(ISSUER.to_owned()),
            ..Overrides::default()
        };
        let nexa = Nexa::open(Config::load(None, overrides)?)?;
        let tenant = nexa.tenant(nexa.register_agent("Build robot")?.tenant_id);
        let licence = tenant.issue_license(&NewLicense::new(APP, "my-laptop", "linux"))?;
        assert_eq!(allowed(&nexa, &licence.token)?, "allowed");
        tenant.revoke_license(&licence.jti, None)?;
        assert_eq!(allowed(&nexa, &licence.token)?, "denied");
        Ok(())
    }
}
