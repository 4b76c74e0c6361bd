//! A `Verified<License>` is proof of a check: its field is private.

use nexa_core::{License, Verified};

fn forged(license: License<'static>) -> Verified<License<'static>> {
    Verified { claims: license }
}

fn main() {
    let _ = forged;
}
