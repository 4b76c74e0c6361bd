//! Keys come and go at random; what was promised of them holds in every history.

use std::collections::BTreeSet;

use super::*;

/// A licence that was issued.
struct Issued {
    token: String,
    kid: String,
    device: String,
    ends_at: UnixMillis,
}

#[test]
fn in_every_history_a_licence_counts_until_its_end_or_its_keys_revocation() {
    let mut counts = [0_u32; 5];
    for seed in 0..6_u64 {
        let mut world = World::new();
        let mut rng = crate::testing::SeededRng::new(seed);
        let mut draw = |below: u32| rand_core::Rng::next_u32(&mut rng) % below;
        let mut issued: Vec<Issued> = Vec::new();
        let mut revoked: BTreeSet<String> = BTreeSet::new();
        let mut last_seq = 0;
        for step in 0..30 {
            world.fixture.now = world.fixture.now.plus_seconds(i64::from(draw(3 * 86_400)));
            match draw(8) {
                0 => {
                    let body = json!({ "use": "license", "inHours": draw(72) });
                    let (status, _) = world.operate("POST", "/rotate", &body);
                    assert!(matches!(status, 201 | 409));
                    counts[0] += u32::from(status == 201);
                }
                1 => {
                    let keys = world.jwks();
                    let kid = &keys[draw(u32::try_from(keys.len()).unwrap()) as usize];
                    assert_eq!(world.revoke(kid), 200);
                    revoked.insert(kid.clone());
                    counts[1] += 1;
                }
                2 => {
                    world.restart(Some(root_key())).unwrap();
                    counts[2] += 1;
                }
                3 | 4 => {
                    world.tick();
                }
                _ => {
                    let device = format!("device-{step}");
                    let (token, kid) = world.issue(&device);
                    assert!(!revoked.contains(&kid), "seed {seed}, step {step}");
                    let ends_at = world.fixture.now.plus_seconds(30 * DAY_S);
                    issued.push(Issued {
                        token,
                        kid,
                        device,
                        ends_at,
                    });
                    counts[3] += 1;
                }
            }
            let (seq, _) = world.key_set(KeyUse::License);
            assert!(seq >= last_seq, "seed {seed}, step {step}");
            last_seq = seq;
            for license in &issued {
                if license.ends_at <= world.fixture.now {
                    continue;
                }
                let verdicts = world.verdicts(&license.token, &license.device);
                let expected = match revoked.contains(&license.kid) {
                    true => ["kid_revoked", "unknown_key"],
                    false => ["valid"; 2],
                };
                assert_eq!(verdicts, expected, "seed {seed}, step {step}");
                counts[4] += 1;
            }
        }
    }
    assert!(counts.iter().all(|count| *count >= 10), "{counts:?}");
}
