//! Arguments on either side of what may be passed: texts, components, documents, buffers, states and clocks.

use core::ptr::null;

use super::{
    Answer, ISSUED_AT, ISSUER, answer, assert_answer, client, expectations, json, jwks, memory,
    payload, signed, text,
};
use crate::client::{
    Client, NO_MONOTONIC, STATE_BYTES, nexa_client_check, nexa_client_failed, nexa_client_receive,
    nexa_client_restore, nexa_client_save,
};
use crate::expectations::{Component, Expectations, Text};
use crate::report::Report;
use crate::status::Status;
use crate::verifier::{Verifier, nexa_verifier_init};

const NOWHERE: Text = Text {
    at: null(),
    bytes: 1,
};

fn init(keys: &str, expectations: *const Expectations) -> Answer {
    let mut verifier = memory::<Verifier>();
    answer(|problem| {
        // SAFETY: what is wrong with the arguments is what the function has to answer.
        unsafe {
            nexa_verifier_init(
                verifier.as_mut_ptr(),
                keys.as_ptr().cast(),
                keys.len(),
                expectations,
                problem,
            )
        }
    })
}

#[test]
fn expectations_are_taken_up_to_their_limits() {
    let long = "x".repeat(4097);
    let component = |kind: Text, value: Text| Component { kind, value };
    let some = [component(text("fingerprint"), text("f"))];
    let many = [some[0]; 33];
    let good = expectations(Some(&some));
    let issuer = |bytes: usize| Expectations {
        issuer: text(&long[..bytes]),
        ..good
    };
    // Behind the issuer's 24 bytes.
    let audience = |bytes: usize| Expectations {
        audience: text(&long[..bytes]),
        component_count: 0,
        ..good
    };
    let count = |component_count: usize| Expectations {
        components: many.as_ptr(),
        component_count,
        ..good
    };
    let of = |component: &Component| Expectations {
        components: component,
        component_count: 1,
        ..good
    };
    let bytes = [b'a', 0xc3];
    let bad_text = Text {
        at: bytes.as_ptr().cast(),
        bytes: 2,
    };
    let endless = Text {
        at: bytes.as_ptr().cast(),
        bytes: usize::MAX,
    };
    let (bad_kind, bad_value) = (
        component(bad_text, text("f")),
        component(text("fingerprint"), bad_text),
    );
    let together = "issuer, audience and components together have more than 4096 bytes";
    let cases = [
        (good, Status::Ok, String::new()),
        (issuer(1024), Status::Ok, String::new()),
        (
            issuer(1025),
            Status::OutOfRange,
            "expectations.issuer has 1025 bytes; at most 1024 are taken".into(),
        ),
        (
            issuer(4097),
            Status::OutOfRange,
            format!("expectations.issuer: {together}"),
        ),
        (audience(4096 - ISSUER.len()), Status::Ok, String::new()),
        (
            audience(4097 - ISSUER.len()),
            Status::OutOfRange,
            format!("expectations.audience: {together}"),
        ),
        (count(32), Status::Ok, String::new()),
        (
            count(33),
            Status::OutOfRange,
            "expectations.component_count is 33; at most 32 are taken".into(),
        ),
        (
            Expectations {
                components: null(),
                ..good
            },
            Status::NullPointer,
            "expectations.components is null".into(),
        ),
        (
            Expectations {
                components: null(),
                component_count: 0,
                ..good
            },
            Status::Ok,
            String::new(),
        ),
        (
            Expectations {
                issuer: NOWHERE,
                ..good
            },
            Status::NullPointer,
            "expectations.issuer is null".into(),
        ),
        (
            Expectations {
                issuer: endless,
                ..good
            },
            Status::OutOfRange,
            format!(
                "expectations.issuer cannot have {} bytes: did the call that should have read it fail?",
                usize::MAX
            ),
        ),
        (
            Expectations {
                audience: bad_text,
                ..good
            },
            Status::NotUtf8,
            "expectations.audience is not UTF-8 from byte 1 on".into(),
        ),
        (
            of(&bad_kind),
            Status::NotUtf8,
            "expectations.components.kind is not UTF-8 from byte 1 on".into(),
        ),
        (
            of(&bad_value),
            Status::NotUtf8,
            "expectations.components.value is not UTF-8 from byte 1 on".into(),
        ),
        (
            Expectations { device: 0, ..good },
            Status::OutOfRange,
            "expectations.device is 0; 1 compares the components, 2 leaves the device out".into(),
        ),
        (
            Expectations { device: 3, ..good },
            Status::OutOfRange,
            "expectations.device is 3; 1 compares the components, 2 leaves the device out".into(),
        ),
    ];
    for (expectations, status, message) in cases {
        let found = init(&jwks(), &raw const expectations);
        assert_eq!((found.0, found.2), (status, message));
    }
    let found = init(&jwks(), null());
    assert_answer(
        &found,
        Status::NullPointer,
        "null_pointer",
        "expectations is null",
    );
    let askew = (&raw const good).wrapping_byte_add(1);
    let found = init(&jwks(), askew);
    let message = "expectations is not aligned to 8 bytes";
    assert_answer(&found, Status::OutOfRange, "misaligned", message);
    assert_eq!(init("", &raw const good).1, "key_set_refused");
}

fn receive(client: *mut Client, document: u32, bytes: &[u8]) -> Answer {
    answer(|problem| {
        // SAFETY: the client was made, and the length is that of the bytes.
        unsafe { nexa_client_receive(client, document, 0, bytes.as_ptr(), bytes.len(), problem) }
    })
}

#[test]
fn documents_are_known_and_no_longer_than_any_is() {
    let mut client = client(&expectations(None));
    let client = client.as_mut_ptr();
    for document in [0, 3, u32::MAX] {
        let message = format!("document is {document}; 1 is the key set, 2 a shard");
        let found = receive(client, document, b"");
        assert_answer(&found, Status::OutOfRange, "out_of_range", &message);
        // SAFETY: the client was made.
        let found = answer(|problem| unsafe { nexa_client_failed(client, document, problem) });
        assert_answer(&found, Status::OutOfRange, "out_of_range", &message);
    }
    assert_eq!(receive(client, 1, b"").1, "not_asked");
    for bytes in [&[][..], &[0; 20_000], b"NXSH"] {
        let found = receive(client, 2, bytes);
        assert_eq!(found.0, Status::Refused);
        assert!(found.1.starts_with("shard_"), "{}", found.1);
    }
}

fn save(client: *const Client, fingerprint: &[u8], buffer: &mut [u8]) -> (Answer, usize) {
    let mut written = usize::MAX;
    let found = answer(|problem| {
        let (at, bytes) = (fingerprint.as_ptr(), fingerprint.len());
        let (place, room) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: the client was made, and the lengths are those of the slices.
        unsafe { nexa_client_save(client, at, bytes, place, room, &raw mut written, problem) }
    });
    (found, written)
}

fn restore(client: *mut Client, kept: &[u8], fingerprint: &[u8]) -> Answer {
    answer(|problem| {
        let (at, bytes) = (fingerprint.as_ptr(), fingerprint.len());
        // SAFETY: as above.
        unsafe { nexa_client_restore(client, kept.as_ptr(), kept.len(), at, bytes, problem) }
    })
}

#[test]
fn a_state_needs_its_room_and_its_device() {
    let mut client = client(&expectations(None));
    let client = client.as_mut_ptr();
    let mut buffer = [0; STATE_BYTES];
    let (found, needed) = save(client, b"f", &mut []);
    let message = format!("buffer has 0 bytes; {needed} are needed");
    assert_answer(&found, Status::ShortBuffer, "short_buffer", &message);
    let (found, again) = save(client, b"f", &mut buffer[..needed - 1]);
    assert_eq!((found.0, again), (Status::ShortBuffer, needed));
    assert_eq!(buffer, [0; STATE_BYTES]);
    let (found, written) = save(client, b"f", &mut buffer[..needed]);
    assert_eq!((found.0, written), (Status::Ok, needed));
    let kept = &buffer[..needed];
    for (kept, fingerprint, code) in [
        (kept, &b"f"[..], ""),
        (kept, b"g", "state_tampered"),
        (kept, b"", "state_tampered"),
        (&kept[..needed - 1], b"f", "state_tampered"),
        (&kept[..8], b"f", "state_length"),
        (&[], b"f", "state_length"),
        (&[0; STATE_BYTES + 1], b"f", "state_length"),
        (&[0; 400], b"f", "state_magic"),
    ] {
        assert_eq!(restore(client, kept, fingerprint).1, code);
    }
}

#[test]
fn clocks_of_every_kind_are_answered() {
    let token = signed(&payload(""));
    let mut report = memory::<Report>();
    let expectations = Expectations {
        max_lifetime_s: u64::MAX,
        ..expectations(None)
    };
    let mut client = client(&expectations);
    let ends = [0, 1, ISSUED_AT, (1 << 53) - 1];
    for monotonic_s in [0, u64::MAX - 1, 5, NO_MONOTONIC] {
        for wall_s in ends {
            let (at, bytes) = (token.as_ptr().cast(), token.len());
            let (client, place) = (client.as_mut_ptr(), report.as_mut_ptr());
            let found = answer(|problem| {
                // SAFETY: the objects were made, or are memory for one.
                unsafe { nexa_client_check(client, wall_s, monotonic_s, at, bytes, place, problem) }
            });
            assert_eq!(found.0, Status::Ok);
            let trusted = json(&report)["clock"]["trusted"].as_u64();
            assert!(trusted.is_some_and(|trusted| trusted >= wall_s));
        }
    }
}
