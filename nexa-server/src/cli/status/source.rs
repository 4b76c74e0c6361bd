//! Where an export comes from: a data folder, or a running server.

use serde_json::{Value, json};
use ureq::http::Method;

use super::super::data_folder::DataFolder;
use super::super::exit::Failure;
use super::super::keyset::{newest, read_only};
use super::super::running_server::RunningServer;
use crate::api::{KeySetBytes, ShardBytes};
use crate::http::document::MediaType;
use crate::serve::now;
use crate::store::{ReadOnly, StoreError, licenses, status_shards};

/// How many shards are asked for at once.
const PART: u32 = 100;

/// What has the documents. Each call may see newer ones.
pub(super) trait Source {
    /// The newest key set.
    fn key_set(&self) -> Result<Vec<u8>, Failure>;

    /// The published revocation list.
    fn list(&self) -> Result<Vec<u8>, Failure>;

    /// Some shards with higher numbers than `last`, rising; none when there are no more.
    fn shards_after(&self, last: Option<u32>) -> Result<Vec<(u32, Vec<u8>)>, Failure>;
}

/// A data folder, read beside whoever owns it.
pub(super) struct DataSource(ReadOnly);

impl DataSource {
    pub(super) fn open(data: &DataFolder) -> Result<Self, Failure> {
        read_only(&data.with_store()?).map(Self)
    }
}

impl Source for DataSource {
    fn key_set(&self) -> Result<Vec<u8>, Failure> {
        Ok(newest(&self.0)?.signed)
    }

    fn list(&self) -> Result<Vec<u8>, Failure> {
        let list = self.0.read(|tx| licenses::revocations(tx, now(), None));
        let list = list.map_err(|error: StoreError| Failure::failed(error))?;
        let list: Vec<_> = list
            .iter()
            .map(|revoked| json!({ "jti": revoked.jti, "revokedAt": revoked.revoked_at.to_rfc3339() }))
            .collect();
        serde_json::to_vec(&list).map_err(Failure::failed)
    }

    fn shards_after(&self, last: Option<u32>) -> Result<Vec<(u32, Vec<u8>)>, Failure> {
        let shards = self.0.read(|tx| status_shards::list(tx, last, PART));
        let shards = shards.map_err(|error: StoreError| Failure::failed(error))?;
        let shards = shards.into_iter().map(|shard| (shard.number, shard.signed));
        Ok(shards.collect())
    }
}

/// A running server; its operator alone may ask which shards there are.
pub(super) struct ServerSource<'a>(pub(super) &'a RunningServer);

impl ServerSource<'_> {
    fn fetch(&self, path: &str, media_type: &str) -> Result<Vec<u8>, Failure> {
        named(self.0.fetch(path, media_type)?)
    }
}

impl Source for ServerSource<'_> {
    fn key_set(&self) -> Result<Vec<u8>, Failure> {
        self.fetch("/.well-known/nexa-keyset", KeySetBytes::NAME)
    }

    fn list(&self) -> Result<Vec<u8>, Failure> {
        self.fetch("/api/licenses/revocations", "application/json")
    }

    fn shards_after(&self, last: Option<u32>) -> Result<Vec<(u32, Vec<u8>)>, Failure> {
        let after = last.map_or(String::new(), |last| format!("&after={last}"));
        let path = format!("/api/operator/status?limit={PART}{after}");
        let listed = self.0.ask(Method::GET, &path, |body| numbers(body, last))?;
        let numbers = named(listed)?.into_iter();
        let shards = numbers.map(|number| {
            let path = format!("/api/licenses/status/{number}/shard");
            Ok((number, self.fetch(&path, ShardBytes::NAME)?))
        });
        shards.collect()
    }
}

/// The numbers of a list of shards, if they rise from `last` on: a list that does not would have no end.
fn numbers(body: &Value, last: Option<u32>) -> Option<Vec<u32>> {
    let number = |shard: &Value| -> Option<u32> { shard.get("number")?.as_u64()?.try_into().ok() };
    let numbers: Option<Vec<u32>> = body.as_array()?.iter().map(number).collect();
    // `None` is below every number.
    numbers.filter(|numbers| {
        let from_last = std::iter::once(last).chain(numbers.iter().copied().map(Some));
        from_last.is_sorted_by(|before, number| before < number)
    })
}

/// What was asked of a server that was named.
fn named<T>(answer: Option<T>) -> Result<T, Failure> {
    answer.ok_or_else(|| Failure::usage("name a --server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_an_end_is_none() {
        let list = |numbers: &[i64]| -> Value {
            let shards = numbers
                .iter()
                .map(|number| json!({ "number": number, "seq": 1 }));
            shards.collect()
        };
        for (listed, last, read) in [
            (list(&[]), Some(4), Some(vec![])),
            (list(&[0, 3]), None, Some(vec![0, 3])),
            (list(&[5, 6]), Some(4), Some(vec![5, 6])),
            (list(&[4, 5]), Some(4), None),
            (list(&[3]), Some(4), None),
            (list(&[6, 5]), Some(4), None),
            (list(&[5, 5]), Some(4), None),
            (list(&[-1]), None, None),
            (list(&[1 << 32]), None, None),
            (json!([{}]), None, None),
            (json!({ "error": "no" }), None, None),
        ] {
            assert_eq!(numbers(&listed, last), read, "{listed} after {last:?}");
        }
    }
}
