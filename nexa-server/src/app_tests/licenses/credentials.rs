//! Licence tokens as credentials: for as long as their licences stand, and for what they open.

use hyper::Request;
use hyper::body::Bytes;
use nexa_core::{DevicePolicy, LicenseIssuer, NewDevice, NewLicense, NewTerms};
use serde_json::{Value, json};

use super::super::{Fixture, START};
use super::{DAY_S, Shop, app, claims, with};
use crate::config::Config;
use crate::domain::Error;
use crate::domain::audit::{self, Act, Origin};
use crate::domain::license_tokens;
use crate::domain::models::Model;
use crate::domain::principal::{LicenseHolder, Principal};
use crate::domain::standing;
use crate::outbound::object_store::{ObjectStore, Style};
use crate::testing::{ISSUER, seeded_key};
use crate::time::UnixMillis;

/// With models `free`, `large` (an entitlement) and `other` (another app's), and a place where they lie.
fn with_models(config: &mut Config) {
    let model = |id: &str, entitlement: Option<&str>, apps: Option<Vec<String>>| Model {
        id: id.to_owned(),
        object_key: format!("models/{id}"),
        entitlement: entitlement.map(str::to_owned),
        apps,
    };
    config.models = vec![
        model("free", None, Some(vec!["sdk".to_owned()])),
        model("large", Some("large"), None),
        model("other", None, Some(vec!["another".to_owned()])),
    ];
    let keys = ("key", "secret");
    let store = ObjectStore::new("http://127.0.0.1:9000", "bucket", "r", keys, Style::Path);
    config.object_store = Some(store.unwrap());
}

fn shop(terms: Value) -> Shop {
    Shop::on(Fixture::with(with_models), &with(app(), terms))
}

impl Shop {
    /// A licence token for the app `sdk`, and the licence's id.
    fn token(&mut self, fingerprint: &str) -> (String, String) {
        let (status, issued) = self.issue(fingerprint);
        assert_eq!(status, 201, "{issued}");
        let jti = claims(&issued)["jti"].as_str().unwrap().to_owned();
        (issued["license"].as_str().unwrap().to_owned(), jti)
    }

    fn download(&mut self, model: &str, credential: &str) -> (u16, Value) {
        let path = format!("/api/downloads/models/{model}");
        self.fixture.send("GET", &path, credential, &Value::Null)
    }

    /// Status and code of a download of a model that every licence opens.
    fn opens(&mut self, credential: &str) -> (u16, String) {
        let (status, answer) = self.download("free", credential);
        let code = answer["code"].as_str().unwrap_or_default().to_owned();
        (status, code)
    }

    fn holder(&self, token: &str) -> Result<LicenseHolder, Error> {
        let services = self.fixture.app.services();
        let open = license_tokens::open(self.fixture.now, &services.ring.issuing(), token)?;
        services.store.read(|tx| license_tokens::holder(tx, open))
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

const OPEN: (u16, String) = (200, String::new());

#[test]
fn a_licence_opens_until_its_grace_is_over_to_the_second() {
    let mut shop = shop(json!({ "graceDays": 7 }));
    let (token, _) = shop.token("f");
    for (seconds, expected) in [
        (-300, OPEN),
        (0, OPEN),
        (30 * DAY_S - 1, OPEN),
        (30 * DAY_S, OPEN),
        (37 * DAY_S - 1, OPEN),
        (37 * DAY_S, refused(401, "license_expired")),
        (90 * DAY_S, refused(401, "license_expired")),
        // A clock that has been set back.
        (-301, refused(401, "invalid_token")),
    ] {
        shop.fixture.now = START.plus_seconds(seconds);
        assert_eq!(shop.opens(&token), expected, "after {seconds} s");
    }
    let mut shop = self::shop(json!({}));
    let (token, _) = shop.token("f");
    shop.fixture.now = START.plus_seconds(30 * DAY_S);
    assert_eq!(
        shop.opens(&token),
        refused(401, "license_expired"),
        "no grace"
    );
}

#[test]
fn a_licence_that_is_revoked_or_whose_tenant_has_ended_opens_nothing() {
    let mut shop = shop(json!({}));
    let ((first, jti), (second, _)) = (shop.token("f"), shop.token("g"));
    let path = format!("/api/licenses/{jti}/revoke");
    assert_eq!(shop.ask("POST", &path, &json!({})).0, 200);
    assert_eq!(shop.opens(&first), refused(401, "license_revoked"));
    assert_eq!(shop.opens(&second), OPEN);
    // Its tenant is enough, before its own row says anything.
    let tenant = |state: &'static str| match state {
        "active" => "UPDATE tenants SET state = 'active'",
        _ => "UPDATE tenants SET state = 'disabled'",
    };
    shop.fixture.execute(tenant("disabled"));
    assert_eq!(shop.opens(&second), refused(401, "license_revoked"));
    shop.fixture.execute(tenant("active"));
    assert_eq!(shop.opens(&second), OPEN);
    let (path, operator) = (
        format!("/api/operator/tenants/{}", shop.tenant_id),
        shop.operator.clone(),
    );
    for is_enabled in [false, true] {
        let change = json!({ "enabled": is_enabled });
        assert_eq!(shop.fixture.send("PATCH", &path, &operator, &change).0, 200);
        assert_eq!(shop.opens(&second), refused(401, "license_revoked"));
    }
    let (third, _) = shop.token("h");
    assert_eq!(shop.opens(&third), OPEN);
    let erased = shop.fixture.send("DELETE", &path, &operator, &Value::Null);
    assert!(matches!(erased.0, 200 | 202), "{erased:?}");
    assert_eq!(shop.opens(&third), refused(401, "license_revoked"));
}

#[test]
fn a_licence_stops_with_its_user_and_is_the_tenants_once_they_have_left() {
    let mut shop = shop(json!({}));
    shop.key = shop.key_of_another_user("member");
    let (token, _) = shop.token("f");
    assert_eq!(
        shop.holder(&token).unwrap().user_id.as_deref(),
        Some("somebody")
    );
    shop.fixture
        .execute("UPDATE users SET state = 'disabled' WHERE id = 'somebody'");
    assert_eq!(shop.opens(&token), refused(401, "license_revoked"));
    shop.fixture
        .execute("DELETE FROM api_keys WHERE user_id = 'somebody'");
    shop.fixture
        .execute("DELETE FROM users WHERE id = 'somebody'");
    assert_eq!(shop.opens(&token), OPEN);
    assert_eq!(shop.holder(&token).unwrap().user_id, None);
}

#[test]
fn a_licence_that_is_none_of_this_servers_opens_nothing() {
    let mut shop = shop(json!({}));
    let (token, jti) = shop.token("f");
    let tenant_id = shop.tenant_id.clone();
    let sign = |seed, issuer: &str, jti: &str, subject: &str| {
        let request = NewLicense {
            jti,
            subject,
            audience: "sdk",
            ttl_s: 3600,
            device: NewDevice {
                components: &[("fingerprint", "f")],
                policy: DevicePolicy::All,
            },
            terms: NewTerms::default(),
            status: None,
        };
        let issuer = LicenseIssuer::new(seeded_key(seed), issuer).unwrap();
        let issued = issuer.issue_with_salt(START.seconds(), [1; 16], &request);
        issued.unwrap().token
    };
    let missing = "018f0000-0000-7000-8000-000000000000";
    assert_eq!(
        shop.opens(&sign(7, ISSUER, &jti, &tenant_id)),
        OPEN,
        "what is signed here does as well as the licence itself"
    );
    let (header, rest) = token.split_once('.').unwrap();
    for (token, what) in [
        (sign(99, ISSUER, &jti, &tenant_id), "another key"),
        (
            sign(7, "https://others.example", &jti, &tenant_id),
            "another issuer",
        ),
        (sign(7, ISSUER, missing, &tenant_id), "no licence of ours"),
        (sign(7, ISSUER, &jti, missing), "another tenant's licence"),
        (format!("{header}.{rest}A"), "a signature that is too long"),
        (format!("eyJhbGciOiJub25lIn0.{rest}"), "another header"),
    ] {
        assert_eq!(shop.opens(&token), refused(401, "invalid_token"), "{what}");
    }
}

#[test]
fn a_licence_dies_with_the_key_that_signed_it() {
    let mut shop = shop(json!({}));
    let (token, _) = shop.token("f");
    let operator = shop.operator.clone();
    let kid = seeded_key(7).kid().to_owned();
    let revoke = ("POST", "/api/operator/keyset/revoke", json!({ "kid": kid }));
    let (status, revoked) = shop.fixture.send(revoke.0, revoke.1, &operator, &revoke.2);
    assert_eq!(status, 200, "{revoked}");
    assert_eq!(shop.opens(&token), refused(401, "invalid_token"));
    let (next, _) = shop.token("f");
    assert_eq!(shop.opens(&next), OPEN);
}

#[test]
fn a_write_asks_again_whether_the_licence_stands() {
    for (sql, stands) in [
        (None, true),
        (Some("UPDATE licenses SET revoked_at_ms = 1"), false),
        (Some("UPDATE tenants SET state = 'disabled'"), false),
        (Some("UPDATE licenses SET user_id = NULL"), true),
    ] {
        let mut shop = shop(json!({}));
        let (token, jti) = shop.token("f");
        let holder = shop.holder(&token).unwrap();
        assert_eq!(
            (&holder.tenant_id, &holder.jti, holder.app_id.as_str()),
            (&shop.tenant_id, &jti, "sdk")
        );
        if let Some(sql) = sql {
            shop.fixture.execute(sql);
        }
        let origin = Origin {
            principal: Principal::License(holder),
            address: None,
        };
        let tenant_id = shop.tenant_id.clone();
        let written = shop.fixture.app.services().store.write(move |tx| {
            standing::require(tx, START, &origin.principal)?;
            // Any act will do: it is who acted that counts here.
            let act = Act::AccountExported;
            audit::record(tx, START, &origin, act, Some(&tenant_id), None)
        });
        assert_eq!(written.is_ok(), stands, "{sql:?}");
        if !stands {
            assert!(matches!(written, Err(Error::LicenseEnded)), "{sql:?}");
        } else if sql.is_none() {
            let acted = "SELECT count(*) FROM audit_events JOIN licenses ON licenses.jti = audit_events.actor_id
                 WHERE actor_kind = 'license' AND audit_events.user_id = licenses.user_id";
            assert_eq!(shop.count(acted), 1);
        }
    }
}

#[test]
fn a_model_opens_to_the_licences_that_it_is_for() {
    let mut shop = shop(json!({ "plans": { "pro": { "entitlements": ["export", "large"] } } }));
    let (token, _) = shop.token("f");
    let code = |answer: (u16, Value)| {
        (
            answer.0,
            answer.1["code"].clone(),
            answer.1["error"].clone(),
        )
    };
    let (status, answer) = shop.download("free", &token);
    assert_eq!(status, 200, "{answer}");
    let url = answer["url"].as_str().unwrap();
    assert!(
        url.starts_with(
            "http://127.0.0.1:9000/bucket/models/free?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
        ),
        "{url}"
    );
    assert!(
        url.contains("&X-Amz-Date=20270115T080000Z&X-Amz-Expires=900&"),
        "{url}"
    );
    assert!(!url.contains("secret"), "{url}");
    assert_eq!(
        (&answer["expiresIn"], &answer["objectKey"]),
        (&json!(900), &json!("models/free"))
    );
    for (model, expected) in [
        ("nothing", (404, "not_found", "Model not found")),
        ("models%2Ffree", (404, "not_found", "Model not found")),
        (
            "other",
            (
                403,
                "forbidden",
                "The model is not for the app of this licence",
            ),
        ),
        (
            "large",
            (
                403,
                "entitlement_missing",
                "The licence lacks the entitlement \"large\"",
            ),
        ),
    ] {
        let (status, kind, sentence) = expected;
        assert_eq!(
            code(shop.download(model, &token)),
            (status, json!(kind), json!(sentence)),
            "{model}"
        );
    }
    shop.set_plan(&json!("pro"));
    let (pro, _) = shop.token("f");
    assert_eq!(shop.download("large", &pro).0, 200);
    assert_eq!(
        shop.download("large", &token).0,
        403,
        "a licence carries what it carried when it was issued"
    );
}

#[test]
fn a_server_without_an_object_store_says_so_to_those_who_may_know() {
    let mut shop = Shop::on(
        Fixture::with(|config| {
            with_models(config);
            config.object_store = None;
        }),
        &app(),
    );
    let (token, _) = shop.token("f");
    let (status, answer) = shop.download("free", &token);
    assert_eq!(
        (status, &answer["code"], &answer["error"]),
        (
            503,
            &json!("not_configured"),
            &json!(
                "This server has no object store for downloads; its operator has to configure one"
            )
        )
    );
    assert_eq!(shop.download("large", &token).0, 403);
    assert_eq!(shop.download("nothing", &token).0, 404);
    assert_eq!(shop.download("free", "").0, 401);
}

#[test]
fn thirty_downloads_a_minute_come_from_one_address() {
    let mut shop = shop(json!({}));
    let (token, _) = shop.token("f");
    let ask = |shop: &mut Shop, carrier: &str, value: &str| {
        let request = Request::get("/api/downloads/models/free").header(carrier, value);
        let request = request.body(Bytes::new()).unwrap();
        shop.fixture.call(&request, true).unwrap()
    };
    let bearer = format!("Bearer {token}");
    for (carrier, value) in [("x-api-key", &token), ("authorization", &bearer)] {
        let response = ask(&mut shop, carrier, value);
        let cache = response.headers().get("cache-control").unwrap();
        assert_eq!(
            (response.status().as_u16(), cache),
            (200, &"no-store".parse().unwrap())
        );
    }
    for _ in 2..30 {
        assert_eq!(shop.opens(&token), OPEN);
    }
    let response = ask(&mut shop, "x-api-key", &token);
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
    shop.fixture.now = UnixMillis::from_ms(START.ms() + 2_000);
    assert_eq!(shop.opens(&token), OPEN, "one comes back every two seconds");
}
