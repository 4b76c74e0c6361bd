//! The claim `device`: its rules, and how a device is compared with it.

use super::Case;
use super::mint::{DAY_S, EXP, FINGERPRINT, Object, b64, claims, component_hash, device, quoted};

type Components = [(&'static str, &'static str)];

const LAPTOP: [(&str, &str); 3] = [("board", "b-77"), ("disk", "d-88"), ("host", "h-99")];
const FIVE: [(&str, &str); 5] = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = rules();
    cases.extend(policies());
    cases.extend(comparisons());
    cases
}

fn rules() -> Vec<Case> {
    let salt = |salt: &str| good().with("salt", salt);
    let policy = |policy: &str| good().with("policy", policy);
    let components = |components: &str| good().with("components", components);
    let hash = |hash: &str| components(&format!(r#"{{"fingerprint":{hash}}}"#));
    let fingerprint = b64(component_hash("fingerprint", FINGERPRINT));
    let seventeen = (0..17).fold(String::new(), |list, index| {
        format!("{list},\"k{index}\":\"{fingerprint}\"")
    });
    let mut cases: Vec<Case> = [
        (
            "salt-missing",
            good().without("salt"),
            "device_salt_missing",
        ),
        ("salt-null", salt("null"), "device_salt_type"),
        ("salt-number", salt("1"), "device_salt_type"),
        ("salt-empty", salt("\"\""), "device_salt_wrong"),
        (
            "salt-of-15-bytes",
            salt(&quoted(&b64([7; 15]))),
            "device_salt_wrong",
        ),
        (
            "salt-of-17-bytes",
            salt(&quoted(&b64([7; 17]))),
            "device_salt_wrong",
        ),
        (
            "salt-padded",
            salt(&quoted(&format!("{}==", b64([7; 16])))),
            "device_salt_wrong",
        ),
        (
            "salt-standard-alphabet",
            salt(&quoted(&b64([0xff; 16]).replace('_', "/"))),
            "device_salt_wrong",
        ),
        (
            "salt-loose-bits",
            salt("\"AAAAAAAAAAAAAAAAAAAAAB\""),
            "device_salt_wrong",
        ),
        (
            "policy-missing",
            good().without("policy"),
            "device_policy_missing",
        ),
        ("policy-null", policy("null"), "device_policy_type"),
        ("policy-true", policy("true"), "device_policy_type"),
        ("policy-array", policy(r#"["all"]"#), "device_policy_type"),
        ("policy-fraction", policy("1.0"), "device_policy_type"),
        ("policy-negative", policy("-1"), "device_policy_type"),
        ("policy-unknown", policy("\"some\""), "device_policy_wrong"),
        ("policy-empty", policy("\"\""), "device_policy_wrong"),
        (
            "policy-in-another-case",
            policy("\"All\""),
            "device_policy_wrong",
        ),
        (
            "policy-number-in-a-string",
            policy("\"1\""),
            "device_policy_wrong",
        ),
        ("policy-zero", policy("0"), "device_policy_wrong"),
        (
            "policy-more-than-there-are",
            policy("2"),
            "device_policy_wrong",
        ),
        ("policy-257", policy("257"), "device_policy_wrong"),
        (
            "components-missing",
            good().without("components"),
            "device_components_missing",
        ),
        (
            "components-null",
            components("null"),
            "device_components_type",
        ),
        (
            "components-array",
            components("[]"),
            "device_components_type",
        ),
        (
            "components-empty",
            components("{}"),
            "device_components_wrong",
        ),
        (
            "components-seventeen",
            components(&format!("{{{}}}", seventeen.trim_start_matches(','))),
            "device_components_wrong",
        ),
        (
            "kind-empty",
            components(&format!(r#"{{"":"{fingerprint}"}}"#)),
            "device_components_wrong",
        ),
        ("hash-null", hash("null"), "device_components_type"),
        ("hash-number", hash("1"), "device_components_type"),
        ("hash-empty", hash("\"\""), "device_components_wrong"),
        (
            "hash-of-7-bytes",
            hash(&quoted(&b64([7; 7]))),
            "device_components_wrong",
        ),
        (
            "hash-of-32-bytes",
            hash(&quoted(&b64([7; 32]))),
            "device_components_wrong",
        ),
        (
            "hash-padded",
            hash(&quoted(&format!("{fingerprint}="))),
            "device_components_wrong",
        ),
        (
            "hash-in-hexadecimal",
            hash("\"0123456789abcdef\""),
            "device_components_wrong",
        ),
    ]
    .map(|(name, device, code)| Case::denied(&format!("device/{name}"), bound(&device), code))
    .into();
    cases.push(Case::denied(
        "device/missing",
        claims().without("device").token(),
        "device_missing",
    ));
    cases.extend(
        [
            ("null", "null"),
            ("string", "\"laptop\""),
            ("array", "[]"),
            ("number", "1"),
        ]
        .map(|(name, json)| {
            Case::denied(
                &format!("device/{name}"),
                claims().with("device", json).token(),
                "device_type",
            )
        }),
    );
    cases
}

/// Every policy at the last number of matches that suffices and the first that does not.
fn policies() -> Vec<Case> {
    let rows: [(&str, &str, &Components, u8); 12] = [
        ("any-of-1", "\"any\"", prefix(&FIVE, 1), 1),
        ("any-of-5", "\"any\"", &FIVE, 1),
        ("two-of-1", "\"two\"", prefix(&FIVE, 1), 1),
        ("two-of-2", "\"two\"", prefix(&FIVE, 2), 2),
        ("two-of-5", "\"two\"", &FIVE, 2),
        ("most-of-1", "\"most\"", prefix(&FIVE, 1), 1),
        ("most-of-2", "\"most\"", prefix(&FIVE, 2), 2),
        ("most-of-4", "\"most\"", prefix(&FIVE, 4), 3),
        ("most-of-5", "\"most\"", &FIVE, 3),
        ("all-of-5", "\"all\"", &FIVE, 5),
        ("4-of-5", "4", &FIVE, 4),
        ("1-of-5", "1", &FIVE, 1),
    ];
    rows.iter()
        .flat_map(|(name, policy, components, required)| {
            let token = bound(&device(policy, components));
            let total = components.len();
            let facts = |case: Case, matched: u8| {
                let (_, drifted) = components.split_at(usize::from(matched));
                let kinds: Vec<String> = drifted.iter().map(|(kind, _)| quoted(kind)).collect();
                case.device(prefix(&FIVE, usize::from(matched)))
                    .fact("matched", matched)
                    .fact("required", required)
                    .fact("total", total)
                    .fact("drifted", format!("[{}]", kinds.join(",")))
            };
            [
                facts(
                    Case::valid(&format!("policy/{name}-enough"), token.clone()),
                    *required,
                ),
                facts(
                    Case::denied(&format!("policy/{name}-too-few"), token, "other_device"),
                    required - 1,
                ),
            ]
        })
        .collect()
}

fn comparisons() -> Vec<Case> {
    let laptop = bound(&device("\"most\"", &LAPTOP));
    let fingerprint = claims().token();
    let umlaut = bound(&device("\"all\"", &[("host", "bücher-1")]));
    let decomposed: &[(&str, &str)] = &[("host", "bu\u{308}cher-1")];
    let grace = claims().with("lic", r#"{"grace_s":86400}"#).token();
    let other = "other_device";
    vec![
        Case::valid("device/fingerprint", fingerprint.clone())
            .device(&[("fingerprint", FINGERPRINT)])
            .fact("matched", 1),
        Case::denied("device/other-fingerprint", fingerprint.clone(), other)
            .device(&[("fingerprint", "ffffffff")])
            .fact("drifted", r#"["fingerprint"]"#),
        Case::denied(
            "device/fingerprint-in-another-case",
            fingerprint.clone(),
            other,
        )
        .device(&[("fingerprint", "A1B2C3D4")]),
        Case::denied(
            "device/value-under-another-kind",
            fingerprint.clone(),
            other,
        )
        .device(&[("host", FINGERPRINT)]),
        Case::denied("device/kind-in-another-case", fingerprint.clone(), other)
            .device(&[("Fingerprint", FINGERPRINT)]),
        Case::denied("device/nothing-presented", fingerprint.clone(), other)
            .device(&[])
            .fact("matched", 0),
        Case::valid("device/not-compared", fingerprint.clone()),
        Case::valid("device/more-kinds-than-bound", fingerprint)
            .device(&[("host", "h"), ("fingerprint", FINGERPRINT), ("disk", "d")])
            .fact("total", 1),
        Case::valid("device/one-of-three-drifted", laptop.clone())
            .device(&[("board", "b-77"), ("disk", "new"), ("host", "h-99")])
            .fact("matched", 2)
            .fact("required", 2)
            .fact("total", 3)
            .fact("drifted", r#"["disk"]"#),
        Case::denied("device/two-of-three-drifted", laptop.clone(), other)
            .device(&[("board", "b-77"), ("disk", "new"), ("host", "new")])
            .fact("matched", 1)
            .fact("drifted", r#"["disk","host"]"#),
        Case::valid("device/in-another-order", laptop.clone()).device(&[
            ("host", "h-99"),
            ("disk", "d-88"),
            ("board", "b-77"),
        ]),
        Case::denied("device/values-swapped", laptop, other).device(&[
            ("board", "d-88"),
            ("disk", "b-77"),
            ("host", "h-99"),
        ]),
        Case::valid("device/value-not-ascii", umlaut.clone()).device(&[("host", "bücher-1")]),
        Case::denied("device/value-is-not-normalized", umlaut, other).device(decomposed),
        Case::denied("device/grace-is-not-for-others", grace, "expired")
            .at(EXP + 1)
            .device(&[("fingerprint", "ffffffff")])
            .fact("grace_left_s", DAY_S - 1),
    ]
}

fn good() -> Object {
    device("\"all\"", &[("fingerprint", FINGERPRINT)])
}

fn bound(device: &Object) -> String {
    claims().with("device", device.text()).token()
}

fn prefix(components: &Components, count: usize) -> &Components {
    components.split_at(count).0
}
