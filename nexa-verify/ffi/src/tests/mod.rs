//! The interface as a caller in another language sees it: through its pointers.

mod misuse;
mod notices;
mod vectors;

use core::ffi::{CStr, c_char};
use core::mem::MaybeUninit;

use serde_json::Value;

use crate::client::Client;
use crate::expectations::{Component, DeviceCheck, Expectations, Text};
use crate::report::{Report, nexa_report_code, nexa_report_json};
use crate::status::Problem;

const ISSUER: &str = "https://licenses.example";

fn text(text: &str) -> Text {
    Text {
        at: text.as_ptr().cast(),
        bytes: text.len(),
    }
}

/// What a licence has to be of; without components the device is left out.
fn expectations(issuer: &str, audience: &str, device: Option<&[Component]>) -> Expectations {
    let components = device.unwrap_or_default();
    Expectations {
        issuer: text(issuer),
        audience: text(audience),
        components: components.as_ptr(),
        component_count: components.len(),
        device: match device {
            Some(_) => DeviceCheck::Components as u32,
            None => DeviceCheck::NotChecked as u32,
        },
        max_lifetime_s: 0,
    }
}

/// Memory as a caller has it: nobody has written there yet.
fn memory<T>() -> Box<MaybeUninit<T>> {
    Box::new(MaybeUninit::uninit())
}

fn problem() -> Problem {
    Problem {
        code: [1; 48],
        message: [1; 208],
    }
}

fn c_text(text: *const c_char) -> String {
    // SAFETY: the library's texts end with a zero byte and stand in an object that is alive.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().unwrap().to_owned()
}

fn json(report: &MaybeUninit<Report>) -> Value {
    // SAFETY: a check has written to the report.
    let text = unsafe { nexa_report_json(report.as_ptr()) };
    serde_json::from_str(&c_text(text)).unwrap()
}

fn code(report: &MaybeUninit<Report>) -> String {
    // SAFETY: a check has written to the report.
    c_text(unsafe { nexa_report_code(report.as_ptr()) })
}

/// A client over the keys of the conformance file, of memory that was not written to before.
fn client(root: &str, expectations: &Expectations) -> Box<MaybeUninit<Client>> {
    let mut client = memory();
    // SAFETY: the memory is the client's alone; texts and expectations are alive.
    let status = unsafe {
        crate::client::nexa_client_init_root(
            client.as_mut_ptr(),
            root.as_ptr().cast(),
            root.len(),
            expectations,
            core::ptr::null_mut(),
        )
    };
    assert_eq!(status, crate::status::Status::Ok);
    client
}
