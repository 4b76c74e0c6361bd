//! `/api/auth/*` and `/api/team/*` with a mail server beside the server: lost mails, restarts, secrets, races.

use serde_json::{Value, json};

use crate::harness::Server;
use crate::smtp::{Refusal, SmtpPeer};

fn started(mail: &SmtpPeer) -> Server {
    Server::start_with(&["--mail-url", &mail.url()])
}

fn forgot(server: &Server, email: &str) -> u16 {
    let body = json!({ "email": email }).to_string();
    server.post("/api/auth/forgot", &body).send().status
}

fn reset(server: &Server, token: &str, password: &str) -> u16 {
    let body = json!({ "token": token, "newPassword": password }).to_string();
    server.post("/api/auth/reset", &body).send().status
}

#[test]
fn a_mail_server_that_is_down_neither_fails_a_request_nor_loses_its_mail() {
    let mail = SmtpPeer::start();
    mail.refuse_with("CONNECT", Refusal::HangUp);
    let mut server = started(&mail);
    server.sign_up("ada@example.com");
    assert_eq!(forgot(&server, "ada@example.com"), 200);
    assert_eq!(server.stop("-TERM"), Some(0));
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    mail.accept();
    // What waited is due again within ten seconds of its first try.
    let server = Server::start_on(folder, &["--mail-url", &mail.url()]);
    let mails = mail.wait_for(2);
    let token = mails
        .iter()
        .find(|mail| mail.text.contains("/reset-password?token="))
        .unwrap()
        .token();
    assert_eq!(reset(&server, &token, "another horse"), 200);
}

#[test]
fn mailed_tokens_work_once_before_and_after_a_kill() {
    let mail = SmtpPeer::start();
    let server = started(&mail);
    let session = server.sign_up("ada@example.com");
    let verification = mail.wait_for(1)[0].token();
    let invite = r#"{"email":"bob@example.com","role":"member"}"#;
    let invited = server.post("/api/team/invite", invite).bearer(&session);
    assert_eq!(invited.send().status, 201);
    let invitation = mail.wait_for(2)[1].token();
    assert_eq!(forgot(&server, "ada@example.com"), 200);
    let token = mail.wait_for(3)[2].token();
    let verify = |server: &Server| {
        let body = json!({ "token": verification }).to_string();
        server.post("/api/auth/verify-email", &body).send().status
    };
    let accept = |server: &Server| {
        let body = json!({ "token": invitation, "password": "bob's horse" }).to_string();
        server.post("/api/auth/accept-invite", &body).send().status
    };
    let server = server.restart_after_kill();
    let first = [
        verify(&server),
        accept(&server),
        reset(&server, &token, "another horse"),
    ];
    assert_eq!(first, [200, 201, 200]);
    let server = server.restart_after_kill();
    let second = [
        verify(&server),
        accept(&server),
        reset(&server, &token, "a third horse"),
    ];
    assert_eq!(second, [400, 400, 400], "used before the kill");
    let body = json!({ "email": "ada@example.com", "password": "another horse" }).to_string();
    assert_eq!(server.post("/api/auth/login", &body).send().status, 200);
}

#[test]
fn a_thousand_refreshes_over_sockets_leave_one_live_successor() {
    let server = Server::start();
    server.sign_up("ada@example.com");
    let body = json!({ "email": "ada@example.com", "password": "correct horse" }).to_string();
    let login = server.post("/api/auth/login", &body).send();
    let first = login.json["refreshToken"].as_str().unwrap();
    let refresh = |token: &str| {
        let body = json!({ "refreshToken": token }).to_string();
        server.post("/api/auth/refresh", &body).send()
    };
    let mut successors: Vec<String> = std::thread::scope(|scope| {
        let refresh_often = || {
            let token = |answer: crate::harness::Answer| {
                assert_eq!(answer.status, 200, "{}", answer.text);
                answer.json["refreshToken"].as_str().unwrap().to_owned()
            };
            (0..25).map(|_| token(refresh(first))).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..40).map(|_| scope.spawn(refresh_often)).collect();
        let tokens = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        tokens.collect()
    });
    assert_eq!(successors.len(), 1_000);
    successors.sort_unstable();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    let server = server.restart_after_kill();
    let refresh = |token: &str| {
        let body = json!({ "refreshToken": token }).to_string();
        server.post("/api/auth/refresh", &body).send().status
    };
    assert_eq!(refresh(&successors[0]), 200, "what was answered survives");
    assert_eq!(refresh(first), 401);
    assert_eq!(refresh(&successors[0]), 401, "the session is over");
}

#[test]
fn links_lead_where_the_operator_says_whatever_the_host_header_does() {
    let mail = SmtpPeer::start();
    let text = format!(
        "public_url = 'https://auth.acme.example/nexa'\n[mail]\nurl = '{}'\n[mail.links]\nreset_password = 'https://app.acme.example/reset?from=mail'\n",
        mail.url()
    );
    let server = Server::configured(&text);
    server.sign_up("ada@example.com");
    let body = json!({ "email": "ada@example.com" }).to_string();
    let asked = server
        .post("/api/auth/forgot", &body)
        .header("X-Forwarded-Host", "evil.example")
        .header("X-Forwarded-Proto", "http")
        .header("Forwarded", "host=evil.example")
        .send();
    assert_eq!(asked.status, 200);
    let mails = mail.wait_for(2);
    assert!(
        mails[0]
            .text
            .contains("https://auth.acme.example/nexa/verify-email?token=nxm_"),
        "{}",
        mails[0].text
    );
    assert!(
        mails[1]
            .text
            .contains("https://app.acme.example/reset?from=mail&token=nxm_"),
        "{}",
        mails[1].text
    );
    assert!(
        mails
            .iter()
            .all(|mail| !String::from_utf8_lossy(&mail.raw).contains("evil.example"))
    );
}

#[test]
fn what_is_no_address_is_refused_with_its_rule_wherever_one_belongs() {
    let server = Server::start();
    let token = server.sign_up("ada@example.com");
    let long = "x".repeat(60_000);
    for (email, rule) in [
        (json!(["a@example.com"]), "email: must be a string"),
        (json!({ "a": 1 }), "email: must be a string"),
        (json!(5), "email: must be a string"),
        (json!(null), "email: must be a string"),
        (json!(true), "email: must be a string"),
        (json!("a@b@example.com"), "email: must contain one @ only"),
        (
            json!("a@example.com\r\nBcc: b@example.com"),
            "email: no blanks and no invisible characters",
        ),
        (
            json!("a\u{200b}@example.com"),
            "email: no blanks and no invisible characters",
        ),
        (
            json!("<a@example.com>"),
            "email: none of < > ( ) [ ] , ; : \" and \\",
        ),
        (json!(long), "email: at most 254 bytes"),
    ] {
        for (path, body) in [
            ("/api/auth/forgot", json!({ "email": email })),
            (
                "/api/auth/register",
                json!({ "email": email, "password": "correct horse", "tenantName": "T" }),
            ),
            (
                "/api/team/invite",
                json!({ "email": email, "role": "member" }),
            ),
        ] {
            let answer = server.post(path, &body.to_string()).bearer(&token).send();
            if answer.status == 429 {
                continue;
            }
            assert_eq!(answer.refusal(), (400, rule), "{path}");
        }
        let body = json!({ "email": email, "password": "correct horse" });
        let login = server.post("/api/auth/login", &body.to_string()).send();
        assert_eq!(
            (login.status, login.json["error"].as_str()),
            (422, Some(rule))
        );
    }
    for body in [
        r#"{"email":"a@example.com","email":"b@example.com"}"#,
        r#"{"email":"a@example.com","\u0065mail":"b@example.com"}"#,
    ] {
        let answer = server.post("/api/auth/forgot", body).send();
        assert_eq!(answer.refusal(), (400, "email: appears twice"));
    }
    let role = server
        .post(
            "/api/team/invite",
            r#"{"email":"b@example.com","role":["admin"]}"#,
        )
        .bearer(&token)
        .send();
    assert_eq!(role.status, 400);
    let long = "x".repeat(10_000);
    for (path, body, expected) in [
        (
            "/api/auth/reset",
            json!({ "token": "nxm_x", "newPassword": long }),
            (400, "newPassword: must be 8 to 1024 bytes long"),
        ),
        (
            "/api/auth/accept-invite",
            json!({ "token": "nxm_x", "password": long }),
            (400, "password: must be 8 to 1024 bytes long"),
        ),
        (
            "/api/auth/password",
            json!({ "currentPassword": "correct horse", "newPassword": long }),
            (400, "newPassword: must be 8 to 1024 bytes long"),
        ),
        (
            "/api/auth/password",
            json!({ "currentPassword": long, "newPassword": "another horse" }),
            (403, "Wrong password"),
        ),
        (
            "/api/auth/login",
            json!({ "email": "ada@example.com", "password": long }),
            (401, "Invalid email or password"),
        ),
    ] {
        let answer = server.post(path, &body.to_string()).bearer(&token).send();
        assert_eq!(answer.refusal(), expected, "{path}");
    }
}

#[test]
fn look_alikes_are_other_people() {
    let server = Server::start();
    server.sign_up("admin@example.com");
    // A Cyrillic letter in place of a Latin one: nobody logs in or resets by looks.
    let look_alike = "\u{430}dmin@example.com";
    let body = json!({ "email": look_alike, "password": "correct horse" }).to_string();
    assert_eq!(server.post("/api/auth/login", &body).send().status, 401);
    server.sign_up(look_alike);
    let body = json!({ "email": "admin@example.com", "password": "correct horse" }).to_string();
    assert_eq!(server.post("/api/auth/login", &body).send().status, 200);
}

#[test]
fn the_secrets_of_people_stand_nowhere_on_disk() {
    let mail = SmtpPeer::start();
    let mut server = Server::start_with(&["--log", "trace", "--mail-url", &mail.url()]);
    let session = server.sign_up("ada@example.com");
    let login = |password: &str| {
        let body = json!({ "email": "ada@example.com", "password": password }).to_string();
        server.post("/api/auth/login", &body).send().json
    };
    let mut secrets = vec![
        session.clone(),
        "correct horse".to_owned(),
        "a second horse".to_owned(),
    ];
    secrets.push(mail.wait_for(1)[0].token());
    let mut refresh = login("correct horse")["refreshToken"]
        .as_str()
        .unwrap()
        .to_owned();
    for _ in 0..3 {
        let body = json!({ "refreshToken": refresh }).to_string();
        let renewed: Value = server.post("/api/auth/refresh", &body).send().json;
        secrets.push(refresh);
        refresh = renewed["refreshToken"].as_str().unwrap().to_owned();
        secrets.push(renewed["accessToken"].as_str().unwrap().to_owned());
    }
    secrets.push(refresh);
    let invite = r#"{"email":"bob@example.com","role":"member"}"#;
    assert_eq!(
        server
            .post("/api/team/invite", invite)
            .bearer(&session)
            .send()
            .status,
        201
    );
    secrets.push(mail.wait_for(2)[1].token());
    assert_eq!(forgot(&server, "ada@example.com"), 200);
    let token = mail.wait_for(3)[2].token();
    assert_eq!(reset(&server, &token, "a second horse"), 200);
    secrets.push(token);
    secrets.push(
        login("a second horse")["refreshToken"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    let scan = |server: &Server| {
        for entry in std::fs::read_dir(server.data()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            for secret in &secrets {
                let mut windows = bytes.windows(secret.len());
                let is_found = windows.any(|window| window == secret.as_bytes());
                assert!(!is_found, "{secret} stands in {}", path.display());
            }
        }
        let log = server.stderr();
        for secret in &secrets {
            assert!(!log.contains(secret.as_str()), "{secret} stands in the log");
        }
    };
    scan(&server);
    assert_eq!(server.stop("-TERM"), Some(0));
    scan(&server);
}
