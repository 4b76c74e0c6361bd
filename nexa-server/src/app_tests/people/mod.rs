//! What people do to get in, to get others in, and to keep out whoever does not belong: steps that their tests share.

mod mailed;
mod notices;
mod squatters;
mod team;
mod websockets;

use hyper::body::Bytes;
use hyper::{Request, Response};
use serde_json::{Value, json};

use super::{Fixture, answer};
use crate::job;
use crate::testing::SeededRng;

const SUCCESS: (u16, &str) = (200, r#"{"success":true}"#);
const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3600;

impl Fixture {
    /// Sends what is due; answers how many mails went out.
    pub(super) fn send_mails(&mut self) -> usize {
        let before = self.mailer.sent().len();
        while job::mail::send_next(self.app.services(), self.now, &mut self.rng).unwrap() {}
        self.mailer.sent().len() - before
    }

    /// The address and the text of the mail that was sent last.
    pub(super) fn last_mail(&self) -> (String, String) {
        self.mailer.sent().pop().expect("a mail has been sent")
    }

    /// Sends what is due; answers the token of the last mail that has one.
    pub(super) fn mailed_token(&mut self) -> String {
        self.send_mails();
        let sent = self.mailer.sent();
        let mut tokens = sent
            .iter()
            .rev()
            .filter_map(|(_, text)| text.split_once("token="));
        let (_, rest) = tokens.next().expect("a mail with a token has been sent");
        let is_of_token = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        rest.chars().take_while(is_of_token).collect()
    }

    /// Registers and logs in; answers the access token.
    fn join(&mut self, email: &str, password: &str) -> String {
        let account = json!({ "email": email, "password": password, "tenantName": "T" });
        assert_eq!(self.send("POST", "/api/auth/register", "", &account).0, 201);
        self.enter(email, password).expect("it has just registered")
    }

    fn enter(&mut self, email: &str, password: &str) -> Option<String> {
        let body = json!({ "email": email, "password": password });
        let (status, tokens) = self.send("POST", "/api/auth/login", "", &body);
        (status == 200).then(|| tokens["accessToken"].as_str().unwrap().to_owned())
    }

    fn post(&mut self, path: &str, body: &Value) -> (u16, String) {
        let (status, answer) = self.send("POST", path, "", body);
        let shown = answer["code"]
            .as_str()
            .map_or_else(|| answer.to_string(), str::to_owned);
        (status, shown)
    }

    fn forgot(&mut self, email: &str) {
        let answer = self.post("/api/auth/forgot", &json!({ "email": email }));
        assert_eq!(answer, (SUCCESS.0, SUCCESS.1.to_owned()));
    }

    fn reset(&mut self, token: &str, password: &str) -> (u16, String) {
        self.post(
            "/api/auth/reset",
            &json!({ "token": token, "newPassword": password }),
        )
    }

    fn accept(&mut self, token: &str, password: &str) -> (u16, String) {
        self.post(
            "/api/auth/accept-invite",
            &json!({ "token": token, "password": password }),
        )
    }

    fn verify(&mut self, token: &str) -> (u16, String) {
        self.post("/api/auth/verify-email", &json!({ "token": token }))
    }

    fn invite(&mut self, session: &str, email: &str, role: &str) -> (u16, Value) {
        let body = json!({ "email": email, "role": role });
        self.send("POST", "/api/team/invite", session, &body)
    }

    /// Invites and accepts; answers the new member's access token.
    fn add_member(&mut self, session: &str, email: &str, role: &str) -> String {
        self.now = self.now.plus_seconds(1);
        self.send_mails();
        let (status, invite) = self.invite(session, email, role);
        assert_eq!(status, 201, "{invite}");
        let token = self.mailed_token();
        assert_eq!(self.accept(&token, "a member's horse").0, 201);
        self.enter(email, "a member's horse").unwrap()
    }

    fn id(&mut self, session: &str) -> String {
        let (_, me) = self.send("GET", "/api/auth/me", session, &Value::Null);
        me["user"]["id"].as_str().unwrap().to_owned()
    }

    fn set_role(&mut self, session: &str, id: &str, role: &str) -> (u16, Value) {
        let path = format!("/api/team/members/{id}");
        self.send("PATCH", &path, session, &json!({ "role": role }))
    }

    fn remove(&mut self, session: &str, id: &str) -> (u16, Value) {
        let path = format!("/api/team/members/{id}");
        self.send("DELETE", &path, session, &Value::Null)
    }

    /// Sends the same request `times` at once; answers the statuses, sorted.
    fn at_once(&self, times: u64, path: &str, body: &Value) -> Vec<u16> {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let (app, now, request) = (&self.app, self.now, &request);
        let status = |response: Response<Bytes>| response.status().as_u16();
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..times)
                .map(|n| {
                    scope.spawn(move || {
                        let mut rng = SeededRng::new(50_000 + n);
                        answer(app, now, &mut rng, request, true)
                            .map(status)
                            .unwrap()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        statuses.sort_unstable();
        statuses
    }
}

fn success() -> (u16, String) {
    (SUCCESS.0, SUCCESS.1.to_owned())
}

fn dead() -> (u16, String) {
    (400, "invalid_mailed_token".to_owned())
}
