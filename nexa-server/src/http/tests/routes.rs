//! The router: which row wins, what is allowed, what a path captures.

use super::super::router::RouterError;
use super::*;

fn router(rows: &[(&str, &str)]) -> Result<Router, RouterError> {
    let method = |name: &str| (name != "*").then(|| name.parse().unwrap());
    Router::new(rows.iter().map(|(name, path)| (method(name), *path)))
}

#[test]
fn the_path_comes_first_and_then_the_method() {
    let router = router(&[
        ("GET", "/keys"),
        ("POST", "/keys"),
        ("GET", "/keys/{id}"),
        ("DELETE", "/keys/{id}"),
        ("GET", "/keys/mine"),
        ("*", "/authorize"),
        ("*", "/authorize/{*rest}"),
        ("GET", "/any"),
        ("*", "/any"),
        ("HEAD", "/head"),
        ("GET", "/head"),
    ])
    .unwrap();
    for (method, path, expected) in [
        ("GET", "/keys", "row 0"),
        ("HEAD", "/keys", "row 0"),
        ("POST", "/keys", "row 1"),
        ("PUT", "/keys", "allow GET, HEAD, POST"),
        ("get", "/keys", "allow GET, HEAD, POST"),
        ("GET", "/keys/", "missing"),
        ("GET", "//keys", "missing"),
        ("GET", "/KEYS", "missing"),
        ("GET", "/keys/1", "row 2 id=1"),
        ("DELETE", "/keys/1", "row 3 id=1"),
        ("POST", "/keys/1", "allow DELETE, GET, HEAD"),
        ("GET", "/keys/mine", "row 4"),
        ("GET", "/keys/1/2", "missing"),
        ("PURGE", "/authorize", "row 5"),
        (
            "GET",
            "/authorize/a//b/../%2e%zz",
            "row 6 rest=a//b/../%2e%zz",
        ),
        ("GET", "/any", "row 7"),
        ("HEAD", "/any", "row 7"),
        ("PATCH", "/any", "row 8"),
        ("HEAD", "/head", "row 9"),
        ("GET", "", "missing"),
        ("OPTIONS", "*", "missing"),
    ] {
        let found = match router.find(&method.parse().unwrap(), path) {
            Found::Row { index, params } => {
                let items = params
                    .iter()
                    .map(|(name, value)| format!(" {name}={value}"));
                format!("row {index}{}", items.collect::<String>())
            }
            Found::WrongMethod { allow } => format!("allow {}", allow.to_str().unwrap()),
            Found::Missing => "missing".to_owned(),
        };
        assert_eq!(found, expected, "{method} {path}");
    }
}

#[test]
fn a_captured_part_is_decoded_once_and_bounded() {
    let router = router(&[("GET", "/{id}/x")]).unwrap();
    let long = "a".repeat(512);
    let too_long = "a".repeat(513);
    for (raw, expected) in [
        ("a%2Fb", Some("a/b")),
        ("%C3%A9", Some("é")),
        ("a+b", Some("a+b")),
        ("%2541", Some("%41")),
        ("%", None),
        ("%4", None),
        ("%zz", None),
        ("%+1", None),
        ("%ff", None),
        (&long, Some(long.as_str())),
        (&too_long, None),
    ] {
        let path = format!("/{raw}/x");
        let found = match router.find(&Method::GET, &path) {
            Found::Row { params, .. } => params.iter().next().map(|(_, value)| value.to_owned()),
            Found::WrongMethod { .. } | Found::Missing => None,
        };
        assert_eq!(found.as_deref(), expected, "{raw}");
    }
}

#[test]
fn a_table_that_contradicts_itself_is_refused() {
    let twice = |method: &str| {
        Some(RouterError::Twice {
            method: method.to_owned(),
            path: "/a".to_owned(),
        })
    };
    assert_eq!(router(&[("GET", "/a"), ("GET", "/a")]).err(), twice("GET"));
    assert_eq!(
        router(&[("*", "/a"), ("GET", "/a"), ("*", "/a")]).err(),
        twice("*")
    );
    for bad in ["/{id}{name}", "/{", "/{*rest}/x"] {
        assert!(
            matches!(router(&[("GET", bad)]), Err(RouterError::Path { .. })),
            "{bad}"
        );
    }
    let renamed = router(&[("GET", "/a/{id}"), ("DELETE", "/a/{name}")]);
    assert!(matches!(renamed, Err(RouterError::Path { .. })));
}
