//! What belongs to others, in another tenant or to another user, answers as what does not exist.

use hyper::Method;
use serde_json::{Value, json};

use super::carrier::path_with;
use super::credential::Kind;
use super::may_pass;
use super::world::{MISSING, Person, World, json_request};
use crate::api::{Route, routes};
use crate::domain::principal::Role;
use crate::gate::access::Access;

/// What the user's list shows, in the order and the spelling of that list.
fn listed(world: &World, collection: &str, credential: &str) -> Vec<String> {
    let items = world.call(Method::GET, collection, credential, &Value::Null);
    let items = items
        .as_array()
        .unwrap_or_else(|| panic!("{collection}: no list"));
    let id = |item: &Value| -> String {
        let id = item.get("id").or_else(|| item.get("jti"));
        id.and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{item} has no id"))
            .to_owned()
    };
    items.iter().map(id).collect()
}

/// Status and body of the route for that id.
fn answer(world: &World, route: &Route, credential: &str, id: &str) -> (u16, Value) {
    let method = route.method.clone().unwrap_or(Method::GET);
    // What one of them cannot do without.
    let body = json!({ "role": "member", "device": { "fingerprint": "of nobody" } }).to_string();
    let mut request = json_request(method, &path_with(route, id), &body);
    let bearer = format!("Bearer {credential}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    world.ask(request)
}

/// Gives the user one more of everything that a path can name, as far as the user can have it.
fn furnish(world: &World, person: &Person) {
    let session = &person.session;
    world.add_receiver(&person.tenant_id);
    world.make_key(session, &json!({ "name": "k", "scopes": ["signals"] }));
    let device = json!({ "fingerprint": world.number().to_string(), "platform": "linux" });
    let license = json!({ "appId": "agentyk-engine", "device": device });
    world.call(Method::POST, "/api/licenses/issue", session, &license);
    world.open_session(&person.id);
    world.add_person(&person.tenant_id, Role::Member);
    if person.role.manages_tenant() {
        let email = format!("{}@example.com", world.number());
        let invite = json!({ "email": email, "role": "member" });
        world.call(Method::POST, "/api/team/invite", session, &invite);
    }
}

/// A route that names something of a tenant, and the one that lists such things.
struct Naming<'r> {
    route: &'r Route,
    list: &'r Route,
}

impl Naming<'_> {
    /// Whether the user may call both, with a credential of that kind.
    fn is_open_to(&self, person: &Person, kind: Kind) -> bool {
        [self.route, self.list]
            .iter()
            .all(|route| may_pass(route.access, kind, person.role))
    }

    fn listed(&self, world: &World, person: &Person) -> Vec<String> {
        match may_pass(self.list.access, Kind::Session, person.role) {
            true => listed(world, self.list.path, &person.session),
            false => Vec::new(),
        }
    }
}

fn naming_routes(routes: &[Route]) -> Vec<Naming<'_>> {
    let named = routes.iter().filter(|route| match route.access {
        Access::Member
        | Access::Manager
        | Access::Person
        | Access::ManagerInPerson
        | Access::OwnerInPerson
        | Access::Checker
        | Access::OauthMember
        | Access::OauthChecker => route.path.contains('{'),
        // The operator's things, models among them, belong to no tenant, and a gateway's path is not ours.
        // What it names is nobody's: the caller makes it up.
        Access::WebsocketMember => false,
        Access::Public | Access::Operator | Access::License | Access::CallersKey => false,
    });
    let with_list = named.map(|route| {
        let collection = route.path.split_once("/{").unwrap().0;
        let mut lists = routes.iter();
        let list =
            lists.find(|other| other.path == collection && other.method == Some(Method::GET));
        let list = list.unwrap_or_else(|| panic!("{}: no list shows what it names", route.path));
        Naming { route, list }
    });
    with_list.collect()
}

#[test]
fn a_filter_that_names_somebody_else_means_nothing() {
    let world = World::new();
    let people: Vec<Person> = (0..2).flat_map(|_| world.add_people().people).collect();
    people.iter().for_each(|person| furnish(&world, person));
    let keys = |person: &Person, owner_id: &str| {
        let path = format!("/api/v1/api-keys?ownerId={owner_id}");
        listed(&world, &path, &person.session).len()
    };
    for (number, caller) in people.iter().enumerate() {
        for (other_number, other) in people.iter().enumerate() {
            let manages = number / 3 == other_number / 3
                && (number == other_number || caller.role.manages_tenant());
            let expected = usize::from(manages);
            assert_eq!(
                keys(caller, &other.id),
                expected,
                "{:?} of {:?}",
                caller.role,
                other.role
            );
            if !manages {
                let filter = json!({ "ownerId": other.id });
                let path = "/api/v1/api-keys/revoke";
                let revoked = world.call(Method::POST, path, &caller.session, &filter);
                assert_eq!(revoked, json!({ "revoked": 0 }));
            }
        }
    }
    for person in &people {
        assert_eq!(keys(person, &person.id), 1, "nobody else has ended it");
    }
}

#[test]
fn what_belongs_to_others_answers_as_what_does_not_exist() {
    let world = World::new();
    let people: Vec<Person> = (0..2).flat_map(|_| world.add_people().people).collect();
    let full: Vec<String> = people
        .iter()
        .map(|person| {
            furnish(&world, person);
            world
                .make_key(
                    &person.session,
                    &json!({ "name": "full", "scopes": ["full_access"] }),
                )
                .1
        })
        .collect();
    let routes = routes();
    let naming = naming_routes(&routes);
    assert!(naming.len() >= 12, "{} routes name something", naming.len());
    let mut compared = 0;
    for naming in &naming {
        let (route, path) = (naming.route, naming.route.path);
        let lists = || -> Vec<Vec<String>> {
            let listed = people.iter().map(|person| naming.listed(&world, person));
            listed.collect()
        };
        let before = lists();
        for (caller, key) in people.iter().zip(&full) {
            let own = naming.listed(&world, caller);
            for (kind, credential) in [(Kind::Session, &caller.session), (Kind::Full, key)] {
                if !naming.is_open_to(caller, kind) {
                    continue;
                }
                let missing = answer(&world, route, credential, MISSING);
                assert_eq!(missing.0, 404, "{path}: {}", missing.1);
                let mut foreign: Vec<&String> = before
                    .iter()
                    .flatten()
                    .filter(|id| !own.contains(id))
                    .collect();
                foreign.dedup();
                for id in foreign {
                    let found = answer(&world, route, credential, id);
                    assert_eq!(found, missing, "{path} of {:?}", caller.role);
                    compared += 1;
                }
            }
        }
        assert_eq!(lists(), before, "{path}: something has changed");
    }
    assert!(compared > 200, "{compared} answers were compared");
    for naming in &naming {
        for person in &people {
            if !naming.is_open_to(person, Kind::Session) {
                continue;
            }
            let before = naming.listed(&world, person);
            furnish(&world, person);
            let after = naming.listed(&world, person);
            let own = after.iter().find(|id| !before.contains(id)).unwrap();
            let found = answer(&world, naming.route, &person.session, own);
            // It is found, and its device is another one.
            let expected = match naming.route.path {
                "/api/licenses/{jti}/renew" => 409,
                _ => 200,
            };
            assert_eq!(found.0, expected, "{}: {}", naming.route.path, found.1);
        }
    }
}
