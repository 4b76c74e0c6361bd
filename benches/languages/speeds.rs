//! How long one check takes in Node and in Python, against that language's own bare Ed25519 verification of the same message.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexa_benches::{Aim, Comparison, LicenseSample, Result};
use nexa_core::{KeySetEntry, KeyUse, NewKeySet, NewShard, SigningKey, StatusRef, VerificationKey};
use rand_core::UnwrapErr;
use serde_json::{Value, json};

/// Which shard the licence's status is in, and where. One in fifty of the others is revoked.
const SHARD: u32 = 7;
const POSITION: u16 = 4_001;
const REVOKED_STEP: usize = 50;

/// Installs the packages into `scratch` and prints a table for each language.
pub(crate) fn print(scratch: &Path) -> Result<()> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let packages = match env::var_os("NEXA_DIST") {
        // Cargo runs benches in their own folder; npm below runs in yet another.
        Some(folder) => fs::canonicalize(project.join(&folder))
            .map_err(|error| format!("NEXA_DIST is {}: {error}", folder.display()))?,
        None => build(&project, &scratch.join("dist"))?,
    };
    let sample = scratch.join("sample.json");
    fs::write(&sample, described()?)?;

    fs::copy(source("node.mjs"), scratch.join("node.mjs"))?;
    let tarball = find(&packages, ".tgz")?;
    let npm = ["install", "--silent", "--no-fund", "--no-audit", "jose@6"];
    run(Command::new("npm")
        .args(npm)
        .arg(tarball)
        .current_dir(scratch))?;
    let mut node = Command::new("node");
    table(
        "Node",
        "`crypto.verify` of the same message",
        node.arg(scratch.join("node.mjs")).arg(&sample),
    )?;

    let venv = scratch.join("python");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let pip = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "PyJWT[crypto]>=2.10,<3",
    ];
    let wheel = find(&packages, ".whl")?;
    run(Command::new(venv.join("bin/pip")).args(pip).arg(wheel))?;
    let mut python = Command::new(venv.join("bin/python"));
    table(
        "Python",
        "`Ed25519PublicKey.verify` (cryptography) of the same message",
        python.arg(source("python.py")).arg(&sample),
    )
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("languages")
        .join(name)
}

/// Builds both packages as they are shipped.
fn build(project: &Path, packages: &Path) -> Result<PathBuf> {
    for language in ["js", "python"] {
        let script = project.join("nexa-verify").join(language).join("build");
        run(Command::new(script).arg(packages).stdout(Stdio::null()))?;
    }
    Ok(packages.to_owned())
}

fn find(folder: &Path, ending: &str) -> Result<PathBuf> {
    let files: std::io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
    let mut paths = files?.into_iter().map(|file| file.path());
    paths
        .find(|path| path.to_string_lossy().ends_with(ending))
        .ok_or_else(|| format!("no package {ending} in {}", folder.display()).into())
}

fn run(command: &mut Command) -> Result<()> {
    match command.status()?.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed").into()),
    }
}

/// The licence and all that is needed to check it, as JSON: its key for a verifier; for a client the root key, and the key set
/// and the shard that it receives.
fn described() -> Result<String> {
    let status = StatusRef {
        index: POSITION,
        uri: &format!("{}/status/{SHARD}", LicenseSample::ISSUER),
    };
    let sample = LicenseSample::issue_with(Some(status)).map_err(|error| error.to_string())?;
    let [root, status_key] =
        [(); 2].map(|()| SigningKey::generate(&mut UnwrapErr(getrandom::SysRng)));
    let entry = |key_use, key| KeySetEntry {
        key_use,
        key,
        not_before: sample.issued_at,
        not_after: None,
    };
    let key_set = NewKeySet {
        seq: 1,
        issued_at: sample.issued_at,
        keys: &[
            entry(KeyUse::License, sample.key.clone()),
            entry(KeyUse::Status, status_key.verification_key()),
        ],
        revoked: &[],
    };
    let revoked: Vec<u16> = (0..=u16::MAX).step_by(REVOKED_STEP).collect();
    let shard = NewShard {
        number: SHARD,
        seq: 1,
        this_update: sample.issued_at,
        next_update: sample.issued_at.plus(7_200).ok_or("out of range")?,
        revoked: &revoked,
    };
    let device: serde_json::Map<_, _> = LicenseSample::DEVICE
        .iter()
        .map(|(kind, value)| ((*kind).to_owned(), json!(value)))
        .collect();
    Ok(json!({
        "token": sample.token,
        "jwk": jwk(&sample.key),
        "root": jwk(&root.verification_key()),
        "documents": {
            "key_set": URL_SAFE_NO_PAD.encode(key_set.sign(&root, LicenseSample::ISSUER)?),
            "shard": URL_SAFE_NO_PAD.encode(shard.sign(&status_key, LicenseSample::ISSUER)?),
        },
        "issuer": LicenseSample::ISSUER,
        "audience": LicenseSample::APP,
        "device": device,
        "now": sample.issued_at.get(),
    })
    .to_string())
}

fn jwk(key: &VerificationKey) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.to_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key.kid(), "alg": "EdDSA", "use": "sig"})
}

/// Prints what the script measures: a line for each comparison, with name, baseline, subject, ratio and its quartiles.
fn table(language: &str, baseline: &str, script: &mut Command) -> Result<()> {
    let output = script.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the script for {language} failed").into());
    }
    println!(
        "### One check in {language}\n\nBaseline: {baseline}.\n\n{}",
        Comparison::HEAD
    );
    for line in std::str::from_utf8(&output.stdout)?.lines() {
        let (name, numbers) = line.split_once('\t').ok_or("a line without numbers")?;
        let numbers: std::result::Result<Vec<f64>, _> =
            numbers.split('\t').map(str::parse).collect();
        let [baseline_ns, subject_ns, ratio, low, high] = numbers?[..] else {
            return Err(format!("{line:?} has not five numbers").into());
        };
        let found = Comparison {
            baseline_ns,
            subject_ns,
            ratio,
            ratio_quartiles: (low, high),
        };
        println!("{}", found.row(name, Aim::None));
    }
    println!();
    Ok(())
}
