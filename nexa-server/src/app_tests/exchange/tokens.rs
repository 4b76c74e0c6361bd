//! What is read in an identity token, and what is refused: claims, header, signature.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::testing::issuer::message;

#[test]
fn every_claim_has_to_be_there_and_to_hold() {
    const MISSING: &str = "its payload: {}: required";
    const NUMBER: &str = "must be a whole number";
    let key = SigningKey::p256("p");
    let mut world = World::new(&[&key]);
    let good = world.claims(RELEASE);
    for name in ["iss", "sub", "aud", "exp", "iat"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        let expected = format!("subject_token: {}", MISSING.replace("{}", name));
        assert_eq!(world.refusal(&key.token(&claims)), expected);
    }
    let url = world.issuer.url.clone();
    let at = |offset_s: i64| json!(START_S + offset_s);
    for (name, value, sentence) in [
        ("iss", json!([url]), "must be a string"),
        ("iss", json!(7), "must be a string"),
        ("iss", json!(format!("{url}/")), UNTRUSTED),
        ("iss", json!(url.to_uppercase()), UNTRUSTED),
        ("iss", json!("https://other.example"), UNTRUSTED),
        ("sub", json!([RELEASE]), "must be a string"),
        ("sub", json!(null), "must be a string"),
        ("sub", json!(""), "sub: must be 1 to 230 bytes"),
        ("sub", json!("s".repeat(231)), "sub: must be 1 to 230 bytes"),
        (
            "sub",
            json!("repo:acme/app:\n"),
            "sub: no control characters",
        ),
        ("sub", json!("repo:acme/app-evil:x"), UNTRUSTED),
        ("sub", json!("xrepo:acme/app:x"), UNTRUSTED),
        ("aud", json!([]), "must be one audience"),
        (
            "aud",
            json!([AUDIENCE, "https://b"]),
            "must be one audience",
        ),
        ("aud", json!([[AUDIENCE]]), "must be a string"),
        ("aud", json!({ "a": AUDIENCE }), "must be one audience"),
        ("aud", json!(1), "must be one audience"),
        ("aud", json!("https://NEXA.example"), UNTRUSTED),
        ("aud", json!("https://nexa.example/"), UNTRUSTED),
        ("aud", json!("https://nexa.exampl"), UNTRUSTED),
        ("exp", json!("1800000300"), NUMBER),
        ("exp", json!(1_800_000_300.5), NUMBER),
        ("exp", json!(-1), NUMBER),
        ("exp", json!(null), NUMBER),
        ("exp", json!([1_800_000_300]), NUMBER),
        ("exp", at(0), "expired 0 s ago"),
        ("exp", at(-1), "expired 1 s ago"),
        ("exp", at(-5), "exp: must be after iat and nbf"),
        ("iat", json!("1800000000"), NUMBER),
        ("iat", json!(true), NUMBER),
        ("iat", at(1), "iat: comes in 1 s"),
        ("iat", at(-3_601), "issued 3601 s ago, which is too long"),
        (
            "iat",
            json!(0),
            "issued 1800000000 s ago, which is too long",
        ),
        ("nbf", json!("0"), NUMBER),
        ("nbf", json!(null), NUMBER),
        ("nbf", json!(0.5), NUMBER),
        ("nbf", at(1), "nbf: comes in 1 s"),
        ("nbf", at(300), "exp: must be after iat and nbf"),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        let refusal = world.refusal(&key.token(&claims));
        assert!(refusal.contains(sentence), "{claims}: {refusal}");
    }
    let mut claims = good.clone();
    claims.as_object_mut().unwrap().remove("nbf");
    assert_eq!(
        world.refusal(&key.token(&claims)),
        "subject_token: nbf: required"
    );
    for (name, value) in [
        ("aud", json!([AUDIENCE])),
        ("exp", at(1)),
        ("exp", json!(u64::MAX)),
        ("iat", at(0)),
        ("iat", at(-3_600)),
        ("nbf", at(0)),
        ("nbf", json!(0)),
        ("azp", json!({ "unknown": [1.5, null] })),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        assert_eq!(world.exchange(&key.token(&claims)).0, 200, "{claims}");
    }
}

#[test]
fn leeway_and_a_missing_nbf_are_what_the_configuration_says() {
    let key = SigningKey::p256("p");
    let mut world = World::with(&[&key], |trusted| {
        trusted.leeway_s = 30;
        trusted.max_age_s = 60;
        trusted.not_before = NotBefore::Optional;
        trusted.algorithms = vec![Algorithm::Es256];
    });
    let mut good = world.claims(RELEASE);
    good.as_object_mut().unwrap().remove("nbf");
    for (name, offset_s, is_good) in [
        ("exp", 0, true),
        ("exp", -4, true),
        ("iat", 30, true),
        ("iat", 31, false),
        ("iat", -90, true),
        ("iat", -91, false),
        ("nbf", 30, true),
        ("nbf", 31, false),
    ] {
        let mut claims = good.clone();
        claims[name] = json!(START_S + offset_s);
        let (status, answer) = world.exchange(&key.token(&claims));
        assert_eq!(status == 200, is_good, "{name} {offset_s}: {answer}");
        if name == "exp" {
            assert_eq!(answer["expires_in"], offset_s + 30);
        }
    }
    good["exp"] = json!(START_S - 4);
    world.fixture.now = START.plus_seconds(25);
    assert_eq!(world.exchange(&key.token(&good)).0, 200);
    world.fixture.now = START.plus_seconds(26);
    let refused = world.refusal(&key.token(&good));
    assert_eq!(refused, "subject_token: expired 30 s ago");
    world.fixture.now = START;
    let rsa = SigningKey::rsa("p");
    assert_eq!(world.refusal(&rsa.token(&world.claims(RELEASE))), UNTRUSTED);
}

#[test]
fn a_header_that_says_more_than_it_should_is_refused_and_opens_no_socket() {
    let key = SigningKey::rsa("r");
    let mut world = World::new(&[&key]);
    let trap = Issuer::start(&[&key]);
    let url = format!("{}/keys", trap.url);
    let payload = world.claims(RELEASE).to_string();
    let not_taken = |name: &str| format!("its header: {name}: not taken");
    for (member, value, sentence) in [
        ("jku", json!(url), not_taken("jku")),
        ("x5u", json!(url), not_taken("x5u")),
        ("jwk", key.jwk(), not_taken("jwk")),
        ("x5c", json!(["MIIB"]), not_taken("x5c")),
        ("crit", json!(["exp"]), not_taken("crit")),
        ("crit", json!([]), not_taken("crit")),
        ("crit", json!(null), not_taken("crit")),
        ("b64", json!(false), not_taken("b64")),
        ("zip", json!("DEF"), not_taken("zip")),
        ("enc", json!("A128GCM"), not_taken("enc")),
        ("typ", json!("at+jwt"), "typ: must be JWT".to_owned()),
        ("typ", json!("license+jwt"), "typ: must be JWT".to_owned()),
        ("typ", json!(1), "typ: must be a string".to_owned()),
        ("kid", json!(null), "kid: must be a string".to_owned()),
        ("kid", json!(1), "kid: must be a string".to_owned()),
        ("kid", json!(""), "kid: must be 1 to 256 bytes".to_owned()),
        (
            "kid",
            json!("k".repeat(257)),
            "kid: must be 1 to 256 bytes".to_owned(),
        ),
        ("kid", json!("' OR 1=1 --"), UNTRUSTED.to_owned()),
        ("alg", json!(["RS256"]), "alg: must be a string".to_owned()),
    ] {
        let mut header = json!({ "alg": "RS256", "typ": "JWT", "kid": "r" });
        header[member] = value;
        let refusal = world.refusal(&key.sign(&header.to_string(), &payload));
        assert!(refusal.contains(&sentence), "{header}: {refusal}");
    }
    for (header, sentence) in [
        (r#"{"alg":"RS256"}"#, "kid: required"),
        (r#"{"kid":"r"}"#, "alg: required"),
        (
            r#"{"alg":"RS256","kid":"r","kid":"r"}"#,
            "kid: appears twice",
        ),
        (
            r#"{"alg":"RS256","kid":"r","\u006bid":"r"}"#,
            "kid: appears twice",
        ),
        (
            r#"{"alg":"RS256","kid":"r","x":{"y":1,"y":1}}"#,
            "appears twice",
        ),
        (r#"{"alg":"RS256","kid":"r"} "#, ""),
        (r#"{"alg":"RS256","kid":"r"}{}"#, "not valid JSON"),
        (r#"["RS256","r"]"#, "must be an object"),
        ("\u{feff}{}", "not valid JSON"),
        ("", "not valid JSON"),
    ] {
        let token = key.sign(header, &payload);
        if sentence.is_empty() {
            // White space is JSON too.
            assert_eq!(world.exchange(&token).0, 200, "{header}");
        } else {
            let refusal = world.refusal(&token);
            assert!(refusal.contains(sentence), "{header}: {refusal}");
        }
    }
    let twice = payload.replacen('{', "{\"sub\":\"x\",", 1);
    let good = r#"{"alg":"RS256","kid":"r"}"#;
    let refusal = world.refusal(&key.sign(good, &twice));
    assert!(
        refusal.contains("its payload: sub: appears twice"),
        "{refusal}"
    );
    let lower = key.sign(r#"{"alg":"RS256","kid":"r","typ":"jwt"}"#, &payload);
    assert_eq!(world.exchange(&lower).0, 200);
    assert_eq!(trap.asked(), 0);
}

#[test]
fn only_the_keys_own_algorithm_and_signature_pass() {
    let (rsa, p256) = (SigningKey::rsa("r"), SigningKey::p256("p"));
    let mut world = World::new(&[&rsa, &p256]);
    let payload = world.claims(RELEASE).to_string();
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "typ": "JWT", "kid": kid }).to_string();
    let unknown = "subject_token: its header: alg: must be RS256 or ES256";
    for alg in [
        "none", "None", "NONE", "", "rs256", "HS256", "HS512", "RS384", "RS512", "PS256", "ES384",
        "EdDSA",
    ] {
        let signed = rsa.sign(&header(alg, "r"), &payload);
        let unsigned = format!("{}.", message(&header(alg, "r"), &payload));
        for token in [signed, unsigned] {
            assert_eq!(world.refusal(&token), unknown, "{alg}");
        }
    }
    let good = rsa.token(&world.claims(RELEASE));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let with = |signature: &[u8]| format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    let mut flipped = bytes.clone();
    flipped[100] ^= 1;
    let longer = [&bytes[..], &[0]].concat();
    let forged = SigningKey::other_rsa("r").token(&world.claims(RELEASE));
    let changed = world.claims(RELEASE).to_string().replace("acme", "acne");
    for token in [
        with(&flipped),
        with(&longer),
        with(&bytes[1..]),
        with(&[]),
        with(&vec![0; 256]),
        forged,
        // The header of the one kind with the key of the other.
        rsa.sign(&header("RS256", "p"), &payload),
        p256.sign(&header("ES256", "r"), &payload),
        p256.sign(&header("ES256", "p"), &payload) + "AA",
        SigningKey::p256("p").token(&world.claims(RELEASE)),
        format!(
            "{}.{}",
            message(&header("ES256", "p"), &payload),
            "A".repeat(86)
        ),
        format!("{}.{}", message(&header("RS256", "r"), &changed), signature),
    ] {
        assert_eq!(world.refusal(&token), UNTRUSTED, "{token}");
    }
    for (token, sentence) in [
        (signed.to_owned(), "must be a JWT of three parts"),
        (format!("{good}.x"), "must be a JWT of three parts"),
        ("a".repeat(16_385), "at most 16384 bytes"),
        (format!("{good}="), ""),
        (format!(" {good}"), "its header is not base64url"),
        (good.replacen('.', "=.", 1), "its header is not base64url"),
    ] {
        let refusal = world.refusal(&token);
        let expected = match sentence {
            "" => UNTRUSTED.to_owned(),
            sentence => format!("subject_token: {sentence}"),
        };
        assert_eq!(refusal, expected);
    }
    assert_eq!(world.exchange(&good).0, 200);
}
