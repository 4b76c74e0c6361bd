//! `nexa tenants`: the operator's customers on the command line.

use serde_json::{Value, json};

use crate::harness::{Finished, Server, run, run_in};

/// `nexa tenants` with the operator key from a file.
fn tenants(server: &Server, arguments: &[&str]) -> Finished {
    let key_file = server.folder.path().join("key");
    std::fs::write(key_file, server.operator_key()).unwrap();
    let fixed = ["--server", &server.url, "--key-file", "key"];
    run_in(
        server.folder.path(),
        &[&["tenants"], arguments, &fixed].concat(),
        b"",
    )
}

fn id_of(server: &Server, session: &str) -> String {
    let me = server.get("/api/auth/me").bearer(session).send();
    me.json["tenant"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn tenants_are_listed_shown_disabled_and_enabled() {
    let server = Server::start();
    let session = server.sign_up("Owner@example.com");
    let id = id_of(&server, &session);
    let agent = server
        .post("/v1/account/register", r#"{"name":"Robot"}"#)
        .send();
    assert_eq!(agent.status, 201);

    let listed = tenants(&server, &["list"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    let lines: Vec<Vec<&str>> = listed
        .stdout
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), 2, "{listed:?}");
    assert_eq!(lines[0][1..3], ["agent", "enabled"]);
    assert_eq!(lines[1][..3], [&id, "workspace", "enabled"]);
    assert_eq!(lines[1][4..], ["-", "Acme"]);
    let array = tenants(&server, &["list", "--json"]);
    let array: Value = serde_json::from_str(&array.stdout).unwrap();
    assert_eq!(
        (array.as_array().unwrap().len(), &array[1]["id"]),
        (2, &json!(id))
    );
    let by_address = tenants(&server, &["list", "--email", "OWNER@example.com"]);
    assert!(
        by_address.stdout.starts_with(&id) && by_address.stdout.lines().count() == 1,
        "{by_address:?}"
    );
    let nobody = tenants(&server, &["list", "--email", "x+y@example.com"]);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(0), ""));

    let shown = tenants(&server, &["show", &id]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for line in [
        "name: Acme",
        "kind: workspace",
        "state: enabled",
        "users: 1",
    ] {
        assert!(shown.stdout.lines().any(|found| found == line), "{shown:?}");
    }
    assert!(shown.stdout.ends_with(" Owner@example.com\n"), "{shown:?}");

    let (_, key) = server.make_key(&session, &["full_access"]);
    for (command, said, status) in [("disable", "disabled", 401), ("enable", "enabled", 200)] {
        let done = tenants(&server, &[command, &id]);
        assert_eq!(
            (done.code, done.stdout),
            (Some(0), format!("{id} {said}\n")),
            "{}",
            done.stderr
        );
        assert_eq!(server.get("/api/auth/me").key(&key).send().status, status);
    }
    let done = tenants(&server, &["disable", &id, "--json"]);
    let done: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(done, json!({ "id": id, "enabled": false, "plan": null }));
    let shown = tenants(&server, &["show", &id, "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["owners"][0]["enabled"], false);
}

#[test]
fn more_tenants_than_one_page_holds_are_all_listed() {
    let server = Server::configured("[limits]\nregister_per_address_an_hour = 1200\n");
    for n in 0..501 {
        let body = json!({ "name": format!("Robot {n}") }).to_string();
        assert_eq!(
            server.post("/v1/account/register", &body).send().status,
            201
        );
    }
    let listed = tenants(&server, &["list"]);
    let mut names: Vec<&str> = listed.stdout.lines().collect();
    assert!(names[0].ends_with("\tRobot 500") && names[500].ends_with("\tRobot 0"));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 501);
}

#[test]
fn what_others_chose_steers_no_terminal() {
    let server = Server::start();
    let id = id_of(&server, &server.sign_up("a@example.com"));
    let plan = json!({ "plan": "pro\u{202e}\u{2066}orp" });
    let changed = server
        .request("PATCH", &format!("/api/operator/tenants/{id}"))
        .header("Content-Type", "application/json")
        .body(&plan.to_string())
        .key(&server.operator_key())
        .send();
    assert_eq!(changed.status, 200, "{}", changed.text);
    for arguments in [&["list"][..], &["show", &id]] {
        let told = tenants(&server, arguments);
        assert!(told.stdout.contains(r"pro\u{202e}\u{2066}orp"), "{told:?}");
    }
}

#[test]
fn what_does_not_work_says_why() {
    let server = Server::start();
    for (id, problem) in [
        ("nobody", "404 Not Found: Tenant not found"),
        ("../keys", "404"),
        ("a?b=c#d", "404"),
    ] {
        for command in ["show", "disable"] {
            let missing = tenants(&server, &[command, id]);
            assert_eq!(
                (missing.code, missing.stdout.as_str()),
                (Some(3), ""),
                "{id}"
            );
            assert!(missing.stderr.contains(problem), "{missing:?}");
        }
    }
    let refused = tenants(&server, &["list", "--email", "nobody"]);
    assert_eq!(refused.code, Some(3));
    assert!(refused.stderr.contains("email: "), "{refused:?}");
    let nowhere = run(&["tenants", "list"], "");
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.stderr.contains("--server"), "{nowhere:?}");
    let keyless = run(&["tenants", "list", "--server", &server.url], "");
    assert_eq!(keyless.code, Some(2));
    assert!(keyless.stderr.contains("NEXA_OPERATOR_KEY"), "{keyless:?}");
    assert_eq!(run(&["tenants"], "").code, Some(2));
}
