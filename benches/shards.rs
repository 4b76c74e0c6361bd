//! Status shards: bytes for each revoked licence against the entropy of such a set, what a client downloads, and how long
//! a look-up takes against the bare signature check that every check of a licence has anyway.
//!
//! ```text
//! cargo bench -p nexa-benches --bench shards
//! ```
use std::hint::black_box;

use ed25519_dalek::{Signer as _, SigningKey as BareKey, Verifier as _};
use nexa_benches::{Aim, Comparison, LicenseSample, Result, compare, is_bench_run};
use nexa_core::{KeySet, NewShard, ShardChanges, SigningKey, StatusShard, UnixSeconds};
use rand_core::{Rng, UnwrapErr};

/// Densities of revocation, as one in so many.
const ONE_IN: [u32; 7] = [10_000, 1_000, 200, 100, 50, 20, 10];
/// How many shards are drawn for a figure, and how many 100 million licences fill.
const DRAWN: u32 = 200;
const SHARDS_OF_100_MILLION: u32 = 100_000_000_u32.div_ceil(1 << 16);
const POSITIONS: u32 = 1 << 16;

fn main() -> Result<()> {
    if !is_bench_run() {
        return Ok(());
    }
    let bench = Bench::new()?;
    bench.sizes()?;
    bench.downloads()?;
    bench.look_ups()
}

struct Bench {
    key: SigningKey,
    keys: KeySet,
    times: (UnixSeconds, UnixSeconds),
}

impl Bench {
    fn new() -> Result<Self> {
        let key = SigningKey::generate(&mut UnwrapErr(getrandom::SysRng));
        let time = |seconds| UnixSeconds::new(seconds).ok_or("out of range");
        Ok(Self {
            keys: KeySet::from_keys(&[key.verification_key()])?,
            times: (time(1_800_000_000)?, time(1_800_007_200)?),
            key,
        })
    }

    fn sign(&self, seq: u64, revoked: &[u16]) -> Result<Vec<u8>> {
        let new = NewShard {
            number: 1_525,
            seq,
            this_update: self.times.0,
            next_update: self.times.1,
            revoked,
        };
        Ok(new.sign(&self.key, LicenseSample::ISSUER)?)
    }

    fn open<'a>(&self, bytes: &'a [u8]) -> Result<StatusShard<'a>> {
        Ok(StatusShard::open(bytes, &self.keys, LicenseSample::ISSUER)?)
    }

    fn sizes(&self) -> Result<()> {
        println!(
            "### Bytes for each revoked licence, {DRAWN} shards drawn by chance for each row\n"
        );
        println!("Baseline: the entropy bound log2(65536 choose n) of the shard's set.\n");
        println!(
            "| revoked | in a shard | bits each, coded | entropy, bits | ratio | whole shard | aim |"
        );
        println!("|---|---:|---:|---:|---:|---:|---|");
        let overhead = self.sign(1, &[])?.len();
        for one_in in ONE_IN {
            let (mut revoked, mut coded_bits, mut entropy, mut whole) = (0, 0, 0.0, 0);
            for _ in 0..DRAWN {
                let set = drawn(one_in);
                let bytes = self.sign(1, &set)?.len();
                revoked += set.len();
                whole += bytes;
                coded_bits += 8 * (bytes - overhead);
                entropy += log2_choose(set.len());
            }
            let ratio = coded_bits as f64 / entropy;
            let aim = match one_in {
                100 if ratio <= 1.02 => "≤ 1.02×: met",
                100 => "≤ 1.02×: **missed**",
                _ => "–",
            };
            println!(
                "| 1 in {one_in} | {:.0} | {:.3} | {:.3} | **{ratio:.4}** | {:.0} bytes | {aim} |",
                revoked as f64 / f64::from(DRAWN),
                coded_bits as f64 / revoked as f64,
                entropy / revoked as f64,
                whole as f64 / f64::from(DRAWN),
            );
        }
        println!("\nHeader and signature are {overhead} bytes of each.\n");
        Ok(())
    }

    /// One shard is all that a client needs; which one is chance.
    fn downloads(&self) -> Result<()> {
        let (mut first, mut deltas) = (Vec::new(), Vec::new());
        for _ in 0..SHARDS_OF_100_MILLION {
            let old_set = drawn(100);
            let old = self.sign(1, &old_set)?;
            // A day later, a hundredth of the revoked as many again.
            let mut added: Vec<u16> = drawn(10_000);
            added.retain(|position| old_set.binary_search(position).is_err());
            let mut new_set = [old_set.as_slice(), &added].concat();
            new_set.sort_unstable();
            let new = self.sign(2, &new_set)?;
            let changes = ShardChanges {
                base_seq: 1,
                added: &added,
                removed: &[],
            };
            let delta = changes.delta(&self.open(&new)?).ok_or("a delta")?;
            let mut out = vec![0; StatusShard::MAX_BYTES];
            let rebuilt =
                self.open(&old)?
                    .apply(&delta, &self.keys, LicenseSample::ISSUER, &mut out)?;
            assert_eq!(rebuilt.as_bytes(), new);
            first.push(old.len());
            deltas.push(delta.len());
        }
        println!(
            "### What one client downloads: 100 million licences in {SHARDS_OF_100_MILLION} shards, 1 % revoked\n"
        );
        println!("| what | mean | least | most | aim |\n|---|---:|---:|---:|---|");
        for (name, sizes, aim) in [
            ("the shard, once", &first, Some(800.0)),
            ("a delta, when 0.01 % more are revoked", &deltas, None),
        ] {
            let mean = sizes.iter().sum::<usize>() as f64 / sizes.len() as f64;
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            let aim = match aim {
                Some(aim) if mean <= aim => format!("≤ {aim} bytes: met"),
                Some(aim) => format!("≤ {aim} bytes: **missed**"),
                None => "–".to_owned(),
            };
            println!(
                "| {name} | **{mean:.0}** bytes | {} | {} | {aim} |",
                least.ok_or("sizes")?,
                most.ok_or("sizes")?
            );
        }
        println!();
        Ok(())
    }

    fn look_ups(&self) -> Result<()> {
        let mut seed = [0; 32];
        UnwrapErr(getrandom::SysRng).fill_bytes(&mut seed);
        let bare_key = BareKey::from_bytes(&seed);
        let message = [7; 640];
        let signature = bare_key.sign(&message);
        let verifying = bare_key.verifying_key();
        println!("### Looking a position up\n");
        println!(
            "Baseline: ed25519-dalek's `verify` of 640 bytes, which the licence itself costs.\n\n{}",
            Comparison::HEAD
        );
        for (one_in, aim) in [
            (1_000, Aim::None),
            (100, Aim::TimeNs(4_000.0)),
            (10, Aim::None),
        ] {
            let bytes = self.sign(1, &drawn(one_in))?;
            let shard = self.open(&bytes)?;
            let mut position = 0_u16;
            let found = compare(
                || assert!(verifying.verify(black_box(&message), &signature).is_ok()),
                || {
                    position = position.wrapping_add(40_503);
                    black_box(shard.contains(black_box(position)));
                },
            );
            println!(
                "{}",
                found.row(&format!("`contains`, 1 in {one_in} revoked"), aim)
            );
            let found = compare(
                || assert!(verifying.verify(black_box(&message), &signature).is_ok()),
                || assert!(self.open(black_box(&bytes)).is_ok()),
            );
            println!(
                "{}",
                found.row(
                    &format!("`open` with its signature, 1 in {one_in}"),
                    Aim::None
                )
            );
        }
        println!();
        Ok(())
    }
}

/// Each position revoked with the chance of one in so many.
fn drawn(one_in: u32) -> Vec<u16> {
    let mut rng = UnwrapErr(getrandom::SysRng);
    let below = u32::MAX / one_in;
    let mut random = vec![0; 4 * POSITIONS as usize];
    rng.fill_bytes(&mut random);
    (0..=u16::MAX)
        .zip(random.chunks_exact(4))
        .filter(|(_, four)| {
            let four = <[u8; 4]>::try_from(*four).unwrap_or([0xff; 4]);
            u32::from_be_bytes(four) < below
        })
        .map(|(position, _)| position)
        .collect()
}

/// log2 of 65,536 over n.
fn log2_choose(n: usize) -> f64 {
    let n = u32::try_from(n).unwrap_or(POSITIONS);
    (0..n)
        .map(|i| (f64::from(POSITIONS - i) / f64::from(n - i)).log2())
        .sum()
}
