//! agentyk: identity, team, account and audit, all on one running server with a mail server beside it.

use serde_json::{Value, json};

use super::agentyk::{agentyk_fields, documented};
use super::assert_rfc3339;
use crate::harness::{Answer, Server, members};
use crate::smtp::SmtpPeer;

/// Who asks, and what of the document they have replayed.
struct Client<'s> {
    server: &'s Server,
    mail: &'s SmtpPeer,
    mails_seen: usize,
}

impl Client<'_> {
    /// The request that stands in the document under that heading (`POST/api/auth/login`), with the fields that it names,
    /// out of `values`, and `id` for what its path leaves open.
    fn ask(&self, heading: &str, token: &str, id: &str, values: &Value) -> Answer {
        documented(self.server, heading, token, values)
            .on_path(|path| path.replace(":id", id).replace("?limit=N&before=ISO", ""))
            .send()
    }

    fn log_in(&self, email: &str, password: &str) -> Answer {
        let values = json!({ "email": email, "password": password });
        self.ask("POST/api/auth/login", "", "", &values)
    }

    /// The next mail: who it goes to, and the token in it.
    fn next_token(&mut self, to: &str) -> String {
        self.mails_seen += 1;
        let mail = self.mail.wait_for(self.mails_seen).pop().unwrap();
        assert_eq!(mail.to, [to], "{}", mail.header("Subject"));
        assert!(
            mail.html.contains("token=") && mail.text.contains(&self.server.url),
            "{}",
            mail.text
        );
        mail.token()
    }

    /// The next mail, which tells and asks nothing.
    fn next_notice(&mut self, to: &str) {
        self.mails_seen += 1;
        let mail = self.mail.wait_for(self.mails_seen).pop().unwrap();
        assert_eq!(mail.to, [to]);
        assert!(!mail.text.contains("token="), "{}", mail.text);
    }
}

fn assert_success(answer: &Answer, status: u16) {
    assert_eq!(
        (answer.status, &answer.json),
        (status, &json!({ "success": true })),
        "{}",
        answer.text
    );
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}

#[test]
fn agentyk_people_from_sign_up_to_erasure() {
    let mail = SmtpPeer::start();
    let server = Server::start_with(&["--mail-url", &mail.url()]);
    let mut client = Client {
        server: &server,
        mail: &mail,
        mails_seen: 0,
    };
    identity(&mut client);
    team(&mut client);
    account(&mut client);
}

/// Items 20 to 29.
fn identity(client: &mut Client<'_>) {
    let ada =
        json!({ "email": "Ada@example.com", "password": "correct horse", "tenantName": "Engines" });
    assert_success(&client.ask("POST/api/auth/register", "", "", &ada), 201);
    let verification = client.next_token("Ada@example.com");
    assert_success(&client.ask("POST/api/auth/register", "", "", &ada), 201);
    client.next_notice("Ada@example.com");

    let login = client.log_in("ada@example.com", "correct horse");
    assert_eq!(login.status, 200, "before any verification: {}", login.text);
    for field in agentyk_fields("POST/api/auth/login", "returns:") {
        assert!(login.json[&field].is_string(), "{field}");
    }
    let (access, refresh) = (
        text(&login.json["accessToken"]),
        text(&login.json["refreshToken"]),
    );
    let me = client.ask("GET/api/auth/me", &access, "", &Value::Null);
    assert_eq!(me.members(), ["tenant", "user"]);
    assert_eq!(me.json["user"]["emailVerified"], false);

    let resent = client.ask(
        "POST/api/auth/resend-verification",
        &access,
        "",
        &Value::Null,
    );
    assert_success(&resent, 200);
    let newer = client.next_token("Ada@example.com");
    let verify = |token: &str| {
        client.ask(
            "POST/api/auth/verify-email",
            "",
            "",
            &json!({ "token": token }),
        )
    };
    assert_eq!(verify(&verification).status, 400, "the newest counts");
    assert_success(&verify(&newer), 200);

    let renew = |token: &str| {
        client.ask(
            "POST/api/auth/refresh",
            "",
            "",
            &json!({ "refreshToken": token }),
        )
    };
    let renewed = renew(&refresh);
    assert_eq!(
        (renewed.status, renewed.header("cache-control")),
        (200, Some("no-store"))
    );
    assert_eq!(renewed.members(), login.members());
    assert_rfc3339(&renewed.json["refreshExpiresAt"]);
    let rotated = text(&renewed.json["refreshToken"]);
    assert_ne!(rotated, refresh);
    assert_eq!(
        (rotated.len(), rotated.contains('.')),
        (43, false),
        "opaque, not a JWT"
    );

    let leave = client.ask(
        "POST/api/auth/logout",
        "",
        "",
        &json!({ "refreshToken": rotated }),
    );
    assert_success(&leave, 200);
    let refused = renew(&rotated);
    assert_eq!(refused.refusal(), (401, "Invalid or expired refresh token"));
    assert!(refused.header("www-authenticate").is_some());
    assert_eq!(
        client
            .ask("GET/api/auth/me", &access, "", &Value::Null)
            .status,
        401
    );

    let known = client.ask(
        "POST/api/auth/forgot",
        "",
        "",
        &json!({ "email": "ada@example.com" }),
    );
    let unknown = client.ask(
        "POST/api/auth/forgot",
        "",
        "",
        &json!({ "email": "nobody@example.com" }),
    );
    assert_success(&known, 200);
    assert_eq!(
        (known.status, &known.text),
        (unknown.status, &unknown.text),
        "always 200"
    );
    let token = client.next_token("Ada@example.com");
    let reset = |password: &str| {
        let values = json!({ "token": token, "newPassword": password });
        client.ask("POST/api/auth/reset", "", "", &values)
    };
    assert_success(&reset("another horse"), 200);
    assert_eq!(reset("a third horse").status, 400, "once");
    client.next_notice("Ada@example.com");
    assert_eq!(
        client.log_in("ada@example.com", "correct horse").status,
        401
    );
}

/// Items 29 and 49 to 54.
fn team(client: &mut Client<'_>) {
    let ada = text(&client.log_in("ada@example.com", "another horse").json["accessToken"]);
    let invite = |client: &Client<'_>, email: &str, role: &str| {
        let values = json!({ "email": email, "role": role });
        client.ask("POST/api/team/invite", &ada, "", &values)
    };
    let invited = invite(client, "bob@example.com", "admin");
    assert_eq!(invited.status, 201, "{}", invited.text);
    let token = client.next_token("bob@example.com");
    let pending = client.ask("GET/api/team/invites", &ada, "", &Value::Null);
    assert_eq!(pending.json, json!([invited.json]));
    let accepted = client.ask(
        "POST/api/auth/accept-invite",
        "",
        "",
        &json!({ "token": token, "password": "bob's horse" }),
    );
    assert_success(&accepted, 201);
    let bob = text(&client.log_in("bob@example.com", "bob's horse").json["accessToken"]);
    let listed = client.ask("GET/api/team/members", &bob, "", &Value::Null);
    let roles: Vec<_> = listed
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|user| &user["role"])
        .collect();
    assert_eq!(roles, ["admin", "owner"]);
    assert_eq!(
        client
            .ask("GET/api/team/invites", &ada, "", &Value::Null)
            .json,
        json!([])
    );

    let invited = invite(client, "carol@example.com", "member");
    client.next_token("carol@example.com");
    let withdrawn = client.ask(
        "DELETE/api/team/invites/:id",
        &ada,
        &text(&invited.json["id"]),
        &Value::Null,
    );
    assert_success(&withdrawn, 200);

    let bob_id = text(&listed.json[0]["id"]);
    let (ada_id, role) = (text(&listed.json[1]["id"]), json!({ "role": "member" }));
    let refused = client.ask("PATCH/api/team/members/:id", &bob, &ada_id, &role);
    assert_eq!(
        refused.refusal(),
        (403, "Only an owner changes or removes an owner")
    );
    let demoted = client.ask("PATCH/api/team/members/:id", &ada, &bob_id, &role);
    assert_eq!(
        (demoted.status, &demoted.json["role"]),
        (200, &json!("member"))
    );
    let refused = client.ask("GET/api/team/invites", &bob, "", &Value::Null);
    assert_eq!(refused.refusal(), (403, "This needs an owner or an admin"));
    assert_success(
        &client.ask("DELETE/api/team/members/:id", &ada, &bob_id, &Value::Null),
        200,
    );
    assert_eq!(
        client.ask("GET/api/auth/me", &bob, "", &Value::Null).status,
        401
    );
    let last = client.ask("DELETE/api/team/members/:id", &ada, &ada_id, &Value::Null);
    assert_eq!(last.status, 409, "{}", last.text);
}

/// Items 55 to 57.
fn account(client: &mut Client<'_>) {
    let ada = text(&client.log_in("ada@example.com", "another horse").json["accessToken"]);
    client.server.make_key(&ada, &["signals"]);
    let export = client.ask("GET/api/account/export", &ada, "", &Value::Null);
    assert_eq!(export.status, 200, "{}", export.text);
    assert_eq!(export.json["tenant"]["name"], "Engines");
    assert_eq!(export.json["users"][0]["email"], "Ada@example.com");
    assert_eq!(export.json["apiKeys"][0]["scopes"], json!(["signals"]));
    assert!(members(&export.json).contains(&"licenses"));

    let events = client.ask(
        "GET/api/audit/events?limit=N&before=ISO",
        &ada,
        "",
        &Value::Null,
    );
    assert_eq!(
        events.json[0]["act"], "account.exported",
        "newest first: {}",
        events.text
    );
    assert_rfc3339(&events.json[0]["at"]);
    let before = text(&events.json[0]["at"]);
    let older = client
        .server
        .get(&format!("/api/audit/events?limit=2&before={before}"));
    let older = older.bearer(&ada).send();
    assert_eq!(older.json, json!([events.json[1], events.json[2]]));

    let wrong = client.ask(
        "DELETE/api/account",
        &ada,
        "",
        &json!({ "password": "correct horse" }),
    );
    assert_eq!(wrong.refusal(), (403, "Wrong password"));
    assert_success(
        &client.ask(
            "DELETE/api/account",
            &ada,
            "",
            &json!({ "password": "another horse" }),
        ),
        200,
    );
    assert_eq!(
        client.ask("GET/api/auth/me", &ada, "", &Value::Null).status,
        401
    );
    assert_eq!(
        client.log_in("ada@example.com", "another horse").status,
        401
    );
}
