//! `nexa keyset show|rotate|revoke|export|sign|import`: the keys of a server, and the key set that says which they are.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand, ValueEnum};
use nexa_core::{KeySetContents, UnixSeconds, VerificationKey, public_jwks, sign_key_set};
use serde_json::{Value, json};
use ureq::http::Method;

use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::input::{read_file, read_signing_key};
use super::output::{print_line, remark, write_file};
use super::running_server::RunningServer;
use crate::domain::server_keys::key_set;
use crate::serve::now;
use crate::store::key_sets::{self, KeySetRow};
use crate::store::{DATABASE_FILE, MIGRATIONS, ReadOnly, StoreError};

const PATH: &str = "/api/operator/keyset";

#[derive(Args)]
pub(super) struct Keyset {
    #[command(subcommand)]
    command: KeysetCommand,
}

#[derive(Subcommand)]
enum KeysetCommand {
    /// List the keys of a running server, one a line: id, use, state, and the time that belongs to it.
    Show {
        #[command(flatten)]
        server: RunningServer,
    },
    /// Have a running server put up its next key and print its id. It is published at once, or as soon as the root key has
    /// signed, and signs later; the one before verifies what it signed.
    Rotate(Rotate),
    /// End all trust in a key of a running server: everything that it signed is dead.
    Revoke {
        /// Its id.
        // It is base64url, so it may begin with a dash.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        #[command(flatten)]
        server: RunningServer,
    },
    /// Write the newest key set of a data folder, also while a server runs on it.
    Export(Export),
    /// Sign a key set where the root key is; says on standard error what it is about.
    Sign(Sign),
    /// Publish a signed key set on a running server.
    Import {
        /// What `nexa keyset sign` has written.
        file: PathBuf,
        #[command(flatten)]
        server: RunningServer,
    },
}

#[derive(Args)]
struct Rotate {
    /// What the key is for.
    #[arg(long = "use", value_enum)]
    key_use: RotatedUse,
    /// How long it is published before it signs, in hours.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=8760))]
    lead: u32,
    /// For how many days from then on the key before it verifies at least: for licences that were issued with its file
    /// by the command line. What the server has issued is known.
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=800))]
    keep: u32,
    #[command(flatten)]
    server: RunningServer,
}

#[derive(Clone, Copy, ValueEnum)]
enum RotatedUse {
    /// Licences and access tokens.
    License,
    /// What is told of revocations.
    Status,
}

#[derive(Args)]
struct Export {
    /// The root key's public half instead, as a JWK set: what a client embeds.
    #[arg(long, conflicts_with = "unsigned")]
    root: bool,
    /// The next key set without a signature instead: what `nexa keyset sign` takes.
    #[arg(long)]
    unsigned: bool,
    /// Where to write; to standard output without it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    data: DataFolder,
}

#[derive(Args)]
struct Sign {
    /// What `nexa keyset export --unsigned` has written.
    file: PathBuf,
    /// The root key: an Ed25519 private key as PKCS#8 PEM.
    #[arg(long, value_name = "FILE")]
    root_key: PathBuf,
    /// The issuer: the server's public URL.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// Where to write; to standard output without it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Keyset {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            KeysetCommand::Show { server } => show(&server),
            KeysetCommand::Rotate(rotate) => rotate.run(),
            KeysetCommand::Revoke { kid, server } => {
                let path = format!("{PATH}/revoke");
                let body = json!({ "kid": kid });
                let is_current = server.tell(Method::POST, &path, Some(&body), is_current)?;
                remark_if_old(is_current);
                Ok(Exit::Success)
            }
            KeysetCommand::Export(export) => export.run(),
            KeysetCommand::Sign(sign) => sign.run(),
            KeysetCommand::Import { file, server } => {
                let body = json!({ "keySet": URL_SAFE_NO_PAD.encode(read_file(&file)?) });
                server.tell(Method::PUT, PATH, Some(&body), is_current)?;
                Ok(Exit::Success)
            }
        }
    }
}

fn show(server: &RunningServer) -> Result<Exit, Failure> {
    let (lines, is_current) = server.tell(Method::GET, PATH, None, |body| {
        let keys = body.get("keys").and_then(Value::as_array)?;
        let lines: Option<Vec<String>> = keys.iter().map(line).collect();
        Some((lines?, is_current(body)?))
    })?;
    for line in lines {
        print_line(&line)?;
    }
    remark_if_old(is_current);
    Ok(Exit::Success)
}

/// A key as one line.
fn line(key: &Value) -> Option<String> {
    let text = |name| key.get(name).and_then(Value::as_str);
    let (kid, key_use, state) = (text("kid")?, text("use")?, text("state")?);
    let mut line = format!("{kid} {key_use} {state}");
    let times = [
        ("signsFrom", "from"),
        ("verifiesUntil", "until"),
        ("revokedAt", "at"),
    ];
    for (name, word) in times {
        if let Some(time) = text(name) {
            line.push_str(&format!(" {word} {time}"));
        }
    }
    Some(line)
}

fn is_current(body: &Value) -> Option<bool> {
    body.get("isCurrent").and_then(Value::as_bool)
}

fn remark_if_old(is_current: bool) {
    if !is_current {
        remark(
            "nexa: the root key has to sign what is so now: nexa keyset export --unsigned, sign, import",
        );
    }
}

impl Rotate {
    fn run(self) -> Result<Exit, Failure> {
        let key_use = match self.key_use {
            RotatedUse::License => "license",
            RotatedUse::Status => "status",
        };
        let body = json!({ "use": key_use, "inHours": self.lead, "keepDays": self.keep });
        let path = format!("{PATH}/rotate");
        let (kid, signs_from) = self.server.tell(Method::POST, &path, Some(&body), |made| {
            let text = |name| made.get(name).and_then(Value::as_str).map(str::to_owned);
            Some((text("kid")?, text("signsFrom")))
        })?;
        match signs_from {
            Some(time) => remark(&format!("nexa: it is published and signs from {time}")),
            None => remark_if_old(false),
        }
        print_line(&kid)?;
        Ok(Exit::Success)
    }
}

impl Export {
    fn run(self) -> Result<Exit, Failure> {
        let store = read_only(&self.data.with_store()?)?;
        let row = newest(&store)?;
        let written = match (self.root, self.unsigned) {
            (true, _) => {
                let root = VerificationKey::from_bytes(&row.root)
                    .map_err(|error| Failure::failed(format!("recorded root key: {error}")))?;
                format!("{}\n", public_jwks(&[root])).into_bytes()
            }
            (false, true) => store
                .read(|tx| key_set::unsigned(tx, now()))
                .map_err(Failure::failed)?,
            (false, false) => row.signed,
        };
        write_file(self.output.as_deref(), &written)?;
        Ok(Exit::Success)
    }
}

impl Sign {
    fn run(self) -> Result<Exit, Failure> {
        let named = |error: &dyn std::fmt::Display| {
            Failure::usage(format!("{}: {error}", self.file.display()))
        };
        nexa_core::check_issuer(&self.issuer)
            .map_err(|error| Failure::usage(format!("--issuer: {error}")))?;
        let unsigned = read_file(&self.file)?;
        let contents = KeySetContents::read_unsigned(&unsigned).map_err(|error| named(&error))?;
        let root = read_signing_key(&self.root_key)?;
        let signed = sign_key_set(&unsigned, &root, &self.issuer).map_err(|error| named(&error))?;
        for line in described(&contents) {
            remark(&line);
        }
        write_file(self.output.as_deref(), &signed)?;
        Ok(Exit::Success)
    }
}

/// What a key set says, for whoever signs it.
fn described(contents: &KeySetContents<'_>) -> Vec<String> {
    let time = |time: UnixSeconds| crate::time::UnixMillis::from(time).to_rfc3339();
    let head = format!(
        "nexa: key set {} of {}",
        contents.seq(),
        time(contents.issued_at())
    );
    let keys = contents.keys().map(|entry| {
        let (kid, key_use) = (entry.key.kid(), entry.key_use.name());
        match entry.not_after {
            Some(end) => format!("nexa: {kid} {key_use} until {}", time(end)),
            None => format!("nexa: {kid} {key_use}"),
        }
    });
    let revoked = contents.revoked().map(|revoked| {
        let kid = URL_SAFE_NO_PAD.encode(revoked.thumbprint);
        format!("nexa: {kid} revoked at {}", time(revoked.revoked_at))
    });
    std::iter::once(head).chain(keys).chain(revoked).collect()
}

/// The store of a data folder, read beside whoever owns it.
pub(super) fn read_only(data: &Path) -> Result<ReadOnly, Failure> {
    ReadOnly::open(&data.join(DATABASE_FILE), MIGRATIONS)
        .map_err(|error| Failure::failed(format!("{}: {error}", data.display())))
}

/// The newest key set.
pub(super) fn newest(store: &ReadOnly) -> Result<KeySetRow, Failure> {
    store
        .read(key_sets::newest)
        .map_err(|error: StoreError| Failure::failed(error))?
        .ok_or_else(|| Failure::usage("there is no key set yet: start the server once"))
}
