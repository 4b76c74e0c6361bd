//! Prints `tests/license-vectors.json`: licences with the verdict every verifier must reach.
//!
//! ```text
//! cargo run -p nexa-core --example license_vectors > nexa-core/tests/license-vectors.json
//! ```

mod vectors;

fn main() {
    print!("{}", vectors::document());
}
