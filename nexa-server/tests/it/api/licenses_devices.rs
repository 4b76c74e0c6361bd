//! `/api/licenses/devices`

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

const FIVE_DEVICES: &str = "[[apps]]\nid = \"sdk\"\nttl_days_min = 30\nttl_days_max = 90\nttl_days_default = 30\ndevices = 5\n";

fn issue(server: &Server, token: &str, fingerprint: &str) -> Answer {
    let device = json!({ "fingerprint": fingerprint, "platform": "linux", "name": "Box" });
    let body = json!({ "appId": "sdk", "device": device }).to_string();
    server
        .post("/api/licenses/issue", &body)
        .bearer(token)
        .send()
}

fn devices(server: &Server, token: &str) -> Vec<Value> {
    let listed = server.get("/api/licenses/devices").bearer(token).send();
    assert_eq!(listed.status, 200, "{}", listed.text);
    listed.json.as_array().unwrap().clone()
}

#[test]
fn sixty_four_devices_at_once_get_five_seats() {
    let server = Server::configured(FIVE_DEVICES);
    let token = server.sign_up("seats@example.com");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..64)
            .map(|number| {
                let (server, token) = (&server, &token);
                scope.spawn(move || issue(server, token, &format!("device {number}")))
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let seated = answers.iter().filter(|answer| answer.status == 201);
    assert_eq!(seated.count(), 5);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(
            (refused.status, &refused.json["code"]),
            (409, &json!("device_limit_reached"))
        );
    }
    assert_eq!(devices(&server, &token).len(), 5);
    let licenses = server.get("/api/licenses").bearer(&token).send();
    assert_eq!(licenses.json.as_array().unwrap().len(), 5);
    let others = server.sign_up("others@example.com");
    assert_eq!(
        issue(&server, &others, "device 0").status,
        201,
        "another tenant's seats"
    );
}

#[test]
fn a_released_device_is_gone_and_its_licences_are_revoked_in_order() {
    let server = Server::configured(FIVE_DEVICES);
    let token = server.sign_up("release@example.com");
    for fingerprint in ["a", "a", "a", "b"] {
        assert_eq!(issue(&server, &token, fingerprint).status, 201);
    }
    let listed = devices(&server, &token);
    assert_eq!(listed.len(), 2);
    assert_eq!(
        crate::harness::members(&listed[0]),
        [
            "appId",
            "expiresAt",
            "firstIssuedAt",
            "id",
            "lastIssuedAt",
            "name",
            "platform"
        ]
    );
    let path = format!(
        "/api/licenses/devices/{}",
        listed[1]["id"].as_str().unwrap()
    );
    let foreign = server.sign_up("foreign@example.com");
    let missing = server
        .delete("/api/licenses/devices/nothing")
        .bearer(&token)
        .send();
    let refused = server.delete(&path).bearer(&foreign).send();
    assert_eq!((refused.status, &refused.text), (404, &missing.text));
    assert_eq!(devices(&server, &token), listed);
    assert_eq!(server.delete(&path).bearer(&token).send().status, 200);
    let again = server.delete(&path).bearer(&token).send();
    assert_eq!((again.status, &again.text), (404, &missing.text));
    assert_eq!(devices(&server, &token), listed[..1]);
    let feed = server.get("/api/licenses/revocations").send();
    let stamps: Vec<&str> = feed
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["revokedAt"].as_str().unwrap())
        .collect();
    assert_eq!(stamps.len(), 3);
    assert!(stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
    assert!(
        !feed.text.contains("released"),
        "reasons are the tenant's alone"
    );
    let export = server.get("/api/account/export").bearer(&token).send();
    let reasons = export.json["licenses"].as_array().unwrap().iter();
    let reasons = reasons.filter(|license| license["revokedReason"] == "device released");
    assert_eq!(reasons.count(), 3);
    assert_eq!(export.json["devices"].as_array().unwrap().len(), 1);
    assert_eq!(issue(&server, &token, "a").status, 201, "it may come again");
    assert_eq!(devices(&server, &token).len(), 2);
}
