//! What callers do wrong: each is answered with its status and a problem that names it, and nothing is let pass.
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one reason holds for all of them"
)]

use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use super::{
    Answer, ISSUED_AT, answer, assert_answer, c_text, client, code, expectations, memory, payload,
    signed, verifier,
};
use crate::client::{Client, NO_MONOTONIC, nexa_client_check, nexa_client_init_root};
use crate::report::{
    Decision, Report, nexa_report_allows, nexa_report_code, nexa_report_decision, nexa_report_json,
    nexa_report_limit, nexa_report_message, nexa_report_url, nexa_report_wanted,
};
use crate::status::{Problem, Status};
use crate::verifier::{Verifier, nexa_verifier_check};

/// A token and its checks, each by one function, with arguments that a test sets.
struct Check {
    now_s: u64,
    token: (*const u8, usize),
    list: (*const u8, usize),
}

impl Check {
    fn of(token: &str) -> Self {
        Self {
            now_s: ISSUED_AT,
            token: (token.as_ptr(), token.len()),
            list: (null(), 0),
        }
    }

    fn by_verifier(&self, verifier: *const Verifier, report: *mut Report) -> Answer {
        let (token, list) = (self.token, self.list);
        answer(|problem| {
            // SAFETY: what is wrong with the arguments is what the function has to answer.
            unsafe {
                nexa_verifier_check(
                    verifier,
                    self.now_s,
                    token.0.cast(),
                    token.1,
                    list.0.cast(),
                    list.1,
                    report,
                    problem,
                )
            }
        })
    }

    fn by_client(&self, client: *mut Client, monotonic_s: u64, report: *mut Report) -> Answer {
        let token = self.token;
        answer(|problem| {
            // SAFETY: as above.
            unsafe {
                nexa_client_check(
                    client,
                    self.now_s,
                    monotonic_s,
                    token.0.cast(),
                    token.1,
                    report,
                    problem,
                )
            }
        })
    }
}

fn decision(report: &MaybeUninit<Report>) -> Decision {
    // SAFETY: a call has written to the report.
    unsafe { nexa_report_decision(report.as_ptr()) }
}

#[test]
fn a_check_that_cannot_be_made_denies_what_was_allowed() {
    let token = signed(&payload(""));
    let good = Check::of(&token);
    let (verifier, mut client) = (verifier(&expectations(None)), client(&expectations(None)));
    let mut report = memory::<Report>();
    let not_utf8 = [0xff_u8];
    let null_token = || Check {
        token: (null(), 1),
        ..Check::of(&token)
    };
    let late = || Check {
        now_s: 1 << 53,
        ..Check::of(&token)
    };
    let list = |list: &[u8]| Check {
        list: (list.as_ptr(), list.len()),
        ..Check::of(&token)
    };
    let null_list = Check {
        list: (null(), 1),
        ..Check::of(&token)
    };
    let at = report.as_mut_ptr();
    let allowed = |answer: Answer| {
        assert_eq!(answer.0, Status::Ok);
        // SAFETY: a check has written to the report.
        assert_eq!(unsafe { nexa_report_decision(at) }, Decision::Allow);
    };
    let too_late = format!(
        "{} is {}; Unix seconds below 2^53 are read",
        "now_s",
        1_u64 << 53
    );
    let by_verifier = [
        (
            null_token(),
            Status::NullPointer,
            "null_pointer",
            "token is null",
        ),
        (
            null_list,
            Status::NullPointer,
            "null_pointer",
            "list is null",
        ),
        (late(), Status::OutOfRange, "out_of_range", &too_late),
        (list(&not_utf8), Status::Refused, "list_refused", ""),
        (list(b""), Status::Refused, "list_refused", ""),
    ];
    for (check, status, code, message) in by_verifier {
        allowed(good.by_verifier(verifier.as_ptr(), at));
        let found = check.by_verifier(verifier.as_ptr(), at);
        assert_eq!((found.0, &*found.1), (status, code));
        assert!(message.is_empty() || found.2 == message, "{}", found.2);
        assert_eq!(decision(&report), Decision::Deny);
    }
    for (check, code) in [(null_token(), "null_pointer"), (late(), "out_of_range")] {
        allowed(good.by_client(client.as_mut_ptr(), NO_MONOTONIC, at));
        let found = check.by_client(client.as_mut_ptr(), NO_MONOTONIC, at);
        assert_eq!(found.1, code);
        assert_eq!(decision(&report), Decision::Deny);
    }
    allowed(good.by_verifier(verifier.as_ptr(), at));
    let found = good.by_verifier(null(), at);
    assert_answer(
        &found,
        Status::NullPointer,
        "null_pointer",
        "verifier is null",
    );
    assert_eq!(decision(&report), Decision::Deny);
    allowed(good.by_client(client.as_mut_ptr(), NO_MONOTONIC, at));
    let found = good.by_client(null_mut(), NO_MONOTONIC, at);
    assert_answer(
        &found,
        Status::NullPointer,
        "null_pointer",
        "client is null",
    );
    assert_eq!(
        (decision(&report), code(&report).as_str()),
        (Decision::Deny, "not_ready")
    );
    let found = good.by_verifier(verifier.as_ptr(), null_mut());
    assert_answer(
        &found,
        Status::NullPointer,
        "null_pointer",
        "report is null",
    );
}

#[test]
fn an_empty_token_is_a_bad_one_and_not_a_wrong_call() {
    let (verifier, mut report) = (verifier(&expectations(None)), memory::<Report>());
    let empty = Check {
        token: (null(), 0),
        ..Check::of("")
    };
    let found = empty.by_verifier(verifier.as_ptr(), report.as_mut_ptr());
    assert_eq!(found.0, Status::Ok);
    assert_eq!(
        (decision(&report), code(&report).as_str()),
        (Decision::Deny, "not_three_segments")
    );
}

#[test]
fn objects_that_were_never_made_or_are_others_are_not_ready() {
    let check = Check::of("");
    let mut report = memory::<Report>();
    let zeroed = MaybeUninit::<Client>::zeroed();
    let mut refused = client(&expectations(None));
    // SAFETY: the memory is the client's, which this makes anew, of a key that is none.
    let status = unsafe {
        nexa_client_init_root(
            refused.as_mut_ptr(),
            null(),
            0,
            &expectations(None),
            null_mut(),
        )
    };
    assert_eq!(status, Status::Refused);
    let other = client(&expectations(None));
    for client in [zeroed, *refused] {
        let mut client = client;
        let found = check.by_client(client.as_mut_ptr(), NO_MONOTONIC, report.as_mut_ptr());
        let message = "client was not made, or could not be";
        assert_answer(&found, Status::NotReady, "not_ready", message);
    }
    let found = check.by_verifier(other.as_ptr().cast(), report.as_mut_ptr());
    assert_eq!(found.0, Status::NotReady);
    // SAFETY: a client is larger than a report, and begins with a word that was written.
    let code = unsafe { nexa_report_code(other.as_ptr().cast()) };
    assert_eq!(c_text(code), "not_ready");
}

#[test]
fn a_report_that_is_none_answers_every_question() {
    let zeroed = MaybeUninit::<Report>::zeroed();
    let misaligned = zeroed
        .as_ptr()
        .cast::<u8>()
        .wrapping_add(4)
        .cast::<Report>();
    for report in [null(), zeroed.as_ptr(), misaligned] {
        let (mut number, mut limit) = (7, 7);
        // SAFETY: null, not aligned, or memory that was written to.
        unsafe {
            assert_eq!(nexa_report_decision(report), Decision::Deny);
            assert_eq!(c_text(nexa_report_code(report)), "not_ready");
            assert_eq!(
                c_text(nexa_report_message(report)),
                "no licence was checked"
            );
            assert!(nexa_report_json(report).is_null());
            assert!(nexa_report_url(report).is_null());
            assert_eq!(nexa_report_allows(report, null(), 0), 0);
            assert_eq!(nexa_report_allows(report, null(), 9), 0);
            assert_eq!(nexa_report_wanted(report, null_mut()), 0);
            assert_eq!(nexa_report_wanted(report, &raw mut number), 0);
            let limit = &raw mut limit;
            let status = nexa_report_limit(report, null(), 0, limit);
            assert!(matches!(
                status,
                Status::NullPointer | Status::NotReady | Status::OutOfRange
            ));
            let nowhere = nexa_report_limit(report, null(), 0, null_mut());
            assert_eq!(nowhere, Status::NullPointer);
            let askew = limit.cast::<u8>().wrapping_add(1).cast();
            let status = nexa_report_limit(report, null(), 0, askew);
            assert_eq!(status, Status::OutOfRange);
        }
        assert_eq!((number, limit), (0, 0));
    }
}

/// Objects side by side in memory, to put one into another.
#[repr(C)]
struct Neighbours {
    client: MaybeUninit<Client>,
    report: MaybeUninit<Report>,
    problem: MaybeUninit<Problem>,
}

#[test]
fn objects_that_overlap_are_left_alone() {
    let mut both = memory::<Neighbours>();
    let base = both.as_mut_ptr();
    // SAFETY: places inside of the memory.
    let (client_at, report_at, problem_at) = unsafe {
        (
            (&raw mut (*base).client).cast::<Client>(),
            (&raw mut (*base).report).cast::<Report>(),
            (&raw mut (*base).problem).cast::<Problem>(),
        )
    };
    // SAFETY: both are memory for a client.
    unsafe { client_at.write(*client(&expectations(None)).as_ptr()) };
    let token = signed(&payload(""));
    let check = |report: *mut Report, problem: *mut Problem| {
        let (at, bytes) = (token.as_ptr().cast(), token.len());
        // SAFETY: that the objects overlap is what the function has to answer.
        unsafe { nexa_client_check(client_at, ISSUED_AT, 0, at, bytes, report, problem) }
    };
    let inside = client_at.wrapping_byte_add(8).cast::<Report>();
    assert_eq!(check(client_at.cast(), problem_at), Status::OutOfRange);
    // SAFETY: the call has written to it.
    let told = unsafe { problem_at.read() };
    assert_eq!(c_text(told.code.as_ptr()), "overlap");
    assert_eq!(c_text(told.message.as_ptr()), "client and report overlap");
    assert_eq!(check(inside, problem_at), Status::OutOfRange);
    assert_eq!(check(report_at, client_at.cast()), Status::OutOfRange);
    let last = report_at
        .wrapping_add(1)
        .cast::<Problem>()
        .wrapping_byte_sub(1);
    assert_eq!(check(report_at, last), Status::OutOfRange);
    // Nothing was broken, and neighbours do not overlap.
    assert_eq!(check(report_at, problem_at), Status::Ok);
    // As the header says: not even a report that allows is written to, where the problem stands in it.
    assert_eq!(check(report_at, report_at.cast()), Status::OutOfRange);
    assert_eq!(check(report_at, last), Status::OutOfRange);
    // SAFETY: a check has written to the report.
    assert_eq!(unsafe { nexa_report_decision(report_at) }, Decision::Allow);
}

/// Allowed, so that who has little memory needs no more: all is found out before anything is written.
#[test]
fn a_token_may_stand_where_its_report_goes() {
    let token = signed(&payload(""));
    let verifier = verifier(&expectations(None));
    let mut report = memory::<Report>();
    let place = report.as_mut_ptr().cast::<u8>();
    // SAFETY: a report is longer than any token.
    unsafe { place.copy_from_nonoverlapping(token.as_ptr(), token.len()) };
    let check = Check {
        token: (place, token.len()),
        ..Check::of(&token)
    };
    let found = check.by_verifier(verifier.as_ptr(), place.cast());
    assert_eq!(found.0, Status::Ok);
    assert_eq!(decision(&report), Decision::Allow);
}
