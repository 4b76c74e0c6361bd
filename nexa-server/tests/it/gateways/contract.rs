//! What Nexgent's document promises, through each gateway: scopes, refusals to the letter, limits, revocation.

use serde_json::json;

use super::{Call, Kind, asked, behind_each_gateway};

const SIGNALS: &str = "/api/v1/trading-signals";

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn gateways_answer_nexgents_clients_to_the_letter() {
    behind_each_gateway(|world| {
        let signals = world.key(&["signals"]);
        let agents = world.key(&["agents"]);
        for (method, body) in [("GET", ""), ("POST", r#"{"action":"buy","score":4}"#)] {
            let call = || Call::new(method, SIGNALS).body(body.as_bytes());
            for allowed in [
                call().key(&signals),
                call().header("Authorization", &format!("Bearer {signals}")),
            ] {
                let (answer, seen) = world.assert_passes(&allowed);
                assert_eq!(answer.json["served"], format!("{method} {SIGNALS}"));
                assert_eq!(
                    (seen.body, seen.method.as_str()),
                    (body.as_bytes().to_vec(), method)
                );
            }
            for (refused, expected) in [
                (call(), (401, "API key required")),
                (
                    call().key("nex_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6"),
                    (401, "Invalid API key"),
                ),
                (
                    call().header("Authorization", "Bearer nex_nobody"),
                    (401, "Invalid API key"),
                ),
                (
                    call().key(&agents),
                    (403, "API key missing required scope: signals"),
                ),
            ] {
                let answer = world.assert_refused(&refused, expected);
                let direct = refused_directly(world, &refused, method);
                assert_eq!(answer.text, direct, "{:?}: the body is Nexa's", world.kind);
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/json"),
                    "{:?}",
                    world.kind
                );
                assert_eq!(
                    answer.header("cache-control"),
                    Some("no-store"),
                    "{:?}",
                    world.kind
                );
                let challenge = (expected.0 == 401).then_some("Bearer realm=\"nexa\"");
                assert_eq!(
                    answer.all("www-authenticate"),
                    Vec::from_iter(challenge),
                    "{:?}",
                    world.kind
                );
            }
        }
    });
}

/// The body with which Nexa itself refuses the call.
fn refused_directly(world: &super::World, call: &Call, method: &str) -> String {
    let credentials = ["X-API-Key", "Authorization"].into_iter();
    let request = credentials.fold(
        asked(&world.nexa, method, SIGNALS),
        |request, name| match call.value_of(name) {
            Some(value) => request.header(name, value),
            None => request,
        },
    );
    request.send().text
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn gateways_map_each_scope_to_its_endpoints() {
    const MAP: [(&str, &str); 6] = [
        ("signals", SIGNALS),
        ("agents", "/api/v1/agents"),
        ("positions", "/api/v1/agent-positions"),
        ("balances", "/api/v1/agent-balances"),
        ("transactions", "/api/v1/agent-transactions"),
        ("history", "/api/v1/agent-historical-swaps"),
    ];
    behind_each_gateway(|world| {
        let full = world.key(&["full_access"]);
        for (held, _) in MAP {
            let key = world.key(&[held]);
            for (needed, path) in MAP {
                let call = Call::get(path).key(&key);
                if held == needed {
                    world.assert_passes(&call);
                } else {
                    let sentence = format!("API key missing required scope: {needed}");
                    world.assert_refused(&call, (403, &sentence));
                }
            }
            for any in ["/api/agents", "/v1/agents2"] {
                world.assert_passes(&Call::get(any).key(&key));
            }
        }
        for (_, path) in MAP {
            world.assert_passes(&Call::get(path).key(&full));
            let sentence = format!("No rule covers DELETE {path}");
            world.assert_refused(&Call::new("DELETE", path).key(&full), (403, &sentence));
        }
    });
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn gateways_hand_on_limits_and_unclear_requests_as_they_are() {
    behind_each_gateway(|world| {
        let key = world.limited_key(("rateLimit", json!({ "limit": 2, "windowSeconds": 3600 })));
        let call = Call::get(SIGNALS).key(&key);
        world.assert_passes(&call);
        world.assert_passes(&call);
        let limited = world.send(&call);
        assert_eq!(limited.status, 429, "{:?}: {limited:?}", world.kind);
        assert_eq!(limited.json["code"], "rate_limited", "{:?}", world.kind);
        let retry_after: u64 = limited.header("retry-after").unwrap().parse().unwrap();
        assert!(
            (1..=3600).contains(&retry_after),
            "{:?}: {retry_after}",
            world.kind
        );

        let used_up = world.limited_key(("remaining", json!(1)));
        world.assert_passes(&Call::get(SIGNALS).key(&used_up));
        world.assert_refused(
            &Call::get(SIGNALS).key(&used_up),
            (403, "The API key has too few uses left"),
        );

        let two = "Send one credential, once: in X-API-Key or in Authorization";
        let signals = world.key(&["signals"]);
        let other = world.key(&["signals"]);
        world.assert_refused(
            &Call::get(SIGNALS)
                .key(&signals)
                .header("Authorization", &format!("Bearer {other}")),
            (400, two),
        );
        let doubled = Call::get(SIGNALS).key(&signals).key(&other);
        let answer = world.send(&doubled);
        // Envoy joins them, and what comes of that is no key.
        let expected = if matches!(world.kind, Kind::Envoy) {
            401
        } else {
            400
        };
        assert_eq!(answer.status, expected, "{:?}: {answer:?}", world.kind);

        let far = format!("/api/v1/agents/{}/x", "a".repeat(6_000));
        let answer = world.send(&Call::get(&far).key(&signals));
        assert_eq!(
            (answer.status, answer.json["code"].as_str()),
            (403, Some("no_rule")),
            "{:?}",
            world.kind
        );
        assert!(world.api.seen().is_empty(), "{:?}", world.kind);
    });
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn gateways_say_which_requests_are_too_large_to_be_judged() {
    behind_each_gateway(|world| {
        let key = world.key(&["signals"]);
        let long = "x".repeat(6_000);
        let with = |[first, second, third]: [&str; 3]| {
            let call = Call::get(SIGNALS).key(&key).header(first, &long);
            let call = call.header(second, &long).header(third, &long);
            (world.send(&call).status, world.api.seen().len())
        };
        let (taken, refused) = ((200, 1), (431, 0));
        // Envoy shows Nexa only the headers that it needs.
        let others = with(["X-A", "X-B", "X-C"]);
        let expected = if matches!(world.kind, Kind::Envoy) {
            taken
        } else {
            refused
        };
        assert_eq!(others, expected, "{:?}", world.kind);
        // Cookies are none of Nexa's business; Traefik cannot keep them to itself.
        let cookies = with(["Cookie"; 3]);
        let expected = if matches!(world.kind, Kind::Traefik) {
            refused
        } else {
            taken
        };
        assert_eq!(cookies, expected, "{:?}", world.kind);
    });
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn gateways_refuse_a_key_from_the_moment_its_end_is_answered() {
    behind_each_gateway(|world| {
        for _ in 0..5 {
            let (id, key) = world.nexa.make_key(&world.token, &["signals"]);
            let call = Call::get(SIGNALS).key(&key);
            for _ in 0..3 {
                world.assert_passes(&call);
            }
            let deleted = world.nexa.delete(&format!("/api/v1/api-keys/{id}"));
            assert_eq!(deleted.bearer(&world.token).send().status, 200);
            world.assert_refused(&call, (401, "Invalid API key"));
        }
    });
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn gateways_let_nothing_through_when_nexa_is_down() {
    behind_each_gateway(|world| {
        let key = world.key(&["signals"]);
        world.assert_passes(&Call::get(SIGNALS).key(&key));
        world.nexa.stop("-KILL");
        for call in [
            Call::get(SIGNALS).key(&key),
            Call::get(SIGNALS),
            Call::get("/status"),
        ] {
            let answer = world.send(&call);
            assert!(
                (500..=504).contains(&answer.status),
                "{:?}: {answer:?}",
                world.kind
            );
            assert!(world.api.seen().is_empty(), "{:?}", world.kind);
        }
    });
}
