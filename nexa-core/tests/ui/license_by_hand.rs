//! A `License` cannot be made by hand either, nor changed after it was read.

use nexa_core::{License, Verified};

fn by_hand() -> License<'static> {
    License { issuer: "https://licenses.example" }
}

fn changed(license: &mut Verified<License<'static>>) {
    license.claims().audience = "another-app";
}

fn main() {
    let _ = (by_hand, changed);
}
