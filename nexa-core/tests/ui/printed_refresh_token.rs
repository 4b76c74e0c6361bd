//! Refresh tokens and signing keys have no `Display` either.

use nexa_core::{RefreshToken, SigningKey};

fn token(token: &RefreshToken) -> String {
    format!("{token}")
}

fn key(key: &SigningKey) -> String {
    format!("{key}")
}

fn main() {
    let _ = (token, key);
}
