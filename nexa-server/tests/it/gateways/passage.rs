//! What may pass, passes as it is: bodies, answers, preflights, public paths, WebSockets.

use std::io::{Read, Write};

use super::{Call, behind_each_gateway};

const SIGNALS: &str = "/api/v1/trading-signals";
/// Where the pages come from that may call Nexa, and by its own word the API.
const PAGE: &str = "https://app.example.com";

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn bodies_and_answers_pass_as_they_are() {
    behind_each_gateway(|world| {
        let key = world.key(&["signals"]);
        // More than Nexa itself would take.
        let large: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let post = || Call::new("POST", SIGNALS).key(&key);
        for call in [
            post().body(&large),
            post().chunked(&[&large[..100_000], &large[100_000..]], ""),
        ] {
            let (_, seen) = world.assert_passes(&call);
            assert!(
                seen.body == large,
                "{:?}: {} bytes",
                world.kind,
                seen.body.len()
            );
            assert_eq!(seen.all("Host"), ["api.example.com"], "{:?}", world.kind);
        }
        for status in [200, 201, 400, 401, 403, 404, 429, 500, 502, 503] {
            let answer = world.send(&Call::get(&format!("/own/{status}")).key(&key));
            assert_eq!(answer.status, status, "{:?}", world.kind);
            assert_eq!(
                answer.json["served"],
                format!("GET /own/{status}"),
                "{:?}",
                world.kind
            );
            assert_eq!(answer.all("www-authenticate"), ["Own"], "{:?}", world.kind);
        }
    });
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn public_paths_and_preflights_need_no_key() {
    behind_each_gateway(|world| {
        world.assert_passes(&Call::get("/status"));
        world.assert_passes(&Call::get("/status").header("Authorization", "Basic eDp5"));
        world.assert_refused(&Call::new("POST", "/status"), (401, "API key required"));
        let preflight = |path: &str| {
            Call::new("OPTIONS", path)
                .header("Origin", PAGE)
                .header("Access-Control-Request-Method", "POST")
                .header("Access-Control-Request-Headers", "x-api-key")
        };
        let (answer, _) = world.assert_passes(&preflight(SIGNALS));
        assert_eq!(answer.status, 204, "{:?}", world.kind);
        assert_eq!(
            answer.all("access-control-allow-origin"),
            [PAGE],
            "{:?}: the API's own answer",
            world.kind
        );
        world.assert_refused(&preflight("/api/v1/agents"), (401, "API key required"));
        for (origin, may_read) in [(PAGE, &[PAGE][..]), ("https://evil.example.com", &[])] {
            let call = Call::get(SIGNALS).header("Origin", origin);
            let refused = world.assert_refused(&call, (401, "API key required"));
            let allowed = refused.all("access-control-allow-origin");
            assert_eq!(
                allowed, may_read,
                "{:?}: pages read refusals too",
                world.kind
            );
        }
    });
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn websockets_of_the_api_pass_with_a_key_and_not_without() {
    behind_each_gateway(|world| {
        let upgrade = |path: &str| {
            Call::get(path)
                .header("Connection", "Upgrade")
                .header("Upgrade", "websocket")
                .header("Sec-WebSocket-Version", "13")
                .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        };
        let (signals, agents) = (world.key(&["signals"]), world.key(&["agents"]));
        world.assert_refused(&upgrade("/ws"), (401, "API key required"));
        world.assert_refused(
            &upgrade("/ws").key(&agents),
            (403, "API key missing required scope: signals"),
        );
        let target = format!("/ws?token={signals}");
        world.assert_refused(&upgrade(&target), (401, "API key required"));

        let mut stream = upgrade("/ws").key(&signals).write(world.gateway.port);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101 "),
            "{:?}",
            String::from_utf8_lossy(&head)
        );
        for message in [&b"\x81\x05hello"[..], b"\x82\x03\x00\xff\n"] {
            stream.write_all(message).unwrap();
            let mut echoed = vec![0; message.len()];
            stream.read_exact(&mut echoed).unwrap();
            assert_eq!(echoed, message, "{:?}", world.kind);
        }
        let seen = world.api.seen();
        assert_eq!(
            seen[0].all("X-Nexa-Scopes"),
            ["signals"],
            "{:?}",
            world.kind
        );
    });
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn no_connection_turns_into_one_that_nobody_judges() {
    behind_each_gateway(|world| {
        let key = world.key(&["signals"]);
        for protocol in [
            "h2c",
            "H2C",
            "HTTP/2.0",
            "websocket, h2c",
            "h2c, websocket",
            "TLS/1.0",
        ] {
            let call = Call::get(SIGNALS)
                .key(&key)
                .header("Connection", "Upgrade, HTTP2-Settings")
                .header("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA");
            for call in [
                call.clone().header("Upgrade", protocol),
                call.clone()
                    .header("Upgrade", "websocket")
                    .header("Upgrade", protocol),
                call.header("Upgrade", protocol)
                    .header("Upgrade", "websocket"),
            ] {
                let answer = world.send(&call);
                let seen = world.api.seen();
                assert!(
                    seen.iter()
                        .all(|seen| !seen.all("Upgrade").contains(&protocol)),
                    "{:?}: {call:?}: {answer:?}: {seen:?}",
                    world.kind
                );
            }
        }
    });
}
