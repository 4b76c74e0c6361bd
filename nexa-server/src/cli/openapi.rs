//! `nexa openapi`.

use super::exit::{Exit, Failure};
use super::output::print_line;
use crate::api;

pub(super) fn run() -> Result<Exit, Failure> {
    let document = api::openapi_document(&api::routes());
    print_line(&String::from_utf8_lossy(&document))?;
    Ok(Exit::Success)
}
