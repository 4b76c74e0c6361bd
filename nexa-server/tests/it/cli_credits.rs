//! `nexa credits`: what tenants may spend, on the command line.

use serde_json::{Value, json};

use crate::harness::{Finished, Server, run, run_in};

/// `nexa` with the operator key from a file.
fn operate(server: &Server, arguments: &[&str]) -> Finished {
    let key_file = server.folder.path().join("key");
    std::fs::write(key_file, server.operator_key()).unwrap();
    let fixed = ["--server", &server.url, "--key-file", "key"];
    run_in(server.folder.path(), &[arguments, &fixed].concat(), b"")
}

fn tenant_of(server: &Server, session: &str) -> String {
    let me = server.get("/api/auth/me").bearer(session).send();
    me.json["tenant"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn credits_are_granted_once_and_shown_in_the_currency() {
    let server = Server::configured(
        "[credits]\ncurrency = 'USD'\n[[plans]]\nid = 'free'\nname = 'Free'\nprice = '0'\ncredits = '1.00001'\n",
    );
    let id = tenant_of(&server, &server.sign_up("a@example.com"));
    let plan = server.request("PATCH", &format!("/api/operator/tenants/{id}"));
    let plan = plan.header("Content-Type", "application/json");
    let plan = plan.body(r#"{"plan":"free"}"#).key(&server.operator_key());
    assert_eq!(plan.send().status, 200);
    for said in ["granted", "granted before"] {
        let arguments = ["credits", "grant", &id, "12.5", "--reference", "invoice 7"];
        let done = operate(&server, &arguments);
        assert_eq!(
            (done.code, done.stdout),
            (
                Some(0),
                format!("{said}, reference invoice 7; now 13.50001 USD\n")
            ),
            "{}",
            done.stderr
        );
    }
    let done = operate(&server, &["credits", "grant", &id, "0.50", "--json"]);
    let done: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&done["granted"], &done["amount"]),
        (&json!(true), &json!(0.5))
    );

    let shown = operate(&server, &["credits", "show", &id]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(lines[0], "plan: free");
    assert!(
        lines[1].starts_with("monthly: 1.00001 USD until 20"),
        "{lines:?}"
    );
    assert_eq!(lines[2..4], ["topup: 13.00 USD", "total: 14.00001 USD"]);
    let entries: Vec<Vec<&str>> = lines[4..]
        .iter()
        .map(|line| line.split('\t').collect())
        .collect();
    let without_time: Vec<&[&str]> = entries.iter().map(|entry| &entry[1..]).collect();
    assert_eq!(
        without_time,
        [
            ["grant", "0.50 USD", "14.00001 USD"],
            ["grant", "12.50 USD", "13.50001 USD"],
            ["grant", "1.00001 USD", "1.00001 USD"],
        ]
    );
    let shown = operate(&server, &["credits", "show", &id, "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["totalMillicents"], 1_400_001);
    assert_eq!(shown["entries"].as_array().unwrap().len(), 3);

    let tenant = operate(&server, &["tenants", "show", &id]);
    assert!(!tenant.stdout.contains("subscription"), "{tenant:?}");
}

#[test]
fn what_does_not_work_says_why() {
    let server = Server::start();
    let id = tenant_of(&server, &server.sign_up("a@example.com"));
    for (arguments, problem) in [
        (&["show", "nobody"][..], "404 Not Found: Tenant not found"),
        (&["grant", "nobody", "1"], "404 Not Found: Tenant not found"),
        (
            &["grant", &id, "0"],
            "400 Bad Request: amount: must be more than nothing",
        ),
        (
            &["grant", &id, "1,5"],
            "400 Bad Request: amount: must be an amount below 1000000",
        ),
        (
            &["grant", &id, "1", "--reference", ""],
            "400 Bad Request: reference: ",
        ),
    ] {
        let refused = operate(&server, &[&["credits"], arguments].concat());
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(3), ""),
            "{arguments:?}"
        );
        assert!(refused.stderr.contains(problem), "{refused:?}");
    }
    assert_eq!(
        operate(&server, &["credits", "grant", &id, "1"]).code,
        Some(0)
    );
    let other = ["credits", "grant", &id, "2", "--reference", "r"];
    assert_eq!(operate(&server, &other).code, Some(0));
    let other = operate(&server, &["credits", "grant", &id, "3", "--reference", "r"]);
    assert!(
        other.stderr.contains("409 Conflict: Another amount"),
        "{other:?}"
    );
    let negative = operate(&server, &["credits", "grant", &id, "-1"]);
    assert_eq!(negative.code, Some(2), "no option is called so");
    assert_eq!(run(&["credits"], "").code, Some(2));
    let nowhere = run(&["credits", "show", &id], "");
    assert!(nowhere.stderr.contains("--server"), "{nowhere:?}");
}
