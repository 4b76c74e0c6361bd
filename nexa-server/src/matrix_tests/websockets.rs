//! What becomes of a WebSocket when something happens to the credential that opened it, for every credential and everything
//! that can happen.

use super::credential::{Kind, STATES, State};
use super::world::World;
use crate::http::websocket::Then;

#[test]
fn whatever_ends_a_credential_closes_its_websocket() {
    let (world, credentials) = World::with_credentials();
    let mut ends = Vec::new();
    for credential in &credentials {
        let Some(mut feed) = credential.take_feed() else {
            continue;
        };
        let is_woken = feed.woken.has_changed().unwrap();
        let said = (feed.ask)(world.now_ms());
        let expected = match credential.stands() {
            true => None,
            false => Some(4401),
        };
        let code = match said.then {
            Then::Close(closing) => Some(closing.code),
            Then::GoOn | Then::Rest(_) => None,
        };
        assert_eq!(code, expected, "{credential:?}");
        if code.is_some() {
            assert!(is_woken, "{credential:?}");
            assert!(said.texts.is_empty(), "{credential:?}: {:?}", said.texts);
            ends.push((credential.kind, credential.state));
        } else {
            assert!(
                said.texts[0].contains(r#""type":"hello""#),
                "{credential:?}"
            );
        }
    }
    for state in STATES {
        let ended = ends.iter().filter(|(_, ended_by)| *ended_by == state);
        let kinds: Vec<Kind> = ended.map(|(kind, _)| *kind).collect();
        let expected: &[Kind] = match state {
            State::Active | State::OwnerDemoted | State::LicenseRevoked => &[],
            State::KeyDisabled | State::KeyExpired | State::KeyDeleted | State::KeyRotated => {
                &[Kind::Full, Kind::Secret]
            }
            State::OwnerDisabled | State::TenantDisabled | State::TenantErased => {
                &[Kind::Session, Kind::Full, Kind::Secret]
            }
            State::SessionEnded => &[Kind::Session],
            State::SecretRotated => &[Kind::Secret],
        };
        assert!(
            kinds.iter().all(|kind| expected.contains(kind)),
            "{state:?}: {kinds:?}"
        );
        assert!(
            expected.iter().all(|kind| kinds.contains(kind)),
            "{state:?}: {kinds:?}"
        );
    }
}
