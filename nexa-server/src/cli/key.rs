//! `nexa key new|hash|check|import|export`.

use clap::{Args, Subcommand};
use nexa_core::{KeyDigest, KeyFormat, KeyShape, PlainKey};
use serde_json::json;

use super::exit::{Exit, Failure};
use super::input::each_line;
use super::key_export::KeyExport;
use super::key_import::KeyImport;
use super::output::print_line;
use crate::serve::rng;

/// Longer lines are no keys.
const KEY_MAX: usize = 256;

#[derive(Args)]
pub(super) struct Key {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Print a new key. A server does not know it until it is imported.
    New {
        /// What the key starts with.
        #[arg(long, value_enum, default_value_t = Prefix::Nexa)]
        prefix: Prefix,
        /// Print one JSON object: key, prefix, sha256.
        #[arg(long)]
        json: bool,
    },
    /// Read keys from standard input, one a line, and print the SHA-256 of each in hex. A line that
    /// no request could present as a key (blanks, a carriage return) ends it with exit code 2.
    Hash,
    /// Read keys from standard input, one a line, and say of each whether it has the shape and the
    /// checksum of a key; with --sha256, whether it is the key behind that hash. Exit code 1 when
    /// some are not; empty input holds none that is not, so it ends with 0.
    Check {
        /// What the keys start with.
        #[arg(long, value_enum, default_value_t = Prefix::Nexa)]
        prefix: Prefix,
        /// The SHA-256 of the expected key, in hex.
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
    },
    /// Give a running server keys that another program has issued, of which only hashes are known: JSON Lines, or one hash a
    /// line. Exit code 1 when some lines were refused; all others are imported. It can be run again: what is there stays.
    Import(KeyImport),
    /// Print all keys of a running server by their hashes, as JSON Lines that import reads.
    Export(KeyExport),
}

impl Key {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            KeyCommand::New { prefix, json } => new(prefix, json),
            KeyCommand::Hash => hash(),
            KeyCommand::Check { prefix, sha256 } => check(prefix, sha256.as_deref()),
            KeyCommand::Import(import) => import.run(),
            KeyCommand::Export(export) => export.run(),
        }
    }
}

fn new(prefix: Prefix, as_json: bool) -> Result<Exit, Failure> {
    let key = prefix.format().generate(&mut rng());
    if as_json {
        let shown =
            json!({ "key": key.expose(), "prefix": key.prefix(), "sha256": key.digest().to_hex() });
        print_line(&shown.to_string())?;
    } else {
        print_line(key.expose())?;
    }
    Ok(Exit::Success)
}

fn hash() -> Result<Exit, Failure> {
    each_line(KEY_MAX, |line| {
        // The rule of the server: what no request could present must not get a hash that looks like one of a key.
        let key = std::str::from_utf8(line)
            .ok()
            .and_then(PlainKey::from_presented);
        let key = key.ok_or_else(|| {
            Failure::Usage(format!(
                "a key is 1 to {KEY_MAX} printable ASCII characters, without blanks and carriage returns"
            ))
        })?;
        print_line(&key.digest().to_hex())
    })?;
    Ok(Exit::Success)
}

fn check(prefix: Prefix, sha256: Option<&str>) -> Result<Exit, Failure> {
    let format = prefix.format();
    let expected = sha256.map(KeyDigest::from_hex).transpose();
    let expected = expected.map_err(|error| Failure::Usage(format!("--sha256: {error}")))?;
    let mut exit = Exit::Success;
    each_line(KEY_MAX, |line| {
        let verdict = match &expected {
            // The hash decides; a checksum only classifies.
            Some(digest) if digest.verify(line) => "match",
            Some(_) => "no_match",
            None => shape(&format, line),
        };
        if !matches!(verdict, "match" | "plausible") {
            exit = Exit::NotValid;
        }
        print_line(verdict)
    })?;
    Ok(exit)
}

fn shape(format: &KeyFormat, line: &[u8]) -> &'static str {
    match std::str::from_utf8(line).map_or(KeyShape::WrongShape, |text| format.classify(text)) {
        KeyShape::Plausible => "plausible",
        KeyShape::WrongChecksum => "wrong_checksum",
        KeyShape::WrongShape => "wrong_shape",
    }
}

/// The published key formats.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Prefix {
    #[value(name = "nex_")]
    Nexa,
    #[value(name = "nxr_")]
    Nexora,
    #[value(name = "sk_live_")]
    DialNexa,
}

impl Prefix {
    const fn format(self) -> KeyFormat {
        match self {
            Self::Nexa => KeyFormat::NEXA,
            Self::Nexora => KeyFormat::NEXORA,
            Self::DialNexa => KeyFormat::DIALNEXA,
        }
    }
}
