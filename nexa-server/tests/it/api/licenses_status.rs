//! `/api/licenses/status/*` on a server that is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexa_core::{KeySet, SigningKey, StatusShard};
use serde_json::{Value, json};

use crate::harness::Server;

const DEVICES: usize = 90;
const KILLS: usize = 3;

/// The ids of the licences in the published list, and the positions in the shard.
fn told(server: &Server) -> (BTreeSet<String>, BTreeSet<u16>) {
    let list = server.get("/api/licenses/revocations").send().json;
    let entries = list.as_array().unwrap();
    let times: Vec<&str> = entries
        .iter()
        .map(|entry| entry["revokedAt"].as_str().unwrap())
        .collect();
    assert!(
        times.windows(2).all(|pair| pair[0] < pair[1]),
        "strictly rising"
    );
    let listed = entries
        .iter()
        .map(|entry| entry["jti"].as_str().unwrap().to_owned())
        .collect();

    let mut response = ureq::get(format!("{}/api/licenses/status/0/shard", server.url))
        .call()
        .unwrap();
    let shard = response.body_mut().read_to_vec().unwrap();
    let pem = std::fs::read_to_string(server.data().join("status-key.pem")).unwrap();
    let key = SigningKey::from_pkcs8_pem(&pem).unwrap();
    let keys = KeySet::from_keys(&[key.verification_key()]).unwrap();
    let shard = StatusShard::open(&shard, &keys, "https://auth.example.com").unwrap();
    (listed, shard.positions().collect())
}

/// Whatever was answered stands in the list and in the shard after the kill, and both say the same.
#[test]
fn list_and_shard_agree_after_every_kill() {
    let mut server = Server::start_with(&["--public-url", "https://auth.example.com"]);
    let token = server.sign_up("kill@example.com");
    let (_, key) = server.make_key(&token, &["full_access"]);
    let mut positions: BTreeMap<String, u16> = BTreeMap::new();
    for device in 0..DEVICES {
        let body = json!({
            "appId": "agentyk-engine",
            "device": { "fingerprint": format!("d{device}"), "platform": "linux" },
        });
        let issued = server
            .post("/api/licenses/issue", &body.to_string())
            .key(&key)
            .send();
        let token = issued.json["license"].as_str().unwrap();
        let payload = URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        let position = claims["status"]["status_list"]["idx"].as_u64().unwrap();
        positions.insert(
            claims["jti"].as_str().unwrap().to_owned(),
            u16::try_from(position).unwrap(),
        );
    }
    assert_eq!(positions.len(), DEVICES);

    for round in 0..KILLS {
        let (before, _) = told(&server);
        let left = Mutex::new(
            positions
                .keys()
                .filter(|jti| !before.contains(*jti))
                .cloned()
                .collect::<Vec<_>>(),
        );
        let (tell, answers) = std::sync::mpsc::channel();
        let (url, key) = (server.url.clone(), key.as_str());
        let answered: BTreeSet<String> = std::thread::scope(|scope| {
            for _ in 0..4 {
                let (tell, url, left) = (tell.clone(), url.as_str(), &left);
                scope.spawn(move || {
                    loop {
                        let Some(jti) = left.lock().unwrap().pop() else {
                            return;
                        };
                        let revoked = ureq::post(format!("{url}/api/licenses/{jti}/revoke"))
                            .header("X-API-Key", key)
                            .send_empty();
                        if revoked.is_err() || tell.send(jti).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(tell);
            let mut answered: BTreeSet<String> = answers.iter().take(7 + 5 * round).collect();
            server.stop("-KILL");
            answered.extend(answers.iter());
            answered
        });
        let moved = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
        server = Server::start_on(moved, &["--public-url", "https://auth.example.com"]);
        let (listed, shard) = told(&server);
        let lost: Vec<_> = answered
            .iter()
            .filter(|jti| !listed.contains(*jti))
            .collect();
        assert!(lost.is_empty() && before.is_subset(&listed), "{lost:?}");
        let expected: BTreeSet<u16> = listed.iter().map(|jti| positions[jti]).collect();
        assert_eq!(shard, expected);
        assert!(listed.len() < DEVICES, "the kill came in the middle");
    }
}
