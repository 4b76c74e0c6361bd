//! What an issuer refuses to sign, and the form of what it signs.
use nexa_core::{
    AccessIssuer, DevicePolicy, IssueError, LicenseIssuer, NewAccess, NewDevice, NewLicense,
    NewTerms, SigningKey, UnixSeconds, VerificationKey, check_issuer, public_jwks,
};

use crate::forge::{Forge, NOW, at, encode, full_license, payload_of};
use crate::seeded::Seeded;

#[test]
fn issuers() {
    let key = SigningKey::generate(&mut Seeded::new(1));
    let long = format!("https://{}", "a".repeat(249));
    for (issuer, is_good) in [
        ("https://nexa.example", true),
        ("http://127.0.0.1:8080", true),
        ("https://nexa.example/path", true),
        (&long[..256], true),
        (&long, false),
        ("", false),
        ("https://nexa.example/", false),
        ("/", false),
        ("https://nexa example", false),
        ("https://nexa.example\n", false),
        ("https://néxa.example", false),
        ("nexa.example", false),
        ("ftp://nexa.example", false),
        ("HTTPS://nexa.example", false),
        ("https://", false),
        ("https:///path", false),
        ("https://nexa.example?a=b", false),
        ("https://nexa.example#a", false),
        ("https://nexa.example/\"", false),
        ("https://nexa.example\\path", false),
    ] {
        assert_eq!(check_issuer(issuer).is_ok(), is_good, "{issuer}");
        assert_eq!(
            LicenseIssuer::new(key.clone(), issuer).is_ok(),
            is_good,
            "{issuer}"
        );
        assert_eq!(
            AccessIssuer::new(key.clone(), issuer).is_ok(),
            is_good,
            "{issuer}"
        );
    }
}

fn issue(request: &NewLicense<'_>) -> Result<String, IssueError> {
    let issuer = Forge::new(1).license_issuer();
    issuer
        .issue(at(NOW), &mut Seeded::new(1), request)
        .map(|issued| issued.token)
}

#[test]
fn requests_that_are_refused_name_the_field() {
    let good = full_license();
    let with_device = |components, policy| NewLicense {
        device: NewDevice { components, policy },
        ..good
    };
    let with_grace = |grace_s| NewLicense {
        terms: NewTerms {
            grace_s,
            ..good.terms
        },
        ..good
    };
    let long = "x".repeat(513);
    let one = &[("a", "1")];
    let (too_long, longest) = ([("a", &*long)], [("a", &long[..512])]);
    let many: Vec<(String, &str)> = (0..17).map(|n| (n.to_string(), "v")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(kind, value)| (&**kind, *value)).collect();
    for (request, field) in [
        (NewLicense { jti: "", ..good }, "jti"),
        (
            NewLicense {
                jti: &long[..257],
                ..good
            },
            "jti",
        ),
        (
            NewLicense {
                subject: "",
                ..good
            },
            "subject",
        ),
        (
            NewLicense {
                audience: "",
                ..good
            },
            "audience",
        ),
        (NewLicense { ttl_s: 0, ..good }, "ttl_s"),
        (
            NewLicense {
                ttl_s: 400 * 86_400 + 1,
                ..good
            },
            "ttl_s",
        ),
        (
            NewLicense {
                ttl_s: u64::MAX,
                ..good
            },
            "ttl_s",
        ),
        (with_device(&[], DevicePolicy::Any), "device.components"),
        (with_device(&many, DevicePolicy::Any), "device.components"),
        (
            with_device(&[("", "v")], DevicePolicy::Any),
            "device component kind",
        ),
        (
            with_device(&[("a", "")], DevicePolicy::Any),
            "device component value",
        ),
        (
            with_device(&too_long, DevicePolicy::Any),
            "device component value",
        ),
        (
            with_device(&[("a", "1"), ("a", "2")], DevicePolicy::Any),
            "device component kind",
        ),
        (with_device(one, DevicePolicy::AtLeast(0)), "device.policy"),
        (with_device(one, DevicePolicy::AtLeast(2)), "device.policy"),
        (with_device(one, DevicePolicy::Two), "device.policy"),
        (with_grace(400 * 86_400 - good.ttl_s + 1), "terms.grace_s"),
        (with_grace(u64::MAX), "terms.grace_s"),
    ] {
        match issue(&request) {
            Err(
                IssueError::Length { field: found, .. } | IssueError::Value { field: found, .. },
            ) => {
                assert_eq!(found, field);
            }
            other => panic!("{field}: {other:?}"),
        }
    }
    let of_components = issue(&with_device(&many, DevicePolicy::Any)).unwrap_err();
    assert_eq!(
        of_components.to_string(),
        "device.components must have 1 to 16 entries"
    );
    assert!(issue(&with_grace(400 * 86_400 - good.ttl_s)).is_ok());
    assert!(issue(&with_device(&many[..2], DevicePolicy::Two)).is_ok());
    assert!(issue(&with_device(&longest, DevicePolicy::AtLeast(1))).is_ok());
    assert!(issue(&with_device(&many[..16], DevicePolicy::AtLeast(16))).is_ok());
}

#[test]
fn what_a_checker_would_refuse_is_not_signed() {
    let with_limits = |limits| NewLicense {
        terms: NewTerms {
            limits,
            ..NewTerms::default()
        },
        ..full_license()
    };
    for (limits, code) in [
        (&[("a", 1_u64 << 53)][..], "json_number_range"),
        (&[("a", 1), ("a", 2)], "json_duplicate_member"),
    ] {
        match issue(&with_limits(limits)) {
            Err(IssueError::WouldBeRefused(refusal)) => assert_eq!(refusal.code(), code),
            other => panic!("{other:?}"),
        }
    }
    let plan = "x".repeat(4_000);
    let terms = NewTerms {
        plan: Some(&plan),
        ..NewTerms::default()
    };
    let refused = issue(&NewLicense {
        terms,
        ..full_license()
    });
    assert!(
        matches!(refused, Err(IssueError::TooLong { bytes: 4_097.. })),
        "{refused:?}"
    );
    let forge = Forge::new(1);
    let late = forge
        .license_issuer()
        .issue(UnixSeconds::MAX, &mut Seeded::new(1), &full_license());
    assert!(matches!(
        late,
        Err(IssueError::Value { field: "ttl_s", .. })
    ));
}

#[test]
fn access_requests_that_are_refused_name_the_field() {
    let issuer = AccessIssuer::new(Forge::new(1).key, "https://nexa.example").unwrap();
    let good = NewAccess {
        jti: "t",
        subject: "u",
        tenant: "w",
        session: "s",
        session_version: 0,
        role: Some("owner"),
        scope: None,
        ttl_s: 86_400,
    };
    let by_scope = NewAccess {
        role: None,
        scope: Some("signals"),
        ..good
    };
    assert!(issuer.issue(at(NOW), &good).is_ok());
    assert!(issuer.issue(at(NOW), &by_scope).is_ok());
    for (request, message) in [
        (
            NewAccess { jti: "", ..good },
            "jti must have 1 to 256 bytes",
        ),
        (
            NewAccess {
                subject: "",
                ..good
            },
            "subject must have 1 to 256 bytes",
        ),
        (
            NewAccess { tenant: "", ..good },
            "tenant must have 1 to 256 bytes",
        ),
        (
            NewAccess {
                session: "",
                ..good
            },
            "session must have 1 to 256 bytes",
        ),
        (
            NewAccess { role: None, ..good },
            "role must be there if scope is not",
        ),
        (
            NewAccess {
                role: Some(""),
                ..by_scope
            },
            "role must be absent or not empty",
        ),
        (
            NewAccess {
                scope: Some(""),
                ..good
            },
            "scope must be absent or not empty",
        ),
        (NewAccess { ttl_s: 0, ..good }, "ttl_s must be 1 s to 24 h"),
        (
            NewAccess {
                ttl_s: 86_401,
                ..good
            },
            "ttl_s must be 1 s to 24 h",
        ),
        (
            NewAccess {
                session_version: 1 << 53,
                ..good
            },
            "the token would be refused: the payload is not strict JSON: a number is 2^53 or more from zero",
        ),
    ] {
        assert_eq!(
            issuer.issue(at(NOW), &request).unwrap_err().to_string(),
            message
        );
    }
}

#[test]
fn the_header_is_exactly_the_documented_one() {
    let forge = Forge::new(1);
    let token = forge.license();
    assert_eq!(
        token.split('.').next().unwrap(),
        encode(format!(
            r#"{{"alg":"EdDSA","typ":"license+jwt","kid":"{}"}}"#,
            forge.key.kid()
        ))
    );
}

#[test]
fn a_licence_holds_no_device_value() {
    let payload = String::from_utf8(payload_of(&Forge::new(1).license())).unwrap();
    for value in ["a1b2", "x86", "02:00"] {
        assert!(!payload.contains(value), "{payload}");
    }
    let again = Forge::new(1)
        .license_issuer()
        .issue(at(NOW), &mut Seeded::new(2), &full_license())
        .unwrap();
    let hashes = |payload: &[u8]| {
        serde_json::from_slice::<serde_json::Value>(payload).unwrap()["device"]["components"]
            .clone()
    };
    assert_ne!(
        hashes(payload.as_bytes()),
        hashes(&payload_of(&again.token))
    );
}

#[test]
fn signing_keys_travel_as_pkcs8_pem() {
    // RFC 8410, section 10.3: the form without and the form with the public key.
    let without = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    let public = "-----BEGIN PUBLIC KEY-----";
    let key = SigningKey::from_pkcs8_pem(without).unwrap();
    let expected: [u8; 32] = [
        0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85, 0x41, 0xba, 0xc1, 0x67, 0xdc, 0x3b,
        0x96, 0xc8, 0x50, 0x86, 0xaa, 0x30, 0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad, 0x70, 0x31,
        0x66, 0xe1,
    ];
    assert_eq!(key.verification_key().to_bytes(), expected);
    assert_eq!(*key.to_pkcs8_pem().unwrap(), without);
    for bad in ["", public, &without[..60], &without.replace("MC4C", "MC5C")] {
        assert!(SigningKey::from_pkcs8_pem(bad).is_err(), "{bad}");
    }
    let shown = format!("{key:?}");
    assert_eq!(shown, format!("SigningKey {{ kid: {:?}, .. }}", key.kid()));
}

#[test]
fn a_foreign_public_key_beside_a_seed_is_refused() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let seed = [7; 32];
    let own = ed25519_dalek::SigningKey::from_bytes(&seed)
        .verifying_key()
        .to_bytes();
    let foreign = Forge::new(3).verification_key().to_bytes();
    let document = |public: &[u8; 32]| {
        // RFC 5958 OneAsymmetricKey, version 1, Ed25519, seed, public key.
        let mut der = vec![
            0x30, 0x51, 2, 1, 1, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
        ];
        der.extend(seed);
        der.extend([0x81, 0x21, 0]);
        der.extend(public);
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD
                .encode(der)
                .as_bytes()
                .chunks(64)
                .map(|line| std::str::from_utf8(line).unwrap())
                .collect::<Vec<_>>()
                .join("\n")
        )
    };
    let read = SigningKey::from_pkcs8_pem(&document(&own)).unwrap();
    assert_eq!(read.verification_key().to_bytes(), own);
    assert!(SigningKey::from_pkcs8_pem(&document(&foreign)).is_err());
}

#[test]
fn the_published_key_set_has_the_documented_members_in_order() {
    // RFC 8037, appendix A.
    let bytes: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07,
        0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07,
        0x51, 0x1a,
    ];
    let key = VerificationKey::from_bytes(&bytes).unwrap();
    assert_eq!(
        public_jwks(&[key]),
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\
         \"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\",\"use\":\"sig\",\"alg\":\"EdDSA\"}]}"
    );
    assert_eq!(public_jwks(&[]), r#"{"keys":[]}"#);
}
