//! The command line: one file per subcommand.

mod audit;
mod audit_verify;
mod backup;
mod check_config;
mod credits;
mod data_folder;
mod exit;
mod import_lines;
mod input;
mod jwks;
mod key;
mod key_export;
mod key_import;
mod keyset;
mod license;
mod license_issue;
mod license_request;
mod license_verify;
mod openapi;
mod operator_key;
mod output;
mod running_server;
mod serve;
mod status;
mod status_folder;
mod tenants;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use exit::{Exit, Failure};
use output::remark;

/// Authentication and licensing in one binary.
#[derive(Parser)]
#[command(name = "nexa", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Serve),
    /// Make, hash and check API keys, without a server; import and export the hashes of a running one.
    Key(key::Key),
    /// Ask for, issue, verify and inspect licences.
    License(license::License),
    /// Print the public keys of a data folder or of a signing key as a JWK set.
    Jwks(jwks::Jwks),
    /// Rotate, revoke, sign and export the keys of a server.
    Keyset(keyset::Keyset),
    /// Export what clients without a network need to know of revocations.
    Status(status::Status),
    /// Print the server's API as an OpenAPI document.
    Openapi,
    /// Check a configuration file and say what is wrong with it.
    CheckConfig(check_config::CheckConfig),
    /// Copy the database of a data folder, also while a server runs on it.
    Backup(backup::Backup),
    /// Make another operator key.
    OperatorKey(operator_key::OperatorKey),
    /// List, show, disable and enable the tenants of a running server.
    Tenants(tenants::Tenants),
    /// Show and grant credits of a tenant of a running server.
    Credits(credits::Credits),
    /// Checkpoint and verify the audit trail.
    Audit(audit::Audit),
}

/// Runs the program with the arguments of this process.
pub fn run() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => dispatch(cli.command),
        Err(error) => {
            let is_help = !error.use_stderr();
            // Printing fails only when nobody reads it any more.
            let _ = error.print();
            return if is_help { Exit::Success } else { Exit::Usage }.into();
        }
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            remark(&format!("nexa: {failure}"));
            failure.exit().into()
        }
    }
}

fn dispatch(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Key(key) => key.run(),
        Command::License(license) => license.run(),
        Command::Jwks(jwks) => jwks.run(),
        Command::Keyset(keyset) => keyset.run(),
        Command::Status(status) => status.run(),
        Command::Openapi => openapi::run(),
        Command::CheckConfig(check_config) => check_config.run(),
        Command::Backup(backup) => backup.run(),
        Command::OperatorKey(operator_key) => operator_key.run(),
        Command::Tenants(tenants) => tenants.run(),
        Command::Credits(credits) => credits.run(),
        Command::Audit(audit) => audit.run(),
    }
}
