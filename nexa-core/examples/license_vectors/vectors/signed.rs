//! Makes status shards, deltas and key sets, well formed or not: bits as text, fields one after the other.

use ed25519_dalek::Signer;
use sha2::{Digest, Sha256};

use super::mint::{ISSUER, Key, NOW, kid};

/// The key that signs key sets, unless a case says otherwise.
pub(super) fn root() -> Key {
    Key::new(60)
}

/// The key that signs shards, unless a case says otherwise.
pub(super) fn status_key() -> Key {
    Key::new(61)
}

/// The fields of a shard; what they say need not agree.
#[derive(Clone)]
pub(super) struct Shard {
    pub(super) magic: &'static str,
    pub(super) key: u8,
    pub(super) named_key: u8,
    pub(super) issuer: &'static str,
    pub(super) number: u32,
    pub(super) seq: u64,
    pub(super) this_update: u64,
    pub(super) next_update: u64,
    pub(super) count: u32,
    pub(super) k: u8,
    pub(super) code: Vec<u8>,
}

impl Shard {
    /// Shard 7 with these positions, signed now.
    pub(super) fn of(positions: &[u16]) -> Self {
        let k = parameter(positions.len());
        Self {
            magic: "NXS1",
            key: 61,
            named_key: 61,
            issuer: ISSUER,
            number: 7,
            seq: NOW,
            this_update: NOW,
            next_update: NOW + 7_200,
            count: u32::try_from(positions.len()).expect("few"),
            k,
            code: code(positions, k),
        }
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let mut header = hint(&Key::new(self.named_key));
        header.extend(self.number.to_be_bytes());
        header.extend(self.seq.to_be_bytes());
        header.extend(self.this_update.to_be_bytes());
        header.extend(self.next_update.to_be_bytes());
        header.extend(self.count.to_be_bytes());
        header.push(self.k);
        header
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut body = self.magic.as_bytes().to_vec();
        body.extend(self.header());
        body.extend(&self.code);
        with_signature(
            body,
            &Key::new(self.key),
            "nexa status shard 1",
            self.issuer,
        )
    }

    /// A delta that leads here from the version `base_seq`, and claims these changes.
    pub(super) fn delta(&self, base_seq: u64, added: &[u16], removed: &[u16]) -> Vec<u8> {
        let mut delta = b"NXD1".to_vec();
        delta.extend(base_seq.to_be_bytes());
        delta.extend(self.header());
        for list in [added, removed] {
            delta.extend(u16::try_from(list.len()).expect("few").to_be_bytes());
        }
        for list in [added, removed] {
            delta.extend(code(list, parameter(list.len())));
        }
        let shard = self.bytes();
        delta.extend(shard.iter().skip(shard.len() - 64));
        delta
    }
}

/// The parameter by its rule: the smallest k with (1 − n/65536)^(2^k) ≤ (√5 − 1)/2.
pub(super) fn parameter(count: usize) -> u8 {
    let golden = (5_f64.sqrt() - 1.0) / 2.0;
    let not_here = 1.0 - f64::from(u32::try_from(count).expect("few")) / 65_536.0;
    let k = (0..16).find(|k| not_here.powi(1 << k) <= golden);
    match count {
        0 => 0,
        _ => k.expect("fifteen is enough for one"),
    }
}

/// Rice-coded gaps: zeros, a one, k bits.
pub(super) fn code(positions: &[u16], k: u8) -> Vec<u8> {
    let (mut bits, mut least) = (String::new(), 0_u32);
    for position in positions {
        let gap = u32::from(*position) - least;
        least = u32::from(*position) + 1;
        bits.extend((0..gap >> k).map(|_| '0'));
        bits.push('1');
        bits.extend(
            (0..k)
                .rev()
                .map(|bit| if gap >> bit & 1 == 1 { '1' } else { '0' }),
        );
    }
    while bits.len() % 8 > 0 {
        bits.push('0');
    }
    let bytes = bits.as_bytes().chunks(8);
    bytes
        .map(|byte| {
            byte.iter()
                .fold(0, |byte, bit| byte << 1 | u8::from(*bit == b'1'))
        })
        .collect()
}

/// A key of a key set: use, seed of the key, first and last second.
pub(super) type Entry = (u8, u8, u64, u64);

/// The fields of a key set.
#[derive(Clone)]
pub(super) struct KeySet {
    pub(super) magic: &'static str,
    pub(super) root: u8,
    pub(super) named_root: u8,
    pub(super) issuer: &'static str,
    pub(super) issued_at: u64,
    pub(super) keys: Vec<Entry>,
    pub(super) revoked: Vec<(u8, u64)>,
}

impl KeySet {
    /// Under the root key: these keys, and the status key.
    pub(super) fn of(keys: &[Entry]) -> Self {
        Self {
            magic: "NXK1",
            root: 60,
            named_root: 60,
            issuer: ISSUER,
            issued_at: NOW,
            keys: [keys, &[(2, 61, 0, 0)]].concat(),
            revoked: Vec::new(),
        }
    }

    pub(super) fn revoking(mut self, seed: u8) -> Self {
        self.revoked.push((seed, NOW));
        self
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = self.magic.as_bytes().to_vec();
        body.extend(hint(&Key::new(self.named_root)));
        body.extend(3_u64.to_be_bytes());
        body.extend(self.issued_at.to_be_bytes());
        body.push(u8::try_from(self.keys.len()).expect("few"));
        body.push(u8::try_from(self.revoked.len()).expect("few"));
        for (key_use, seed, not_before, not_after) in &self.keys {
            body.push(*key_use);
            body.extend(Key::new(*seed).public());
            body.extend(not_before.to_be_bytes());
            body.extend(not_after.to_be_bytes());
        }
        for (seed, at) in &self.revoked {
            body.extend(thumbprint(&Key::new(*seed)));
            body.extend(at.to_be_bytes());
        }
        body
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.signed(self.body())
    }

    /// Any bytes, signed as a key set.
    pub(super) fn signed(&self, body: Vec<u8>) -> Vec<u8> {
        with_signature(body, &Key::new(self.root), "nexa key set 1", self.issuer)
    }
}

/// The first bytes.
pub(super) fn front(bytes: &[u8], count: usize) -> Vec<u8> {
    bytes.iter().take(count).copied().collect()
}

/// The bytes with another one in one place.
pub(super) fn changed(mut bytes: Vec<u8>, place: usize, change: impl Fn(u8) -> u8) -> Vec<u8> {
    for byte in bytes.iter_mut().skip(place).take(1) {
        *byte = change(*byte);
    }
    bytes
}

fn with_signature(mut body: Vec<u8>, key: &Key, prefix: &str, issuer: &str) -> Vec<u8> {
    let mut statement = prefix.as_bytes().to_vec();
    statement.resize(24, 0);
    statement.extend(Sha256::digest(issuer));
    statement.extend(Sha256::digest(&body));
    body.extend(key.0.sign(&statement).to_bytes());
    body
}

fn hint(key: &Key) -> Vec<u8> {
    thumbprint(key).into_iter().take(8).collect()
}

fn thumbprint(key: &Key) -> Vec<u8> {
    use base64::Engine;
    let kid = kid(&key.public());
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(kid)
        .expect("base64url was written")
}
