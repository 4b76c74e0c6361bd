//! A licensed program's whole client: it keeps what it knows in a file, fetches what it lacks, and says what it found.
//!
//! ```text
//! cargo run -p nexa-examples --example licensed_app -- ROOT LICENCE ISSUER APP FINGERPRINT STATE [FOLDER]
//! ```
//!
//! ROOT is what `nexa keyset export --root` printed (a real program embeds it with `include_bytes!`), LICENCE holds the token,
//! STATE is where the program keeps what it has learnt. Without FOLDER it fetches from the issuer; FOLDER is what `nexa status
//! export` has written, for a machine without a network.

use std::error::Error;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use nexa_verify::{
    Client, Decision, DeviceExpectation, Fetch, Scratch, State, Trust, UnixSeconds, Wanted,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [root, licence, issuer, app, fingerprint, kept, folder @ ..] = arguments.as_slice() else {
        return Err(
            "usage: licensed_app ROOT LICENCE ISSUER APP FINGERPRINT STATE [FOLDER]".into(),
        );
    };
    let components = [("fingerprint", fingerprint.as_str())];
    let device = DeviceExpectation::Components(&components);
    let client = Client::new(Trust::root(&fs::read(root)?)?, issuer, app, device);
    let token = fs::read_to_string(licence)?;
    let mut state = match fs::read(kept) {
        // Whoever can damage it can remove it; so a program that would not go on without it gains nothing.
        Ok(bytes) => State::restore(&bytes, fingerprint.as_bytes()).unwrap_or_else(|fault| {
            eprintln!("{kept}: {fault}; it begins anew");
            State::new()
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => State::new(),
        Err(error) => return Err(format!("{kept}: {error}").into()),
    };

    let mut scratch = Scratch::new();
    let start = started();
    let decision = loop {
        let checked = client.check(
            &mut state,
            now()?,
            Some(start.elapsed().as_secs()),
            token.trim_end().as_bytes(),
            &mut scratch,
        );
        if let Some(fetch) = checked.next_fetch() {
            let wanted = fetch.document;
            match fetched(&fetch, folder.first().map(Path::new)) {
                Ok(bytes) => {
                    println!("{:?}: {} bytes for {wanted:?}", fetch.why, bytes.len());
                    if let Err(error) = client.receive(&mut state, wanted, &bytes) {
                        println!("{wanted:?} is refused: {error}");
                    }
                }
                // Without news it goes on with what it knows; the licence says for how long.
                Err(error) => {
                    println!("{:?}: {wanted:?} cannot be had: {error}", fetch.why);
                    client.failed(&mut state, wanted);
                }
            }
            continue;
        }
        println!("{}: {}", checked.verdict().code(), checked.verdict());
        if let Some(report) = checked.report() {
            println!("revocation data: {:?}", report.freshness());
        }
        println!("clock: {:?}", checked.clock());
        break checked.decision();
    };
    let mut buffer = [0; State::MAX_BYTES];
    let bytes = state
        .save(fingerprint.as_bytes(), &mut buffer)
        .ok_or("the buffer is too short")?;
    // Beside it and then in its place: half a state would be refused in the next run.
    let new = format!("{kept}.new");
    let mut file = fs::File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, kept)?;
    Ok(match decision {
        Decision::Allow => ExitCode::SUCCESS,
        Decision::Deny => ExitCode::FAILURE,
    })
}

/// The bytes of a document: from the issuer, or from a folder that was brought here.
fn fetched(fetch: &Fetch<'_>, folder: Option<&Path>) -> Result<Vec<u8>, Box<dyn Error>> {
    match (folder, fetch.document) {
        (Some(folder), Wanted::KeySet) => Ok(fs::read(folder.join("keyset.nexa"))?),
        (Some(folder), Wanted::Shard { number, .. }) => {
            Ok(fs::read(folder.join(format!("shards/{number}.shard")))?)
        }
        (None, _) => {
            let mut response = ureq::get(fetch.to_string()).call()?;
            Ok(response.body_mut().read_to_vec()?)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "as in now")]
fn started() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program is where the clock is read; the library takes the time as an argument"
)]
fn now() -> Result<UnixSeconds, Box<dyn Error>> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(UnixSeconds::new(seconds).ok_or("the clock is out of range")?)
}
