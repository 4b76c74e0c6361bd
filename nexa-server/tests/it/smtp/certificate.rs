//! A certificate that nobody vouches for: Ed25519, for `localhost` and 127.0.0.1, written out as DER (RFC 5280).

use ed25519_dalek::{Signer, SigningKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The certificate and its key (RFC 8410); both are always the same.
pub(super) fn self_signed() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let algorithm = der(0x30, &[&der(0x06, &[&[0x2b, 0x65, 0x70]])]);
    let integer = |value: u8| der(0x02, &[&[value]]);
    let common_name = der(
        0x30,
        &[
            &der(0x06, &[&[0x55, 0x04, 0x03]]),
            &der(0x0c, &[b"localhost"]),
        ],
    );
    let name = der(0x30, &[&der(0x31, &[&common_name])]);
    let validity = der(
        0x30,
        &[
            &der(0x18, &[b"20200101000000Z"]),
            &der(0x18, &[b"21200101000000Z"]),
        ],
    );
    let bits = |bytes: &[u8]| der(0x03, &[&[0], bytes]);
    let public_key = der(0x30, &[&algorithm, &bits(key.verifying_key().as_bytes())]);
    let names = der(
        0x30,
        &[&der(0x82, &[b"localhost"]), &der(0x87, &[&[127, 0, 0, 1]])],
    );
    let alternative_names = der(
        0x30,
        &[&der(0x06, &[&[0x55, 0x1d, 0x11]]), &der(0x04, &[&names])],
    );
    let extensions = der(0xa3, &[&der(0x30, &[&alternative_names])]);
    let content = der(
        0x30,
        &[
            &der(0xa0, &[&integer(2)]),
            &integer(1),
            &algorithm,
            &name,
            &validity,
            &name,
            &public_key,
            &extensions,
        ],
    );
    let signature = bits(&key.sign(&content).to_bytes());
    let certificate = der(0x30, &[&content, &algorithm, &signature]);
    let seed = der(0x04, &[&der(0x04, &[key.as_bytes()])]);
    let private_key = der(0x30, &[&integer(0), &algorithm, &seed]);
    (
        CertificateDer::from(certificate),
        PrivatePkcs8KeyDer::from(private_key).into(),
    )
}

/// One element: tag, length, content.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut element = vec![tag];
    match length {
        [0, short @ 0..=127] => element.push(short),
        [0, long] => element.extend([0x81, long]),
        [high, low] => element.extend([0x82, high, low]),
    }
    element.extend(content);
    element
}
