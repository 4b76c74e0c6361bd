//! Paths, queries and descriptions of a request: what is judged is what the API gets.

use super::{Call, behind_each_gateway};

const SIGNALS: &str = "/api/v1/trading-signals";

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn what_is_judged_is_what_the_api_gets() {
    behind_each_gateway(|world| {
        let key = world.key(&["signals"]);
        let mut passed = 0;
        for target in [
            SIGNALS,
            "/api/v1/trading-signals?",
            "/api/v1/trading-signals?limit=5&x=../..;//%2f#",
            "/api/v1/trading-signals?a=%23&b=%zz",
            "/api/v1/trading-signals/",
            "/api/v1/trading-signals#",
            "/api/v1/trading-signals#x",
            "/api/v1/trading-signals#/../agents",
            "/api/v1/agents#/../trading-signals",
            "/api/v1/agents/..;/trading-signals",
            "/api/v1/agents/../trading-signals",
            "/api/v1/trading-signals/../agents",
            "/api/v1/trading-signals/%2e%2e/agents",
            "/api/v1/trading-signals/..%2fagents",
            "/api/v1/trading-signals/%2e%2e%2fagents",
            "/api/v1/trading-signals%2f..%2fagents",
            "/api/v1/trading-signals%2F",
            "/api/v1/trading-signals%00",
            "/api/v1/trading-signals%3f/agents",
            "/api/v1/trading-signals%23/agents",
            "/api/v1/trading-signals;/../agents",
            "/api/v1/trading-signals;x",
            "/api/v1/./trading-signals",
            "/api//v1/trading-signals",
            "//api/v1/trading-signals",
            "///api/v1/trading-signals",
            "//evil.example.com/api/v1/trading-signals",
            "/api/v1\\trading-signals",
            "/api/v1/trading-signals\\..\\agents",
            "/api/v1/%74rading-signals",
            "/api/v1/trading%2dsignals",
            "/api/v1/%2574rading-signals",
            "/api/v1/trading-signals%",
            "/api/v1/trading-signals%2",
            "/api/v1/trading-signals%zz",
            "/api/v1/trading-signals%c0%af",
            "/api/v1/trading-signals/\u{e9}",
            "/API/v1/trading-signals",
            "/api/v1/trading-signals\"",
            "/api/v1/tr<a>ding-signals",
            "/api/v1/trading-signals|",
            "http://api.example.com/api/v1/trading-signals",
            "http://api.example.com/api/v1/agents",
            "http://evil.example.com/api/v1/trading-signals",
            "http://api.example.com",
            "*",
            "/",
            "",
            "?",
            "api/v1/trading-signals",
            "/_nexa",
            "/_nexa?x",
            "@refused",
            "/@refused",
        ] {
            for method in [
                "GET", "POST", "HEAD", "OPTIONS", "get", "CONNECT", "TRACE", "M-SEARCH",
            ] {
                let call = Call::new(method, target).key(&key);
                let answer = world.send(&call);
                for seen in world.api.seen() {
                    let path = seen.target.split(['?', '#']).next().unwrap();
                    let is_allowed =
                        path == SIGNALS && matches!(&*seen.method, "GET" | "POST" | "OPTIONS");
                    assert!(
                        is_allowed,
                        "{:?}: {call:?} got through as {seen:?}",
                        world.kind
                    );
                    assert_eq!(seen.method, method, "{:?}: {call:?}", world.kind);
                    passed += 1;
                }
                assert_ne!(answer.status, 500, "{:?}: {call:?}: {answer:?}", world.kind);
            }
        }
        assert!(
            passed >= 9,
            "{:?}: the plain ones pass: {passed}",
            world.kind
        );
    });
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn a_query_is_the_callers_own_and_reaches_the_api_as_it_is() {
    behind_each_gateway(|world| {
        let key = world.key(&["signals"]);
        for query in [
            "scope=agents",
            "scope=",
            "scope=Not%20A%20Scope!",
            "scope=agents&scope=signals",
            "limit=5&from=2024-01-15T10:30:00.000Z&tag=a+b&tag=%C3%A9",
            "path=/api/v1/agents&token=nex_x",
        ] {
            let target = format!("{SIGNALS}?{query}");
            let (_, seen) = world.assert_passes(&Call::get(&target).key(&key));
            assert_eq!(seen.target, target, "{:?}", world.kind);
            let other = format!("/api/v1/agents?{query}");
            world.assert_refused(
                &Call::get(&other).key(&key),
                (403, "API key missing required scope: agents"),
            );
        }
        let agent = world.key(&["agents"]);
        for target in [
            "/api/v1/agents/a%20b",
            "/api/v1/agents/%C3%A9",
            "/api/v1/agents/a.b:c",
            "/api/v1/agents/...",
        ] {
            let (_, seen) = world.assert_passes(&Call::get(target).key(&agent));
            assert_eq!(seen.target, target, "{:?}", world.kind);
        }
    });
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn no_caller_describes_another_request_than_it_sends() {
    const OVERRIDES: [(&str, &str); 9] = [
        ("X-Original-Method", "GET"),
        ("X-Original-URI", SIGNALS),
        ("X-Original-URL", SIGNALS),
        ("X-Rewrite-URL", SIGNALS),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Uri", SIGNALS),
        ("X-HTTP-Method", "DELETE"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Method-Override", "DELETE"),
    ];
    behind_each_gateway(|world| {
        let key = world.key(&["signals"]);
        let all = |call: Call| {
            OVERRIDES.iter().fold(call, |call, (name, value)| {
                // Whatever descends from CGI reads the second as the first.
                call.header(name, value)
                    .header(&name.replace('-', "_"), value)
            })
        };
        let lacks = (403, "API key missing required scope: agents");
        world.assert_refused(&all(Call::get("/api/v1/agents").key(&key)), lacks);
        for (name, value) in OVERRIDES {
            world.assert_refused(
                &Call::get("/api/v1/agents").key(&key).header(name, value),
                lacks,
            );
            let dropped = Call::get("/api/v1/agents").key(&key).header(name, value);
            world.assert_refused(
                &dropped.header("Connection", &format!("close, {name}")),
                lacks,
            );
        }
        let (_, seen) = world.assert_passes(&all(Call::new("POST", SIGNALS).key(&key).body(b"{}")));
        for (name, _) in OVERRIDES {
            assert!(
                seen.all(name).is_empty(),
                "{:?}: {name} in {seen:?}",
                world.kind
            );
        }
    });
}
