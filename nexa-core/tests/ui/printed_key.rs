//! A key in the clear has no `Display`, so that no log line prints it by accident.

use nexa_core::PlainKey;

fn log(key: &PlainKey) {
    println!("created {key}");
}

fn text(key: &PlainKey) -> String {
    key.to_string()
}

fn main() {
    let _ = (log, text);
}
