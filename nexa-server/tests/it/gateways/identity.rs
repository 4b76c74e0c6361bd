//! Who the API is told a caller is: Nexa's word alone, whatever the caller writes.

use serde_json::json;

use super::{Call, World, behind_each_gateway};

const SIGNALS: &str = "/api/v1/trading-signals";

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn no_caller_speaks_in_nexas_name() {
    behind_each_gateway(|world| {
        let key = world.key(&["signals"]);
        let me = world.nexa.get("/api/auth/me").bearer(&world.token).send();
        let tenant = me.json["tenant"]["id"].as_str().unwrap();
        let (_, genuine) = world.assert_passes(&Call::get(SIGNALS).key(&key));
        assert_eq!(genuine.all("X-Nexa-Tenant"), [tenant], "{:?}", world.kind);
        assert_eq!(
            genuine.all("X-Nexa-Scopes"),
            ["signals"],
            "{:?}",
            world.kind
        );
        assert_eq!(
            genuine.all("X-Nexa-Environment"),
            ["live"],
            "{:?}",
            world.kind
        );
        assert_eq!(genuine.all("X-Nexa-User").len(), 1, "{:?}", world.kind);
        assert_eq!(genuine.all("X-Nexa-Key").len(), 1, "{:?}", world.kind);
        for name in [
            "X-Nexa-Tenant",
            "x-nexa-tenant",
            "X-NEXA-TENANT",
            "X-Nexa-User",
            "X-Nexa-Key",
            "X-Nexa-Scopes",
            "X-Nexa-Environment",
            "X-Nexa-Error",
            "X-Nexa-Problem",
            "X-Nexa-Anything",
            "X-Nexa-",
            "X_Nexa_Tenant",
            "x_nexa-tenant",
            "X-Nexa_Tenant",
            "X.Nexa.Tenant",
            "X~Nexa~Tenant",
            "X-Nexa-Tenant ",
            "X-Nexa-Tenant\t",
            " X-Nexa-Tenant",
        ] {
            let forged = |call: Call| call.header(name, "forged");
            assert_unforged(world, &forged(Call::get(SIGNALS).key(&key)));
            assert_unforged(world, &forged(forged(Call::get(SIGNALS).key(&key))));
            assert_unforged(world, &forged(Call::get("/status")));
            let dropped = format!("close, {name}");
            assert_unforged(
                world,
                &Call::get(SIGNALS).key(&key).header("Connection", &dropped),
            );
            assert_unforged(
                world,
                &forged(Call::get(SIGNALS).key(&key)).header("Connection", &dropped),
            );
            let trailer = format!("{name}: forged\r\n");
            let trailed = Call::new("POST", SIGNALS).key(&key).header("Trailer", name);
            assert_unforged(world, &trailed.chunked(&[b"{}"], &trailer));
        }
    });
}

/// Asserts that the call is refused, or that the API is told what Nexa says and nothing else.
fn assert_unforged(world: &World, call: &Call) {
    let answer = world.send(call);
    let seen = world.api.seen();
    if answer.status >= 400 {
        assert!(seen.is_empty(), "{:?}: {call:?}: {seen:?}", world.kind);
        return;
    }
    assert!(
        answer.status == 200 && seen.len() == 1,
        "{:?}: {call:?}: {answer:?}",
        world.kind
    );
    let is_public = call.value_of("X-API-Key").is_none();
    let mut told = Vec::new();
    for (name, value) in &seen[0].headers {
        assert!(
            !value.contains("forged"),
            "{:?}: {call:?}: {seen:?}",
            world.kind
        );
        let alike = name
            .to_ascii_lowercase()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        // A gateway may hand an empty value on or leave it out.
        if alike.starts_with("x-nexa-") && !value.is_empty() {
            told.push(alike);
        }
    }
    told.sort_unstable();
    let expected = match is_public {
        true => &[][..],
        false => &[
            "x-nexa-environment",
            "x-nexa-key",
            "x-nexa-scopes",
            "x-nexa-tenant",
            "x-nexa-user",
        ],
    };
    assert_eq!(told, expected, "{:?}: {call:?}", world.kind);
}

#[test]
#[ignore = "needs nginx, Caddy, Traefik and Envoy"]
fn a_key_is_bound_to_the_callers_own_address() {
    behind_each_gateway(|world| {
        let bound = world.limited_key(("allowedIps", json!(["127.0.0.2"])));
        let to_gateway = world.limited_key(("allowedIps", json!(["127.0.0.1"])));
        let call = |key: &str, from: u8| Call::get(SIGNALS).key(key).from([127, 0, 0, from]);
        world.assert_passes(&call(&bound, 2));
        let refusal = (403, "This API key may not be used from this address");
        world.assert_refused(&call(&bound, 3), refusal);
        world.assert_refused(&call(&to_gateway, 3), refusal);
        for claimed in [
            "127.0.0.2",
            "127.0.0.1",
            "127.0.0.2, 127.0.0.1",
            "unknown",
            "",
        ] {
            for key in [&bound, &to_gateway] {
                for name in [
                    "X-Forwarded-For",
                    "x-forwarded-for",
                    "X_Forwarded_For",
                    "X-Real-IP",
                    "Forwarded",
                ] {
                    world.assert_refused(&call(key, 3).header(name, claimed), refusal);
                    let twice = call(key, 3).header(name, claimed).header(name, claimed);
                    world.assert_refused(&twice, refusal);
                    // A gateway may refuse to drop what Connection names.
                    let dropped = call(key, 3).header(name, claimed);
                    let dropped = dropped.header("Connection", &format!("close, {name}"));
                    let status = world.send(&dropped).status;
                    assert!(matches!(status, 400 | 403), "{:?}: {dropped:?}", world.kind);
                    assert!(world.api.seen().is_empty(), "{:?}: {dropped:?}", world.kind);
                }
            }
            let (_, seen) =
                world.assert_passes(&call(&bound, 2).header("X-Forwarded-For", "127.0.0.9"));
            let hops = seen.all("X-Forwarded-For").join(",");
            assert_eq!(
                hops.rsplit(',').next().map(str::trim),
                Some("127.0.0.2"),
                "{:?}",
                world.kind
            );
        }
    });
}
