//! The conformance file: what crosses the interface agrees with every case.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{c_text, json, memory, problem, text};
use crate::client::{
    Client, NO_MONOTONIC, nexa_client_check, nexa_client_init_keys, nexa_client_init_root,
    nexa_client_receive,
};
use crate::expectations::{Component, Expectations};
use crate::report::Report;
use crate::status::{Problem, Status};
use crate::verifier::{Verifier, nexa_verifier_check, nexa_verifier_init};

const FILE: &str = include_str!("../../../../nexa-core/tests/license-vectors.json");
/// How many cases there are: a run that skips some is no run.
const CASES: usize = 852;
/// Where the number stands in a status shard: behind magic and thumbprint.
const SHARD_NUMBER: core::ops::Range<usize> = 12..16;

#[test]
#[cfg_attr(miri, ignore = "takes hours there")]
fn every_case_of_the_conformance_file() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let disagreements: Vec<String> = cases.iter().filter_map(disagreement).collect();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    assert_eq!(cases.len(), CASES);
}

fn disagreement(case: &Value) -> Option<String> {
    let found = run(case);
    let expected =
        json!({"code": case["code"], "decision": case["decision"], "facts": case["facts"]});
    (found != expected).then(|| format!("{}: {found} instead of {expected}", case["name"]))
}

fn run(case: &Value) -> Value {
    let expect = &case["expect"];
    let device = expect.get("device").map(|device| {
        let kinds = device.as_object().unwrap();
        let component = |(kind, value): (&'_ String, &'_ Value)| Component {
            kind: text(kind),
            value: text(value.as_str().unwrap()),
        };
        kinds.iter().map(component).collect::<Vec<_>>()
    });
    let expectations = Expectations {
        issuer: text(expect["issuer"].as_str().unwrap()),
        audience: text(expect["audience"].as_str().unwrap()),
        max_lifetime_s: expect["max_lifetime_s"].as_u64().unwrap_or(0),
        ..super::expectations(device.as_deref())
    };
    let found = match expect.get("key_set").or(expect.get("status_keys")) {
        Some(_) => by_client(case, &expectations),
        None => by_verifier(case, &expectations),
    };
    match found {
        Ok(report) => {
            let named = case["facts"].as_object().unwrap().keys();
            let facts: serde_json::Map<_, _> = named
                .map(|name| (name.clone(), fact(&report, name)))
                .collect();
            json!({"code": report["code"], "decision": report["decision"], "facts": facts})
        }
        Err(code) => json!({"code": code, "decision": "deny", "facts": {}}),
    }
}

fn fact(report: &Value, name: &str) -> Value {
    let places = [report, &report["license"], &report["device"]];
    let found = places.into_iter().find_map(|place| place.get(name));
    found.unwrap_or(&Value::Null).clone()
}

fn by_verifier(case: &Value, expectations: &Expectations) -> Result<Value, String> {
    let keys = case["keys"].as_str().unwrap();
    let token = case["token"].as_str().unwrap();
    let list = case["expect"].get("revocations").map(Value::to_string);
    let list = list.as_deref().unwrap_or_default();
    let (mut verifier, mut report, mut problem) =
        (memory::<Verifier>(), memory::<Report>(), problem());
    // SAFETY: the memory is alive and this test's alone, and the lengths are those of the texts.
    let status = unsafe {
        nexa_verifier_init(
            verifier.as_mut_ptr(),
            keys.as_ptr().cast(),
            keys.len(),
            expectations,
            &raw mut problem,
        )
    };
    outcome(status, &problem)?;
    // SAFETY: as above.
    let status = unsafe {
        nexa_verifier_check(
            verifier.as_ptr(),
            case["time"].as_u64().unwrap(),
            token.as_ptr().cast(),
            token.len(),
            match list.is_empty() {
                true => core::ptr::null(),
                false => list.as_ptr().cast(),
            },
            list.len(),
            report.as_mut_ptr(),
            &raw mut problem,
        )
    };
    outcome(status, &problem)?;
    Ok(json(&report))
}

fn by_client(case: &Value, expectations: &Expectations) -> Result<Value, String> {
    let expect = &case["expect"];
    let keys = case["keys"].as_str().unwrap();
    let token = case["token"].as_str().unwrap();
    let (mut client, mut report, mut problem) = (memory::<Client>(), memory::<Report>(), problem());
    let status = match expect.get("status_keys").and_then(Value::as_str) {
        // SAFETY: the memory is alive and this test's alone, and the lengths are those of the texts.
        Some(status_keys) => unsafe {
            nexa_client_init_keys(
                client.as_mut_ptr(),
                keys.as_ptr().cast(),
                keys.len(),
                status_keys.as_ptr().cast(),
                status_keys.len(),
                expectations,
                &raw mut problem,
            )
        },
        // SAFETY: as above.
        None => unsafe {
            nexa_client_init_root(
                client.as_mut_ptr(),
                keys.as_ptr().cast(),
                keys.len(),
                expectations,
                &raw mut problem,
            )
        },
    };
    outcome(status, &problem)?;
    let document = |name| expect.get(name).map(bytes);
    let shard = document("shard");
    let number = shard.as_ref().and_then(|shard| shard.get(SHARD_NUMBER));
    let number = number.map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
    for (kind, number, document) in [
        (1, 0, document("key_set")),
        (2, number, shard),
        (2, number, document("delta")),
    ] {
        let Some(document) = document else { continue };
        // SAFETY: as above.
        let status = unsafe {
            nexa_client_receive(
                client.as_mut_ptr(),
                kind,
                number,
                document.as_ptr(),
                document.len(),
                &raw mut problem,
            )
        };
        outcome(status, &problem)?;
    }
    // SAFETY: as above.
    let status = unsafe {
        nexa_client_check(
            client.as_mut_ptr(),
            case["time"].as_u64().unwrap(),
            NO_MONOTONIC,
            token.as_ptr().cast(),
            token.len(),
            report.as_mut_ptr(),
            &raw mut problem,
        )
    };
    outcome(status, &problem)?;
    Ok(json(&report))
}

/// Goes on, or ends the case with the code of the rule that refused something.
fn outcome(status: Status, problem: &Problem) -> Result<(), String> {
    match status {
        Status::Ok => Ok(()),
        _ => Err(c_text(problem.code.as_ptr())),
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    let mut bytes = vec![0; text.len()];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}
