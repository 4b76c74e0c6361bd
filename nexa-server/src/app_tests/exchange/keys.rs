//! The keys of an issuer: rotation, storms, outages.

use super::*;
use crate::testing::issuer::Answer;

#[test]
fn new_keys_are_fetched_and_old_ones_go_with_the_next_set() {
    let (old, new) = (SigningKey::rsa("old"), SigningKey::p256("new"));
    let mut world = World::new(&[&old]);
    let token = |world: &World, key: &SigningKey| key.token(&world.claims(RELEASE));
    assert_eq!(world.exchange(&token(&world, &old)).0, 200);
    world.issuer.publish(&[&new]);
    // Less than a minute later the set is not read again, whoever asks.
    for second in [0, 30, 59] {
        world.fixture.now = START.plus_seconds(second);
        assert_eq!(world.refusal(&token(&world, &new)), UNTRUSTED);
        assert_eq!(world.exchange(&token(&world, &old)).0, 200);
    }
    assert_eq!(world.issuer.asked(), 1);
    world.fixture.now = START.plus_seconds(60);
    assert_eq!(world.exchange(&token(&world, &new)).0, 200);
    assert_eq!(world.refusal(&token(&world, &old)), UNTRUSTED);
    assert_eq!(world.issuer.asked(), 2);
}

#[test]
fn a_storm_of_unknown_ids_makes_one_fetch_a_minute() {
    let key = SigningKey::p256("p");
    let mut world = World::new(&[&key]);
    for second in 0..180 {
        world.fixture.now = START.plus_seconds(second);
        let stranger = SigningKey::p256(&format!("unknown {second}"));
        assert_eq!(
            world.refusal(&stranger.token(&world.claims(RELEASE))),
            UNTRUSTED
        );
    }
    assert_eq!(world.issuer.asked(), 3);
    // What is wrong before its key is asked for costs none at all.
    world.fixture.now = START.plus_seconds(300);
    for (name, value) in [("aud", json!("x")), ("sub", json!("x")), ("exp", json!(1))] {
        let mut claims = world.claims(RELEASE);
        claims[name] = value;
        world.refusal(&SigningKey::p256("other").token(&claims));
    }
    assert_eq!(world.issuer.asked(), 3);
}

#[test]
fn an_issuer_that_fails_is_503_and_its_known_keys_serve_for_a_day() {
    let (key, other) = (SigningKey::p256("p"), SigningKey::rsa("other"));
    let mut world = World::new(&[&key]);
    let long = |world: &World, key: &SigningKey| {
        let mut claims = world.claims(RELEASE);
        claims["exp"] = json!(world.fixture.now.ms() / 1_000 + 10);
        key.token(&claims)
    };
    assert_eq!(world.exchange(&long(&world, &key)).0, 200);
    let mut minute = 0;
    for answer in [
        Answer::Body(500, String::new()),
        Answer::Body(302, String::new()),
        Answer::Body(200, String::new()),
        Answer::Body(200, "[]".to_owned()),
        Answer::Body(200, r#"{"keys":[]}"#.to_owned()),
        Answer::Body(
            200,
            json!({ "keys": [other.jwk(), other.jwk()] }).to_string(),
        ),
        Answer::Body(200, format!("{{\"keys\":[]}}{}", " ".repeat(256 * 1024))),
    ] {
        minute += 2;
        world.fixture.now = START.plus_seconds(60 * minute);
        world.issuer.answer(answer);
        let asked = world.issuer.asked();
        for _ in 0..2 {
            let (status, refused) = world.exchange(&long(&world, &other));
            assert_eq!(
                (status, &refused["error"]),
                (503, &json!("temporarily_unavailable"))
            );
        }
        assert_eq!(world.issuer.asked(), asked + 1);
        assert_eq!(world.exchange(&long(&world, &key)).0, 200);
    }
    for (hours, status) in [(2, 200), (23, 200), (24, 503)] {
        world.fixture.now = START.plus_seconds(hours * 3_600);
        assert_eq!(world.exchange(&long(&world, &key)).0, status, "{hours}");
    }
    world.issuer.publish(&[&key]);
    world.fixture.now = START.plus_seconds(24 * 3_600 + 60);
    assert_eq!(world.exchange(&long(&world, &key)).0, 200);
}

#[test]
fn a_key_that_was_withdrawn_goes_within_an_hour() {
    let (key, other) = (SigningKey::p256("p"), SigningKey::rsa("other"));
    let mut world = World::new(&[&key]);
    assert_eq!(world.exchange(&key.token(&world.claims(RELEASE))).0, 200);
    world.issuer.publish(&[&other]);
    world.fixture.now = START.plus_seconds(3_599);
    assert_eq!(world.exchange(&key.token(&world.claims(RELEASE))).0, 200);
    world.fixture.now = START.plus_seconds(3_600);
    assert_eq!(world.refusal(&key.token(&world.claims(RELEASE))), UNTRUSTED);
}

#[test]
fn an_issuer_that_hangs_holds_a_few_callers_and_nobody_else() {
    let key = SigningKey::p256("p");
    let world = World::new(&[&key]);
    world.issuer.answer(Answer::Nothing);
    let body = request(&key.token(&world.claims(RELEASE)));
    let ask = |seed: u64, method: &str, path: &str, body: &Value| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let request = request.body(Bytes::from(body.to_string())).unwrap();
        let mut rng = SeededRng::new(seed);
        let response = answer(&world.fixture.app, START, &mut rng, &request, true);
        response.expect("it may block").status().as_u16()
    };
    std::thread::scope(|scope| {
        let (statuses, answered) = std::sync::mpsc::channel();
        for caller in 0..12 {
            let (statuses, ask, body) = (statuses.clone(), &ask, &body);
            scope.spawn(move || {
                let status = ask(caller, "POST", "/v1/account/token", body);
                statuses.send(status).unwrap();
            });
        }
        // One asks, eight wait, three are sent away at once.
        for _ in 0..3 {
            assert_eq!(answered.recv().unwrap(), 503);
        }
        world.issuer.wait_for_one();
        let elsewhere = ask(20, "GET", "/api/licenses/revocations", &Value::Null);
        assert_eq!((elsewhere, world.issuer.asked()), (200, 1));
        world.issuer.hang_up();
        for _ in 0..9 {
            assert_eq!(answered.recv().unwrap(), 503);
        }
    });
    assert_eq!(world.issuer.asked(), 1);
}
