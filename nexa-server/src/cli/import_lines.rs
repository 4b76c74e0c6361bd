//! The order in which lines of an import go: that of the server's table, and of one key that of the file.

use std::vec;

use nexa_core::KeyDigest;
use serde::Deserialize;

use crate::domain::keys::HashForm;

/// Lines in one request, which is one transaction of the server.
const LINES: usize = 1_000;
/// Bytes after which a request takes no more lines: half of what the server takes.
const BYTES: usize = 512 << 10;

/// Requests under way: while the server writes the keys of one, it reads those of the other. Each lane has a part of all
/// digests to itself and one request at a time, so that of two lines with one key the first is there first.
///
/// A file that is sorted by digest has one lane busy at a time and is as fast as with one. Lanes by the last bit would share
/// it out, but the neighbours of any other file too: the pages that one request writes, the next would write again.
pub(super) const LANES: usize = 2;

/// What a hash is.
#[derive(Clone, Copy, Debug, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Algorithm {
    Sha256Hex,
    Sha256Base64,
    Sha512Hex,
    Sha512Base64,
}

/// A line on its way.
#[derive(Clone)]
pub(super) struct Line {
    /// Where its key stands in the server's table, however the line writes it; `None` where the server is to say what is wrong
    /// with the line.
    place: Option<[u8; 32]>,
    /// Where it stands in the file, and its length there.
    number: u64,
    length: u64,
    object: Vec<u8>,
}

/// Lines that go in one request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) body: Vec<u8>,
    /// Where they stand in the file.
    pub(super) numbers: Vec<u64>,
    /// Their length there.
    pub(super) length: u64,
}

impl Line {
    /// `algorithm` is for lines that do not say it.
    pub(super) fn new(
        algorithm: Option<Algorithm>,
        number: u64,
        length: u64,
        object: Vec<u8>,
    ) -> Self {
        #[derive(Deserialize)]
        struct Hashed {
            hash: String,
            algorithm: Option<Algorithm>,
        }
        let place = |object| {
            let hashed: Hashed = serde_json::from_slice(object).ok()?;
            let form = HashForm::from(hashed.algorithm.or(algorithm)?);
            form.digest(&hashed.hash).map(KeyDigest::to_bytes)
        };
        Self {
            place: place(&object),
            number,
            length,
            object,
        }
    }

    fn lane(&self) -> usize {
        let first = self.place.map_or(0, |[first, ..]| first);
        usize::from(first) * LANES / 256
    }
}

/// Makes requests of lines and hands each on with its lane, a request for each lane in turn, until `hand_on` refuses.
///
/// In the order of the server's table a transaction writes a few of its pages instead of nearly as many as it has keys.
pub(super) fn share_out<E>(
    mut lines: Vec<Line>,
    mut hand_on: impl FnMut(usize, Batch) -> Result<(), E>,
) -> Result<(), E> {
    // Stable: of two lines with one key the first stays the first.
    lines.sort_by_key(|line| line.place);
    let mut lanes = [const { Vec::new() }; LANES];
    for line in lines {
        if let Some(lane) = lanes.get_mut(line.lane()) {
            lane.push(line);
        }
    }
    let mut lanes = lanes.map(|lines| lines.into_iter());
    loop {
        let mut is_over = true;
        for (lane, lines) in lanes.iter_mut().enumerate() {
            if let Some(batch) = Batch::of(lines) {
                is_over = false;
                hand_on(lane, batch)?;
            }
        }
        if is_over {
            return Ok(());
        }
    }
}

impl Algorithm {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256Hex => "sha256-hex",
            Self::Sha256Base64 => "sha256-base64",
            Self::Sha512Hex => "sha512-hex",
            Self::Sha512Base64 => "sha512-base64",
        }
    }
}

impl From<Algorithm> for HashForm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256Hex => Self::Sha256Hex,
            Algorithm::Sha256Base64 => Self::Sha256Base64,
            Algorithm::Sha512Hex => Self::Sha512Hex,
            Algorithm::Sha512Base64 => Self::Sha512Base64,
        }
    }
}

impl Batch {
    /// As many of the lines as a request takes; `None` where there are none.
    fn of(lines: &mut vec::IntoIter<Line>) -> Option<Self> {
        let mut batch = Self::default();
        for line in lines {
            batch.body.extend_from_slice(&line.object);
            batch.body.push(b'\n');
            batch.numbers.push(line.number);
            batch.length += line.length;
            if batch.numbers.len() == LINES || batch.body.len() >= BYTES {
                break;
            }
        }
        (!batch.numbers.is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use sha2::{Digest, Sha256, Sha512};

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The lanes and lines of the requests that lines become, in the order in which they are handed on.
    fn shared(lines: &[Line]) -> Vec<(usize, Vec<u64>)> {
        let mut handed = Vec::new();
        let shared = share_out(lines.to_vec(), |lane, batch| {
            let length = u64::try_from(batch.body.len()).unwrap();
            assert_eq!(batch.length, length);
            assert_eq!(
                batch.body.iter().filter(|b| **b == b'\n').count(),
                batch.numbers.len()
            );
            handed.push((lane, batch.numbers));
            Ok::<(), ()>(())
        });
        shared.unwrap();
        handed
    }

    fn line(number: u64, object: &str, algorithm: Option<Algorithm>) -> Line {
        let length = u64::try_from(object.len()).unwrap() + 1;
        Line::new(algorithm, number, length, object.as_bytes().to_vec())
    }

    fn hashed(number: u64, key: u64) -> Line {
        let hash = KeyDigest::of(&key.to_be_bytes()).to_hex();
        line(
            number,
            &format!("{{\"hash\":\"{hash}\"}}"),
            Some(Algorithm::Sha256Hex),
        )
    }

    /// The server finds keys of SHA-512 by a digest of that, which is in another order.
    #[test]
    fn requests_are_in_the_order_of_the_servers_table() {
        for algorithm in [Algorithm::Sha256Hex, Algorithm::Sha512Hex] {
            for says_it in [true, false] {
                let mut placed = Vec::new();
                let mut lines = Vec::new();
                for number in 1..=200_u64 {
                    let key = number.to_be_bytes();
                    let (digest, hash) = match algorithm {
                        Algorithm::Sha256Hex => (KeyDigest::of(&key), hex(&Sha256::digest(key))),
                        _ => (KeyDigest::of_by_sha512(&key), hex(&Sha512::digest(key))),
                    };
                    placed.push((digest.to_bytes(), number));
                    let mut object = json!({ "hash": hash });
                    if says_it {
                        object["algorithm"] = json!(algorithm.as_str());
                    }
                    let default = (!says_it).then_some(algorithm);
                    lines.push(line(number, &object.to_string(), default));
                }
                placed.sort_unstable();
                let expected: Vec<u64> = placed.into_iter().map(|(_, number)| number).collect();
                let order: Vec<u64> = shared(&lines)
                    .into_iter()
                    .flat_map(|(_, numbers)| numbers)
                    .collect();
                assert_eq!(order, expected, "{algorithm:?}");
            }
        }
    }

    /// Each key stands there three times, so that copies lie on both sides of every cut between requests, and of one between
    /// windows.
    #[test]
    fn lines_with_one_key_go_one_after_the_other_in_the_order_of_the_file() {
        const KEYS: u64 = 2_500;
        let windows: Vec<Vec<Line>> = [0..2 * KEYS, 2 * KEYS..3 * KEYS]
            .map(|numbers| {
                numbers
                    .map(|number| hashed(number, number % KEYS))
                    .collect()
            })
            .into();
        let mut seen: BTreeMap<u64, Vec<(usize, u64)>> = BTreeMap::new();
        let mut requests = [0; LANES];
        for (lane, numbers) in windows.iter().flat_map(|lines| shared(lines)) {
            requests[lane] += 1;
            assert!(numbers.len() <= LINES);
            for number in numbers {
                seen.entry(number % KEYS).or_default().push((lane, number));
            }
        }
        for (key, copies) in &seen {
            let lane = copies[0].0;
            let expected = [key, &(key + KEYS), &(key + 2 * KEYS)].map(|number| (lane, *number));
            assert_eq!(copies.as_slice(), expected);
        }
        assert_eq!(u64::try_from(seen.len()), Ok(KEYS));
        assert_eq!(requests, [5, 5], "each lane has its half");
    }

    #[test]
    fn a_key_is_the_same_however_its_hash_is_written() {
        let hex = KeyDigest::of(b"acme").to_hex();
        let upper = hex.to_uppercase();
        let form = Some(Algorithm::Sha256Hex);
        let same = [
            line(1, &format!("{{\"hash\":\"{hex}\"}}"), form),
            line(2, &format!("{{\"hash\":\"{upper}\"}}"), form),
            line(
                3,
                &format!("{{\"algorithm\":\"sha256-hex\",\"hash\":\"{hex}\"}}"),
                None,
            ),
            line(
                4,
                "{\"hash\":\"giszrYfBSKCiClunzV68qmjTahjnqtFlVUkD9SyoJ1c=\",\"algorithm\":\"sha256-base64\"}",
                form,
            ),
        ];
        for line in &same {
            assert_eq!(line.place, Some(KeyDigest::of(b"acme").to_bytes()));
        }
        for unread in ["", "{", "[]", "{\"hash\":7}", "{\"hash\":\"00\"}"] {
            assert_eq!(line(1, unread, form).place, None, "{unread}");
        }
        let unknown = format!("{{\"hash\":\"{hex}\",\"algorithm\":\"md5\"}}");
        assert_eq!(line(1, &unknown, form).place, None);
    }

    #[test]
    fn a_request_is_no_larger_than_the_server_takes() {
        let long = "x".repeat(16 << 10);
        let lines: Vec<Line> = (0..100).map(|number| line(number, &long, None)).collect();
        let requests = shared(&lines);
        assert_eq!(requests.len(), 4);
        let numbers: Vec<u64> = requests
            .into_iter()
            .flat_map(|(_, numbers)| numbers)
            .collect();
        assert!(numbers.is_sorted() && numbers.len() == 100);
    }
}
