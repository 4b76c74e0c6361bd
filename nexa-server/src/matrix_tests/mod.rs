//! Every route against every kind of caller: the gate's answer beside what the contracts' table of roles says.
//!
//! Routes come from the table itself, so a new one joins by itself; a new kind of [`Access`] does not compile until
//! [`expected`] says who may pass it.

mod carrier;
mod credential;
mod history;
mod ids;
mod websockets;
mod world;

use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Bytes;
use hyper::header::WWW_AUTHENTICATE;
use hyper::{Method, Response, StatusCode};
use serde_json::Value;

use crate::api::dialect::Dialect;
use crate::api::{Route, routes};
use crate::domain::principal::Role;
use crate::gate::access::Access;
use carrier::{CARRIERS, Carrier, request};
use credential::{Credential, Kind};
use world::World;

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Whatever the handler then makes of an empty request.
    Pass,
    TwoCredentials,
    Missing,
    InvalidToken,
    InvalidKey,
    InvalidClient,
    WrongEnvironment,
    LicenseRevoked,
    ScopeMissing,
    Forbidden,
}

const REFUSALS: [Verdict; 9] = [
    Verdict::TwoCredentials,
    Verdict::Missing,
    Verdict::InvalidToken,
    Verdict::InvalidKey,
    Verdict::InvalidClient,
    Verdict::WrongEnvironment,
    Verdict::LicenseRevoked,
    Verdict::ScopeMissing,
    Verdict::Forbidden,
];

/// The table of roles, written down from the contracts. Whose things owners, admins and members may touch is a question of
/// its own (see [`ids`]).
fn expected(access: Access, credential: &Credential, carrier: Carrier) -> Verdict {
    let takes_basic = match access {
        Access::OauthMember | Access::OauthChecker => true,
        Access::Public
        | Access::Member
        | Access::Manager
        | Access::Person
        | Access::ManagerInPerson
        | Access::OwnerInPerson
        | Access::Checker
        | Access::Operator
        | Access::WebsocketMember
        | Access::License
        | Access::CallersKey => false,
    };
    let seen = match carrier {
        Carrier::Header | Carrier::Bearer | Carrier::Both | Carrier::BesideAnother => {
            credential.kind
        }
        Carrier::Basic if takes_basic => credential.kind,
        // Only an upgrade may carry a credential in its query, and only where there is something to upgrade to.
        Carrier::Upgrade if access == Access::WebsocketMember => credential.kind,
        Carrier::Basic | Carrier::Query | Carrier::Upgrade => Kind::Nobody,
    };
    // Nowhere else is a licence token anything.
    let stands = credential.stands() && (seen != Kind::License || access == Access::License);
    let live = || match (seen, stands) {
        (Kind::Nobody, _) => Err(Verdict::Missing),
        (_, _) if carrier == Carrier::BesideAnother => Err(Verdict::TwoCredentials),
        // A client is a key's id and the key.
        (Kind::Session | Kind::Secret | Kind::Narrow | Kind::License, _) | (_, false)
            if carrier == Carrier::Basic =>
        {
            Err(Verdict::InvalidClient)
        }
        (Kind::License, false) if access == Access::License => Err(Verdict::LicenseRevoked),
        (Kind::Session | Kind::Secret | Kind::Narrow | Kind::License | Kind::Token, false) => {
            Err(Verdict::InvalidToken)
        }
        (Kind::Full | Kind::Scoped | Kind::Test | Kind::Operator | Kind::Text, false) => {
            Err(Verdict::InvalidKey)
        }
        (kind, true) => Ok(kind),
    };
    let verdict = match access {
        Access::Public => Ok(Verdict::Pass),
        Access::Member
        | Access::Manager
        | Access::Person
        | Access::ManagerInPerson
        | Access::OwnerInPerson
        | Access::OauthMember
        | Access::WebsocketMember => live().map(|kind| match as_member(kind) {
            Verdict::Pass if !may_pass(access, kind, credential.role_now()) => Verdict::Forbidden,
            verdict => verdict,
        }),
        Access::Checker | Access::OauthChecker => live().map(|kind| match kind {
            Kind::Operator => Verdict::Pass,
            kind => as_member(kind),
        }),
        Access::Operator => live().map(|kind| match kind {
            Kind::Operator => Verdict::Pass,
            // A narrow token is looked at no further.
            Kind::Narrow => Verdict::ScopeMissing,
            Kind::Session | Kind::Secret | Kind::Full | Kind::Scoped | Kind::Test => {
                Verdict::Forbidden
            }
            Kind::Nobody | Kind::Text | Kind::Token | Kind::License => {
                unreachable!("{kind:?} never stands")
            }
        }),
        Access::License => live().map(|kind| match kind {
            Kind::License => Verdict::Pass,
            Kind::Session
            | Kind::Secret
            | Kind::Narrow
            | Kind::Full
            | Kind::Scoped
            | Kind::Test
            | Kind::Operator => Verdict::Forbidden,
            Kind::Nobody | Kind::Text | Kind::Token => unreachable!("{kind:?} never stands"),
        }),
        // A gateway's question is about a tenant's key; nothing else is one.
        Access::CallersKey => match (seen, live()) {
            (_, Err(Verdict::InvalidToken)) => Err(Verdict::InvalidKey),
            (Kind::Session | Kind::Secret | Kind::Narrow | Kind::Operator, Ok(_)) => {
                Err(Verdict::InvalidKey)
            }
            (Kind::Test, Ok(_)) => Err(Verdict::WrongEnvironment),
            (_, Ok(_)) if credential.is_cut() => Err(Verdict::ScopeMissing),
            (_, verdict) => verdict.map(|_| Verdict::Pass),
        },
    };
    verdict.unwrap_or_else(|refusal| refusal)
}

/// Which of those who stand for a user may call there: some routes want a role, some want the user in person, which a
/// key and an agent's secret are not.
fn may_pass(access: Access, kind: Kind, role: Role) -> bool {
    let is_in_person = kind == Kind::Session;
    match access {
        Access::Manager => role.manages_tenant(),
        Access::Person => is_in_person,
        Access::ManagerInPerson => is_in_person && role.manages_tenant(),
        Access::OwnerInPerson => is_in_person && role == Role::Owner,
        Access::Public
        | Access::Member
        | Access::Checker
        | Access::Operator
        | Access::OauthMember
        | Access::OauthChecker
        | Access::WebsocketMember
        | Access::License
        | Access::CallersKey => true,
    }
}

/// What a credential that stands is worth where members may call.
fn as_member(kind: Kind) -> Verdict {
    match kind {
        Kind::Session | Kind::Secret | Kind::Full => Verdict::Pass,
        Kind::Scoped | Kind::Narrow => Verdict::ScopeMissing,
        Kind::Test => Verdict::WrongEnvironment,
        Kind::Operator => Verdict::Forbidden,
        Kind::Nobody | Kind::Text | Kind::Token | Kind::License => {
            unreachable!("{kind:?} never stands")
        }
    }
}

impl Verdict {
    /// Status and code, as that dialect writes them; `None` for a pass.
    fn written(self, dialect: Dialect) -> Option<(u16, &'static str)> {
        let missing = match dialect {
            Dialect::Agentyk | Dialect::Nexora => "credential_required",
            Dialect::Nexgent | Dialect::Nexalayer | Dialect::Gateway => "api_key_required",
            Dialect::Oauth => "invalid_client",
        };
        let plain = match self {
            Self::Pass => None,
            Self::TwoCredentials => Some((400, "two_credentials")),
            Self::Missing => Some((401, missing)),
            Self::InvalidToken => Some((401, "invalid_token")),
            Self::InvalidKey => Some((401, "invalid_api_key")),
            Self::InvalidClient => Some((401, "invalid_client")),
            Self::WrongEnvironment => Some((403, "wrong_environment")),
            Self::LicenseRevoked => Some((401, "license_revoked")),
            Self::ScopeMissing => Some((403, "scope_missing")),
            Self::Forbidden => Some((403, "forbidden")),
        };
        match dialect {
            Dialect::Oauth => plain.map(|(status, code)| (status, oauth_code(code))),
            Dialect::Agentyk
            | Dialect::Nexora
            | Dialect::Nexgent
            | Dialect::Nexalayer
            | Dialect::Gateway => plain,
        }
    }
}

/// The words of RFC 6749 §5.2 and RFC 6750 §3.1.
fn oauth_code(code: &'static str) -> &'static str {
    match code {
        "two_credentials" => "invalid_request",
        "invalid_api_key" => "invalid_token",
        "scope_missing" => "insufficient_scope",
        "wrong_environment" | "forbidden" => "access_denied",
        other => other,
    }
}

#[test]
fn every_route_answers_every_caller_as_the_table_of_roles_says() {
    let (world, credentials) = World::with_credentials();
    let routes = routes();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut outcome = Outcome::default();
        while let Some(credential) = credentials.get(next.fetch_add(1, Ordering::Relaxed)) {
            outcome.judge(&world, &routes, credential);
        }
        outcome
    };
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let faults: Vec<String> = outcomes
        .iter()
        .flat_map(|outcome| outcome.faults.clone())
        .collect();
    let shown = faults
        .iter()
        .take(30)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        faults.is_empty(),
        "{} cells are wrong:\n{shown}",
        faults.len()
    );
    for verdict in REFUSALS.into_iter().chain([Verdict::Pass]) {
        let seen = outcomes
            .iter()
            .any(|outcome| outcome.seen.contains(&verdict));
        assert!(seen, "no cell expects {verdict:?}");
    }
    let cells: usize = outcomes.iter().map(|outcome| outcome.cells).sum();
    assert_eq!(cells, routes.len() * credentials.len() * CARRIERS.len());
}

#[derive(Default)]
struct Outcome {
    cells: usize,
    faults: Vec<String>,
    seen: Vec<Verdict>,
}

impl Outcome {
    /// One credential on every route, by every carrier.
    fn judge(&mut self, world: &World, routes: &[Route], credential: &Credential) {
        for route in routes {
            for carrier in CARRIERS {
                let verdict = expected(route.access, credential, carrier);
                let response = world.respond(request(route, credential, carrier));
                let answer = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
                credential.learn(world, &answer);
                self.cells += 1;
                if !self.seen.contains(&verdict) {
                    self.seen.push(verdict);
                }
                let found = (response.status().as_u16(), code(route, &answer));
                let is_right = match verdict.written(route.dialect) {
                    Some(refusal) => found == refusal && challenges(&response),
                    None => has_passed(route, found),
                };
                let is_right = is_right && !repeats(&response, credential);
                if !is_right {
                    let method = route.method.as_ref().map_or("*", Method::as_str);
                    self.faults.push(format!(
                        "{method} {} by {carrier:?} of {credential:?}: {found:?}, not {verdict:?}",
                        route.path
                    ));
                }
            }
        }
    }
}

/// RFC 9110 §11.6.1: a 401 says what would do.
fn challenges(response: &Response<Bytes>) -> bool {
    response.status() != StatusCode::UNAUTHORIZED
        || response.headers().contains_key(WWW_AUTHENTICATE)
}

/// Whether the answer shows the credential that it was asked with.
fn repeats(response: &Response<Bytes>, credential: &Credential) -> bool {
    // Some answers are no text; a credential would still be in them as it is.
    let (text, body) = (credential.text(), String::from_utf8_lossy(response.body()));
    let mut headers = response.headers().values();
    let is_shown = |shown: &str| shown.contains(&text);
    !text.is_empty() && (is_shown(&body) || headers.any(|value| value.to_str().is_ok_and(is_shown)))
}

fn code<'a>(route: &Route, answer: &'a Value) -> &'a str {
    let member = match route.dialect {
        Dialect::Oauth => "error",
        Dialect::Agentyk
        | Dialect::Nexora
        | Dialect::Nexgent
        | Dialect::Nexalayer
        | Dialect::Gateway => "code",
    };
    answer[member].as_str().unwrap_or_default()
}

/// Whether it is an answer of the handler, and not of the gate or of a fault.
fn has_passed(route: &Route, (status, code): (u16, &str)) -> bool {
    let is_refusal = match (route.dialect, route.access) {
        // It asks its client for a secret itself.
        (Dialect::Oauth, Access::Public) => false,
        // The standard has one code for two credentials and for an empty request.
        (Dialect::Oauth, _) => matches!(status, 401 | 403),
        (dialect, _) => {
            let mut refusals = REFUSALS
                .iter()
                .filter_map(|refusal| refusal.written(dialect));
            refusals.any(|refusal| (status, code) == refusal)
        }
    };
    status < 500 && status != 429 && !is_refusal
}
