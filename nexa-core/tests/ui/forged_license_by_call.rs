//! A `Verified<License>` is proof of a check: no function but a check makes one.

use nexa_core::{License, Verified};

fn constructed(license: License<'static>) -> Verified<License<'static>> {
    Verified::new(license)
}

fn converted(license: License<'static>) -> Verified<License<'static>> {
    license.into()
}

fn main() {
    let _ = (constructed, converted);
}
