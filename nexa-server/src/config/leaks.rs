//! The table `[leaks]` of the configuration file: who may report keys that were found in public.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::domain::leaks::ReportKey;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileLeaks {
    #[serde(default)]
    github_keys: Vec<FileKey>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKey {
    identifier: String,
    key: String,
}

impl FileLeaks {
    /// The keys, each identifier once.
    pub(super) fn checked(self) -> Result<Vec<ReportKey>, String> {
        let mut keys: Vec<ReportKey> = Vec::new();
        for FileKey { identifier, key } in self.github_keys {
            let place = format!("leaks.github_keys: {identifier:?}");
            if identifier.is_empty() || !identifier.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!(
                    "{place}: identifier must be visible ASCII characters"
                ));
            }
            if keys.iter().any(|other| other.identifier == identifier) {
                return Err(format!("{place}: stands twice"));
            }
            let point = p256_point(&key)
                .ok_or_else(|| format!("{place}: key must be a public P-256 key in PEM"))?;
            keys.push(ReportKey { identifier, point });
        }
        Ok(keys)
    }
}

/// The point of a SubjectPublicKeyInfo (RFC 5480 §2) in PEM (RFC 7468 §13). There is one encoding of an uncompressed one.
fn p256_point(pem: &str) -> Option<Vec<u8>> {
    const BEFORE_POINT: &[u8] = &[
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    const UNCOMPRESSED: u8 = 4;
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PUBLIC KEY-----")?
        .strip_suffix("-----END PUBLIC KEY-----")?;
    let base64: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).ok()?;
    let point = der.strip_prefix(BEFORE_POINT)?;
    (point.len() == 65 && point.first() == Some(&UNCOMPRESSED)).then(|| point.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd\n\
        AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==\n-----END PUBLIC KEY-----\n";

    fn checked(entries: &[(&str, &str)]) -> Result<usize, String> {
        let github_keys = entries.iter().map(|(identifier, key)| FileKey {
            identifier: (*identifier).to_owned(),
            key: (*key).to_owned(),
        });
        let file = FileLeaks {
            github_keys: github_keys.collect(),
        };
        file.checked().map(|keys| keys.len())
    }

    #[test]
    fn a_key_is_a_public_one_of_its_curve_and_stands_once() {
        assert_eq!(checked(&[("a", DOCUMENTED), ("b", DOCUMENTED)]), Ok(2));
        for (entries, problem) in [
            (
                &[("a", DOCUMENTED), ("a", DOCUMENTED)][..],
                "leaks.github_keys: \"a\": stands twice",
            ),
            (
                &[("", DOCUMENTED)],
                "leaks.github_keys: \"\": identifier must be visible ASCII characters",
            ),
            (
                &[("a", "")],
                "leaks.github_keys: \"a\": key must be a public P-256 key in PEM",
            ),
            (
                &[("a", &DOCUMENTED.replace("PUBLIC", "PRIVATE"))],
                "leaks.github_keys: \"a\": key must be a public P-256 key in PEM",
            ),
            (
                &[("a", &DOCUMENTED.replace("MFkw", "MFkx"))],
                "leaks.github_keys: \"a\": key must be a public P-256 key in PEM",
            ),
            (
                &[("a", &DOCUMENTED.replace("Vw==", ""))],
                "leaks.github_keys: \"a\": key must be a public P-256 key in PEM",
            ),
        ] {
            assert_eq!(checked(entries), Err(problem.to_owned()));
        }
    }
}
