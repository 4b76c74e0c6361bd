//! `/api/usage/report`: what is refused and what that leaves, who may report, and exact sums.

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

/// Two apps, plans with and without an overdraft, and prices that end in fractions of a millicent.
pub(super) const CONFIG: &str = r#"
[limits]
usage_report_per_address_a_minute = 1000000

[[apps]]
id = "engine"
ttl_days_min = 30
ttl_days_max = 90
ttl_days_default = 30

[[apps]]
id = "other"
ttl_days_min = 30
ttl_days_max = 90
ttl_days_default = 30

[[plans]]
id = "free"
name = "Free"
price = "0"
credits = "0.01"

[[plans]]
id = "pro"
name = "Pro"
price = "20.00"
credits = "0.01"
overdraft = "0.005"

[[plans]]
id = "large"
name = "Large"
price = "900.00"
credits = "5000.00"

[[rates]]
app = "engine"
model = "small"
input = "0.20"
cached_input = "0.05003"
output = "0.60007"
metrics = { images = "0.00123456789", gpu_seconds = "0.00000000003" }

[[rates]]
app = "engine"
model = "other"
output = "1"

[[rates]]
app = "other"
output = "1"
"#;

/// A tenant: its owner's session, and a licence token.
pub(super) struct Tenant<'s> {
    pub(super) server: &'s Server,
    pub(super) session: String,
    pub(super) license: String,
}

impl<'s> Tenant<'s> {
    pub(super) fn new(server: &'s Server, email: &str) -> Self {
        Self::of(server, server.sign_up_verified(email))
    }

    /// The tenant of an owner who is logged in.
    pub(super) fn of(server: &'s Server, session: String) -> Self {
        let license = license(server, &session, "engine");
        Self {
            server,
            session,
            license,
        }
    }

    pub(super) fn report(&self, body: &Value) -> Answer {
        report(self.server, &self.license, body)
    }

    /// With `outputTokens` of a model of which a token costs a millicent.
    pub(super) fn spend(&self, millicents: i64) -> Answer {
        let body =
            json!({ "appId": "engine", "modelId": "other", "outputTokens": millicents * 10 });
        self.report(&body)
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.server.get(path).bearer(&self.session).send()
    }

    pub(super) fn operate(&self, change: &Value) {
        let me = self.get("/api/auth/me").json;
        let path = format!(
            "/api/operator/tenants/{}",
            me["tenant"]["id"].as_str().unwrap()
        );
        let request = self.server.request("PATCH", &path);
        let request = request.header("Content-Type", "application/json");
        let answer = request
            .body(&change.to_string())
            .key(&self.server.operator_key())
            .send();
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// What is left of everything, and how many entries and reports have led to it.
    fn state(&self) -> (Value, Value, Value) {
        (
            self.get("/api/credits/balance").json,
            self.get("/api/credits/transactions").json,
            self.get("/api/usage/summary").json,
        )
    }
}

pub(super) fn license(server: &Server, credential: &str, app: &str) -> String {
    license_of(server, credential, app, "f")
}

pub(super) fn license_of(server: &Server, credential: &str, app: &str, device: &str) -> String {
    let device = json!({ "fingerprint": device, "platform": "linux" });
    let body = json!({ "appId": app, "device": device }).to_string();
    let request = server.post("/api/licenses/issue", &body);
    let issued = request.bearer(credential).send();
    assert_eq!(issued.status, 201, "{}", issued.text);
    issued.json["license"].as_str().unwrap().to_owned()
}

pub(super) fn report(server: &Server, license: &str, body: &Value) -> Answer {
    let request = server.post("/api/usage/report", &body.to_string());
    request.bearer(license).send()
}

#[test]
fn what_is_refused_names_its_field_and_leaves_nothing() {
    let server = Server::configured(CONFIG);
    let tenant = Tenant::new(&server, "ada@example.com");
    assert_eq!(tenant.spend(7).status, 200);
    let before = tenant.state();
    let count = "must be a whole number from 0 to 1000000000";
    let cases = [
        ("appId", json!(null), "appId: must be a string".to_owned()),
        (
            "appId",
            json!("other"),
            "appId: must be the app of the licence".to_owned(),
        ),
        (
            "modelId",
            json!("unknown"),
            "modelId: must be a model of this app that is on the rate card".to_owned(),
        ),
        (
            "modelId",
            json!(null),
            "modelId: required: this app has rates for its models only".to_owned(),
        ),
        ("modelId", json!(7), "modelId: must be a string".to_owned()),
        (
            "metrics",
            json!([]),
            "metrics: must be an object".to_owned(),
        ),
        (
            "metrics",
            json!({ "video_seconds": 1 }),
            "metrics: \"video_seconds\" must be a metric of the rate card".to_owned(),
        ),
        (
            "metrics",
            json!({ "gpu_seconds": -1 }),
            format!("metrics.gpu_seconds: {count}"),
        ),
        (
            "metrics",
            json!({ "images": null }),
            format!("metrics.images: {count}"),
        ),
    ];
    let wrong = [
        json!(-1),
        json!(1.5),
        json!(1_000_000_001),
        json!(u64::MAX),
        json!(1e300),
        json!("1"),
        json!(true),
        json!([1]),
    ];
    let counts = ["inputTokens", "cachedInputTokens", "outputTokens"];
    let counts = counts.into_iter().flat_map(|field| {
        let refused = move |value: &Value| (field, value.clone(), format!("{field}: {count}"));
        wrong.iter().map(refused)
    });
    for (field, value, sentence) in cases.into_iter().chain(counts) {
        let mut body = json!({ "appId": "engine", "modelId": "small", "inputTokens": 10 });
        body[field] = value;
        let refused = tenant.report(&body);
        assert_eq!(refused.refusal(), (400, sentence.as_str()), "{body}");
        assert_eq!(refused.json["detail"], refused.json["error"]);
        assert_eq!(refused.header("cache-control"), Some("no-store"));
    }
    let long = "x".repeat(5_000);
    let refused =
        tenant.report(&json!({ "appId": "engine", "modelId": "small", "metrics": { &long: 1 } }));
    assert!(refused.status == 400 && refused.text.len() < 1_000);
    for (body, sentence) in [
        ("{}", "appId: required"),
        ("[]", "body: must be an object"),
        (
            r#"{"appId":"engine","inputTokens":1,"inputTokens":2}"#,
            "inputTokens: appears twice",
        ),
        (
            r#"{"appId":"engine","metrics":{"images":1,"images":2}}"#,
            "metrics.images: appears twice",
        ),
    ] {
        let refused = server.post("/api/usage/report", body);
        let refused = refused.bearer(&tenant.license).send();
        assert_eq!(refused.refusal(), (400, sentence), "{body}");
    }
    let empty = json!({ "appId": "engine", "modelId": "small", "inputTokens": null, "metrics": null, "other": 7 });
    let charged = tenant.report(&empty);
    assert_eq!(
        (charged.status, &charged.json["costMillicents"]),
        (200, &json!(0)),
        "what is null is left out, what is unknown ignored: {}",
        charged.text
    );
    let after = tenant.state();
    assert_eq!((&after.0, &after.1), (&before.0, &before.1));
    assert_eq!(
        after.2["total"]["reports"], 2,
        "one that costs nothing is one"
    );
}

#[test]
fn what_is_not_covered_leaves_nothing_and_an_overdraft_is_lent() {
    let server = Server::configured(CONFIG);
    let tenant = Tenant::new(&server, "ada@example.com");
    assert_eq!(tenant.spend(400).json["balance"]["totalMc"], 600);
    let before = tenant.state();
    let refused = tenant.spend(601);
    assert_eq!(
        refused.refusal(),
        (402, "This costs 601 millicents, and the balance is 600")
    );
    assert_eq!(refused.json["code"], "credits_too_low");
    assert_eq!(tenant.state(), before);
    assert_eq!(tenant.spend(600).json["balance"]["totalMc"], 0);
    assert_eq!(tenant.spend(1).status, 402);
    assert_eq!(tenant.spend(0).status, 200, "what is free is free");

    // A thousand, and five hundred that are lent.
    tenant.operate(&json!({ "plan": "pro" }));
    let charged = tenant.spend(1_200);
    assert_eq!(
        charged.json["balance"],
        json!({ "monthlyMc": 0, "topupMc": -200, "totalMc": -200 })
    );
    let before = tenant.state();
    assert_eq!(
        tenant.spend(301).refusal(),
        (402, "This costs 301 millicents, and the balance is -200")
    );
    assert_eq!(tenant.state(), before);
    assert_eq!(tenant.spend(300).json["balance"]["totalMc"], -500);
    assert_eq!(tenant.spend(1).status, 402);
    // The dearest report there is.
    let most = json!({ "appId": "engine", "modelId": "other", "outputTokens": 1_000_000_000 });
    assert_eq!(
        tenant.report(&most).refusal(),
        (
            402,
            "This costs 100000000 millicents, and the balance is -500"
        )
    );
}

#[test]
fn a_licence_reports_while_it_stands_and_for_its_own_app() {
    let server = Server::configured(CONFIG);
    let tenant = Tenant::new(&server, "ada@example.com");
    let (session, license_of_engine) = (&tenant.session, &tenant.license);
    let other = license(&server, session, "other");
    let of = |license: &str, app: &str, model: Value| {
        let body = json!({ "appId": app, "modelId": model, "outputTokens": 10 });
        report(&server, license, &body)
    };
    assert_eq!(of(&other, "other", Value::Null).status, 200);
    assert_eq!(
        of(&other, "engine", json!("other")).refusal(),
        (400, "appId: must be the app of the licence")
    );
    assert_eq!(
        of(&other, "other", json!("other")).refusal(),
        (
            400,
            "modelId: must be a model of this app that is on the rate card"
        )
    );

    let sentence = "This needs a licence token, as POST /api/licenses/issue answers it";
    let (_, key) = server.make_key(session, &["full_access"]);
    for credential in [session, &key, &server.operator_key()] {
        let refused = of(credential, "engine", json!("other"));
        assert_eq!(refused.refusal(), (403, sentence));
    }
    let without = server.post("/api/usage/report", "{}").send();
    assert_eq!(without.refusal(), (401, "Authentication required"));

    let listed = tenant.get("/api/licenses").json;
    let is_others = |license: &&Value| license["appId"] == "other";
    let jti = listed.as_array().unwrap().iter().find(is_others).unwrap()["jti"].clone();
    let revoke = format!("/api/licenses/{}/revoke", jti.as_str().unwrap());
    assert_eq!(
        server.post(&revoke, "{}").bearer(session).send().status,
        200
    );
    let revoked = of(&other, "other", Value::Null);
    assert_eq!(
        (revoked.status, &revoked.json["code"]),
        (401, &json!("license_revoked"))
    );
    assert_eq!(of(license_of_engine, "engine", json!("other")).status, 200);

    tenant.operate(&json!({ "enabled": false }));
    let ended = of(license_of_engine, "engine", json!("other"));
    assert_eq!(
        (ended.status, &ended.json["code"]),
        (401, &json!("license_revoked"))
    );
}

#[test]
fn an_agent_spends_its_trial() {
    let server = Server::configured(CONFIG);
    let agent = server.post("/v1/account/register", r#"{"name":"an agent"}"#);
    let agent = agent.send().json["api_key"].as_str().unwrap().to_owned();
    let get = |path: &str| server.get(path).key(&agent).send().json;
    let license = license(&server, &agent, "engine");
    let spend = |millicents: i64| {
        let body =
            json!({ "appId": "engine", "modelId": "other", "outputTokens": millicents * 10 });
        report(&server, &license, &body)
    };
    let charged = spend(250_000);
    assert_eq!(
        charged.json["balance"],
        json!({ "monthlyMc": 250_000, "topupMc": 0, "totalMc": 250_000 }),
        "{}",
        charged.text
    );
    assert_eq!(get("/v1/account/info")["trial"]["balance"], 2.5);
    assert_eq!(spend(250_001).status, 402);
    assert_eq!(spend(250_000).json["balance"]["totalMc"], 0);
    assert_eq!(get("/v1/account/info")["trial"]["balance"], 0.0);
    let own = get("/api/subscriptions");
    assert_eq!(
        (&own["planId"], &own["status"]),
        (&Value::Null, &json!("none")),
        "agents have no plan that costs nothing"
    );
}

#[test]
fn reports_at_once_spend_what_there_is_and_no_more() {
    let server = Server::configured(CONFIG);
    let tenant = Tenant::new(&server, "ada@example.com");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let tenant = &tenant;
        let calls: Vec<_> = (0..32)
            .map(|_| scope.spawn(move || tenant.spend(70)))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let mut left: Vec<i64> = Vec::new();
    for answer in &answers {
        match answer.status {
            200 => left.push(answer.json["balance"]["totalMc"].as_i64().unwrap()),
            status => assert_eq!(status, 402, "{}", answer.text),
        }
    }
    left.sort_unstable();
    assert_eq!(left, (0..14).map(|n| 20 + 70 * n).collect::<Vec<_>>());
    let (balance, entries, summary) = tenant.state();
    assert_eq!(balance["totalMillicents"], 20);
    assert_eq!(entries.as_array().unwrap().len(), 15);
    assert_eq!(summary["total"]["reports"], 14);
}

/// A random number below `below`, from a seed that moves on (Knuth's MMIX).
fn random(seed: &mut u64, below: u64) -> i64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    i64::try_from((*seed >> 33) % below).unwrap()
}

#[test]
fn many_reports_cost_to_the_millicent_what_exact_fractions_say() {
    const THREADS: u64 = 4;
    const EACH: usize = 60;
    let server = Server::configured(CONFIG);
    let tenant = Tenant::new(&server, "ada@example.com");
    tenant.operate(&json!({ "plan": "large" }));
    // Prices in 10^-13 of the currency, for one token or unit; a millicent is 10^8 of these.
    let one = |used: [i64; 5]| {
        let prices = [2_000_000, 500_300, 6_000_700, 12_345_678_900, 300];
        let sum: i128 = (used.iter().zip(prices))
            .map(|(count, price)| i128::from(*count) * price)
            .sum();
        i64::try_from(sum.div_euclid(100_000_000) + i128::from(sum.rem_euclid(100_000_000) > 0))
            .unwrap()
    };
    let client = |thread: u64| {
        let mut seed = thread;
        let mut sums = [0; 6];
        for _ in 0..EACH {
            let below = [2, 50, 2_000, 900_000][usize::try_from(random(&mut seed, 4)).unwrap()];
            let used = [below, below, below, 30, below].map(|below| random(&mut seed, below));
            let [input, cached, output, images, gpu_seconds] = used;
            let charged = tenant.report(&json!({
                "appId": "engine",
                "modelId": "small",
                "inputTokens": input,
                "cachedInputTokens": cached,
                "outputTokens": output,
                "metrics": { "images": images, "gpu_seconds": gpu_seconds },
            }));
            assert_eq!(charged.status, 200, "{}", charged.text);
            assert_eq!(charged.json["costMillicents"], one(used), "{used:?}");
            for (sum, count) in sums.iter_mut().zip(used.into_iter().chain([one(used)])) {
                *sum += count;
            }
        }
        sums
    };
    let sums = std::thread::scope(|scope| {
        let client = &client;
        let clients: Vec<_> = (1..=THREADS)
            .map(|thread| scope.spawn(move || client(thread)))
            .collect();
        let sums = clients.into_iter().map(|client| client.join().unwrap());
        sums.fold([0; 6], |sums, more| {
            std::array::from_fn(|n| sums[n] + more[n])
        })
    });
    let [input, cached, output, images, gpu_seconds, cost] = sums;
    for by in ["day", "app", "model"] {
        let summary = tenant.get(&format!("/api/usage/summary?groupBy={by}")).json;
        let total = json!({
            "reports": THREADS * EACH as u64,
            "inputTokens": input,
            "cachedInputTokens": cached,
            "outputTokens": output,
            "metrics": { "images": images, "gpu_seconds": gpu_seconds },
            "costMillicents": cost,
        });
        assert_eq!(summary["total"], total, "{by}");
    }
    let balance = tenant.get("/api/credits/balance").json;
    assert_eq!(balance["totalMillicents"], 500_000_000 - cost);
    let entries = tenant.get("/api/credits/transactions?limit=1000").json;
    let spent = entries.as_array().unwrap().iter();
    let spent = spent.filter(|entry| entry["cause"] == "usage");
    let spent: i64 = spent
        .map(|entry| entry["monthlyMillicents"].as_i64().unwrap())
        .sum();
    assert_eq!(spent, -cost);
}
