//! What an export holds of events and of their deliveries: all of them, each as it is told, to those who may see it.

use super::*;

const EXPORT: &str = "/api/account/export";

impl Fixture {
    fn export(&mut self, credential: &str) -> Value {
        let (status, export) = self.send("GET", EXPORT, credential, &Value::Null);
        assert_eq!(status, 200, "{export}");
        export
    }
}

fn list<'a>(export: &'a Value, name: &str) -> &'a [Value] {
    export[name].as_array().unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn an_export_holds_every_event_and_what_became_of_its_delivery() {
    let endpoint = Endpoint::answering(&["500 Oops", "200 OK"]);
    let mut fixture = Fixture::with_receivers();
    let key = fixture.agent(Some(&endpoint.url));
    let other = fixture.agent(Some(&endpoint.url));
    // More than are read at once.
    (0..205).for_each(|_| fixture.one_more_key(&key));
    fixture.deliver();
    fixture.one_more_key(&key);
    let export = fixture.export(&key);
    let (events, deliveries) = (list(&export, "events"), list(&export, "webhookDeliveries"));
    assert_eq!((events.len(), deliveries.len()), (207, 207));
    // Events come oldest first, deliveries newest first, and both tell the same.
    for (event, delivery) in events.iter().zip(deliveries.iter().rev()) {
        assert_eq!(event["type"], "key.created");
        assert_eq!(
            (&delivery["payload"], &delivery["id"]),
            (event, &event["id"])
        );
    }
    let ids = |export: &Value| -> std::collections::BTreeSet<String> {
        let events = list(export, "events").iter();
        events.map(|event| event["id"].to_string()).collect()
    };
    let own = ids(&export);
    assert_eq!(own.len(), 207, "each once");
    // As the log shows them.
    assert_eq!(deliveries[..20], fixture.log(&key)[..20]);
    let states = |state: &str| {
        let deliveries = deliveries.iter();
        deliveries.filter(|shown| shown["state"] == state).count()
    };
    assert_eq!((states("delivered"), states("waiting")), (205, 2));
    let of_other = fixture.export(&other);
    assert_eq!(list(&of_other, "webhookDeliveries").len(), 1);
    assert!(own.is_disjoint(&ids(&of_other)), "one tenant's alone");
}

#[test]
fn a_member_takes_along_the_events_of_its_own_keys() {
    let mut fixture = Fixture::new();
    let owner = fixture.sign_up();
    let invite = json!({ "email": "member@example.com", "role": "member" });
    let invited = fixture.send("POST", "/api/team/invite", &owner, &invite);
    assert_eq!(invited.0, 201, "{}", invited.1);
    let token = fixture.mailed_token();
    let accept = json!({ "token": token, "password": "a member's horse" });
    let accepted = fixture.send("POST", "/api/auth/accept-invite", "", &accept);
    assert_eq!(accepted.0, 201, "{}", accepted.1);
    let login = json!({ "email": "member@example.com", "password": "a member's horse" });
    let (_, tokens) = fixture.send("POST", "/api/auth/login", "", &login);
    let member = tokens["accessToken"].as_str().unwrap().to_owned();
    for (token, name) in [(&owner, "the owner's"), (&member, "own")] {
        fixture.make_key(token, &json!({ "name": name, "scopes": ["signals"] }));
    }
    let names = |export: &Value| -> Vec<String> {
        let named = |event: &Value| event["data"]["name"].as_str().unwrap().to_owned();
        list(export, "events").iter().map(named).collect()
    };
    assert_eq!(names(&fixture.export(&owner)), ["the owner's", "own"]);
    let export = fixture.export(&member);
    assert_eq!(names(&export), ["own"]);
    assert_eq!(export["webhookDeliveries"], json!([]));
}
