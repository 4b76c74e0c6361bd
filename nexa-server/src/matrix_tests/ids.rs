//! What belongs to others, in another tenant or to another user, answers as what does not exist.

use hyper::Method;
use serde_json::{Value, json};

use super::path_with;
use super::world::{MISSING, Person, World, json_request};
use crate::api::{Route, routes};
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
    let mut request = json_request(method, &path_with(route, id), "{}");
    let bearer = format!("Bearer {credential}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    world.ask(request)
}

/// Gives the user one more of everything that a path can name.
fn furnish(world: &World, person: &Person) {
    world.make_key(
        &person.session,
        &json!({ "name": "k", "scopes": ["signals"] }),
    );
    let license =
        json!({ "appId": "agentyk-engine", "device": { "fingerprint": "f", "platform": "linux" } });
    world.call(
        Method::POST,
        "/api/licenses/issue",
        &person.session,
        &license,
    );
}

/// The routes that name something of a tenant, each with the list that shows it.
fn naming_routes(routes: &[Route]) -> Vec<(&Route, &str)> {
    let named = routes.iter().filter(|route| match route.access {
        Access::Member | Access::Checker | Access::OauthMember | Access::OauthChecker => {
            route.path.contains('{')
        }
        // The operator's things belong to no tenant, and a gateway's path is not ours.
        Access::Public | Access::Operator | Access::CallersKey => false,
    });
    let with_collection = named.map(|route| {
        let collection = route.path.split_once("/{").unwrap().0;
        let is_listed =
            |other: &Route| other.path == collection && other.method == Some(Method::GET);
        assert!(
            routes.iter().any(is_listed),
            "{}: no list shows what it names",
            route.path
        );
        (route, collection)
    });
    with_collection.collect()
}

#[test]
fn a_filter_that_names_somebody_else_means_nothing() {
    let world = World::new();
    let people: Vec<Person> = (0..2).flat_map(|_| world.add_people().1).collect();
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
    let people: Vec<Person> = (0..2).flat_map(|_| world.add_people().1).collect();
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
    assert!(naming.len() >= 8, "{} routes name something", naming.len());
    let mut compared = 0;
    for (route, collection) in &naming {
        let lists: Vec<Vec<String>> = people
            .iter()
            .map(|person| listed(&world, collection, &person.session))
            .collect();
        for (caller, key) in people.iter().zip(&full) {
            let own = listed(&world, collection, &caller.session);
            for credential in [&caller.session, key] {
                let missing = answer(&world, route, credential, MISSING);
                assert_eq!(missing.0, 404, "{}: {}", route.path, missing.1);
                let mut foreign: Vec<&String> = lists
                    .iter()
                    .flatten()
                    .filter(|id| !own.contains(id))
                    .collect();
                foreign.dedup();
                for id in foreign {
                    let found = answer(&world, route, credential, id);
                    assert_eq!(found, missing, "{} of {:?}", route.path, caller.role);
                    compared += 1;
                }
            }
        }
        let after: Vec<Vec<String>> = people
            .iter()
            .map(|person| listed(&world, collection, &person.session))
            .collect();
        assert_eq!(after, lists, "{}: something has changed", route.path);
    }
    assert!(compared > 200, "{compared} answers were compared");
    for (route, collection) in naming {
        for person in &people {
            let before = listed(&world, collection, &person.session);
            furnish(&world, person);
            let after = listed(&world, collection, &person.session);
            let own = after.iter().find(|id| !before.contains(id)).unwrap();
            let found = answer(&world, route, &person.session, own);
            assert_eq!(found.0, 200, "{}: {}", route.path, found.1);
        }
    }
}
