//! An issuer of identity tokens on this machine: keys, a key set that changes, and what such a server can do wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RsaKeyPair,
};
use serde_json::{Value, json};

/// Signs identity tokens, under an id.
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    /// Keys for tests and nothing else: making one takes long.
    pub(crate) fn rsa(id: &str) -> Self {
        Self::of_pem(id, include_str!("issuer/rsa_a.pem"))
    }

    pub(crate) fn other_rsa(id: &str) -> Self {
        Self::of_pem(id, include_str!("issuer/rsa_b.pem"))
    }

    fn of_pem(id: &str, pem: &str) -> Self {
        let lines = pem.lines().filter(|line| !line.starts_with("-----"));
        let der = STANDARD.decode(lines.collect::<String>()).unwrap();
        Self {
            id: id.to_owned(),
            pair: Pair::Rsa(RsaKeyPair::from_pkcs8(&der).unwrap()),
        }
    }

    pub(crate) fn p256(id: &str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self {
            id: id.to_owned(),
            pair: Pair::P256(EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).unwrap()),
        }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
        }
    }

    /// The public half, as a key set shows it.
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({
                    "kty": "RSA", "kid": self.id, "use": "sig", "alg": "RS256",
                    "n": text(&public.n), "e": text(&public.e),
                })
            }
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({
                    "kty": "EC", "kid": self.id, "use": "sig", "alg": "ES256", "crv": "P-256",
                    "x": text(&point[1..33]), "y": text(&point[33..]),
                })
            }
        }
    }

    /// A token as an honest issuer signs it.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.algorithm(), "typ": "JWT", "kid": self.id });
        self.sign(&header.to_string(), &claims.to_string())
    }

    /// A token with any header and any payload; `alg` RS384 is signed as it says.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        let message = message(header, payload);
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let is_384 = header.contains("RS384");
                let padding = if is_384 {
                    &RSA_PKCS1_SHA384
                } else {
                    &RSA_PKCS1_SHA256
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Pair::P256(pair) => pair
                .sign(&random, message.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What a signature is over.
pub(crate) fn message(header: &str, payload: &str) -> String {
    let text = |part: &str| URL_SAFE_NO_PAD.encode(part);
    format!("{}.{}", text(header), text(payload))
}

/// The HTTP server of an issuer; it ends with the process.
pub(crate) struct Issuer {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Mutex<Answer>,
    asked: AtomicUsize,
    /// Connections that get no answer.
    held: Mutex<Vec<TcpStream>>,
}

/// What the issuer does with a request for its keys.
pub(crate) enum Answer {
    Body(u16, String),
    /// It takes the request and says nothing.
    Nothing,
}

impl Issuer {
    pub(crate) fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            answer: Mutex::new(Answer::Nothing),
            asked: AtomicUsize::new(0),
            held: Mutex::default(),
        });
        let server = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                server.serve(stream.unwrap());
            }
        });
        let issuer = Self { url, shared };
        issuer.publish(keys);
        issuer
    }

    /// From now on these are its keys.
    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.answer(Answer::Body(200, json!({ "keys": keys }).to_string()));
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap() = answer;
    }

    /// How often it was connected to.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Waits until a connection gets no answer.
    pub(crate) fn wait_for_one(&self) {
        while self.shared.held.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
    }

    /// Closes the connections that got no answer.
    pub(crate) fn hang_up(&self) {
        self.shared.held.lock().unwrap().clear();
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => request.extend(byte),
                Ok(_) | Err(_) => return,
            }
        }
        match &*self.answer.lock().unwrap() {
            Answer::Body(status, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nLocation: /other\r\nContent-Length: {length}\r\n\r\n"
                );
                // The client may have seen enough and be gone.
                let _ = stream.write_all((head + body).as_bytes());
            }
            Answer::Nothing => self.held.lock().unwrap().push(stream),
        }
    }
}
