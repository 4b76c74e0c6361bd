//! The binary `nexa`.

use std::process::ExitCode;

fn main() -> ExitCode {
    nexa_server::run_command_line()
}
