//! `nexa operator-key`.

use clap::Args;
use serde_json::Value;
use ureq::http::Method;

use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::output::print_line;
use super::running_server::RunningServer;
use crate::serve::{new_operator_key, open_store};

#[derive(Args)]
pub(super) struct OperatorKey {
    #[command(flatten)]
    data: DataFolder,
    #[command(flatten)]
    server: RunningServer,
}

impl OperatorKey {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let answer = self
            .server
            .ask(Method::POST, "/api/operator/keys", |body: &Value| {
                body.get("key").and_then(Value::as_str).map(str::to_owned)
            })?;
        match answer {
            Some(key) => print_line(&key)?,
            None => {
                let store = open_store(&self.data.with_store()?).map_err(|error| {
                    Failure::Failed(format!(
                        "{error}; of a running server, ask with --server URL"
                    ))
                })?;
                let key = new_operator_key(&store).map_err(Failure::failed)?;
                print_line(key.expose())?;
            }
        }
        Ok(Exit::Success)
    }
}
