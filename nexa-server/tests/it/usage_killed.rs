//! SIGKILL amid clients that report what they have used: nothing that was answered is lost, nothing is charged twice.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Server;

const KILLS: usize = 6;
const CLIENTS: usize = 8;
/// The licence outlives its server's port.
const ARGUMENTS: [&str; 2] = ["--public-url", "http://auth.example.com"];

#[derive(Default)]
struct Known {
    next: AtomicU64,
    /// Sent and not answered.
    open: Mutex<Vec<u64>>,
    answered: Mutex<Vec<u64>>,
    replayed: AtomicU64,
}

/// The output of the report of that number; it costs as many millicents less a fraction: 0.60 for a million.
fn tokens(number: u64) -> u64 {
    number % 7 * 5_000 / 3 + 1
}

fn cost_mc(number: u64) -> u64 {
    (tokens(number) * 60_000).div_ceil(1_000_000)
}

/// Whether the report was answered; a wrong answer ends the test.
fn report(url: &str, license: &str, number: u64, known: &Known) -> bool {
    let body = json!({ "appId": "agentyk-engine", "modelId": "llama-3-8b", "outputTokens": tokens(number) });
    let sent = ureq::post(format!("{url}/api/usage/report"))
        .header("Authorization", format!("Bearer {license}"))
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", format!("report-{number:06}"))
        .send(&body.to_string());
    let mut answer = match sent {
        Ok(answer) => answer,
        Err(ureq::Error::StatusCode(status)) => panic!("report {number} was answered {status}"),
        Err(_) => return false,
    };
    let is_replayed = answer.headers().contains_key("idempotency-replayed");
    let Ok(text) = answer.body_mut().read_to_string() else {
        return false;
    };
    let charged: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(charged["costMillicents"], cost_mc(number), "{number}");
    known.answered.lock().unwrap().push(number);
    if is_replayed {
        known.replayed.fetch_add(1, Ordering::Relaxed);
    }
    true
}

fn report_until_killed(url: &str, license: &str, known: &Known) {
    loop {
        let again = known.open.lock().unwrap().pop();
        let number = again.unwrap_or_else(|| known.next.fetch_add(1, Ordering::Relaxed));
        if !report(url, license, number, known) {
            known.open.lock().unwrap().push(number);
            return;
        }
    }
}

#[test]
fn no_answered_report_is_lost_and_none_is_charged_twice_by_sigkill() {
    let mut server = Server::start_on(tempfile::tempdir().unwrap(), &ARGUMENTS);
    let session = server.sign_up("ada@example.com");
    let operator = server.operator_key();
    let me = server.get("/api/auth/me").bearer(&session).send();
    let tenant = me.json["tenant"]["id"].as_str().unwrap().to_owned();
    let granted = server
        .post(
            &format!("/api/operator/tenants/{tenant}/credits"),
            r#"{"amount":50}"#,
        )
        .key(&operator)
        .send();
    assert_eq!(granted.status, 201, "{}", granted.text);
    let license = server.issue_license(&session, "a-server");
    let known = Known::default();
    for kill in 0..KILLS {
        let url = server.url.clone();
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| report_until_killed(&url, &license, &known));
            }
            std::thread::sleep(Duration::from_millis(20 + 13 * kill as u64));
            server.stop("-KILL");
        });
        server = server.restart_with(&ARGUMENTS);
    }
    while let Some(number) = { known.open.lock().unwrap().pop() } {
        assert!(report(&server.url, &license, number, &known));
    }
    let sent = known.next.load(Ordering::Relaxed);
    let mut answered = known.answered.into_inner().unwrap();
    answered.sort_unstable();
    assert!(
        answered.iter().copied().eq(0..sent),
        "{answered:?} of {sent}"
    );
    assert!(
        sent > u64::try_from(KILLS * CLIENTS).unwrap(),
        "{sent} were sent"
    );
    let spent: u64 = (0..sent).map(cost_mc).sum();
    let login = json!({ "email": "ada@example.com", "password": "correct horse" });
    let login = server.post("/api/auth/login", &login.to_string()).send();
    let session = login.json["accessToken"].as_str().unwrap();
    let balance = server.get("/api/credits/balance").bearer(session).send();
    assert_eq!(balance.json["totalMillicents"], 5_000_000 - spent);
    let summary = server.get("/api/usage/summary").bearer(session).send();
    assert_eq!(summary.json["total"]["reports"], sent);
    assert_eq!(summary.json["total"]["costMillicents"], spent);
}
