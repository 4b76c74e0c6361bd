//! One JSON object that is made while it is sent: its arrays are read page by page, and no page is kept.

use std::fmt::Display;
use std::iter::once;
use std::marker::PhantomData;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;

use super::openapi::Operation;
use super::reply::{Content, Respond};
use super::stream::Chunks;

/// 200 with one JSON object, whose members are sent in the order in which they are added.
///
/// `S` describes the object, and is never made; debug builds refuse an answer whose members are not those of `S`. What fails
/// half-way cuts the connection (see [`Chunks`]), so what can be refused has to be refused before.
///
/// ```text
/// let store = cx.services.store.clone();
/// let mut last = None;
/// let keys = iter::from_fn(move || store.read(|tx| page_after(tx, &mut last)).transpose());
/// Ok(JsonStream::<Export>::new().member("tenant", &tenant).list("apiKeys", keys))
/// ```
pub(crate) struct JsonStream<S> {
    chunks: Pieces,
    names: Vec<&'static str>,
    shape: PhantomData<fn() -> S>,
}

type Piece = Result<Bytes, String>;
type Pieces = Box<dyn Iterator<Item = Piece> + Send>;

impl<S> JsonStream<S> {
    /// An object without members.
    pub(crate) fn new() -> Self {
        Self {
            chunks: Box::new(std::iter::empty()),
            names: Vec::new(),
            shape: PhantomData,
        }
    }

    /// Adds a member whose value is known.
    pub(crate) fn member<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Self {
        let mut chunk = self.opening(name);
        let piece = write(&mut chunk, value).map(|()| chunk.into());
        self.add(name, once(piece))
    }

    /// Adds a member that is an array of the items of all `pages`. A page is asked for when the one before is on its way;
    /// between two of them nothing may be held that others wait for, such as a transaction.
    pub(crate) fn list<T: Serialize, E: Display>(
        self,
        name: &'static str,
        pages: impl Iterator<Item = Result<Vec<T>, E>> + Send + 'static,
    ) -> Self {
        let mut opening = self.opening(name);
        opening.push(b'[');
        let mut is_first = true;
        let pages = pages.map(move |page| {
            let mut chunk = Vec::new();
            for item in page.map_err(|problem| problem.to_string())? {
                if !is_first {
                    chunk.push(b',');
                }
                is_first = false;
                write(&mut chunk, &item)?;
            }
            Ok(chunk.into())
        });
        let closing = once(Ok(Bytes::from_static(b"]")));
        self.add(name, once(Ok(opening.into())).chain(pages).chain(closing))
    }

    /// What stands before the value of the next member.
    fn opening(&self, name: &str) -> Vec<u8> {
        let start = if self.names.is_empty() { '{' } else { ',' };
        format!("{start}{}:", Value::from(name)).into_bytes()
    }

    fn add(
        mut self,
        name: &'static str,
        pieces: impl Iterator<Item = Piece> + Send + 'static,
    ) -> Self {
        self.names.push(name);
        self.chunks = Box::new(self.chunks.chain(pieces));
        self
    }
}

impl<S: JsonSchema> JsonStream<S> {
    /// Whether the members are those of `S`, each once.
    fn is_of_its_shape(&self) -> bool {
        let shape = SchemaGenerator::default().into_root_schema_for::<S>();
        let described = shape.get("properties").and_then(Value::as_object);
        described.map_or(0, |described| described.len()) == self.names.len()
            && described
                .into_iter()
                .flat_map(|described| described.keys())
                .all(|name| self.names.contains(&name.as_str()))
    }
}

/// Appends `value`; the error is a sentence for the log.
fn write<T: Serialize + ?Sized>(chunk: &mut Vec<u8>, value: &T) -> Result<(), String> {
    serde_json::to_writer(chunk, value).map_err(|error| error.to_string())
}

impl<S: JsonSchema> Respond for JsonStream<S> {
    fn respond(self) -> Response<Content> {
        debug_assert!(
            self.is_of_its_shape(),
            "{:?} are not the members of {}",
            self.names,
            S::schema_name()
        );
        let closing = if self.names.is_empty() { "{}" } else { "}" };
        let chunks = self
            .chunks
            .chain(once(Ok(Bytes::from_static(closing.as_bytes()))));
        let mut response = Response::new(Content::Stream(Chunks::new(chunks)));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.response(
            StatusCode::OK,
            "OK",
            Some(SchemaGenerator::subschema_for::<S>),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "it only describes")]
    struct Export {
        owner: String,
        api_keys: Vec<String>,
        usage: Vec<u64>,
    }

    type Page<T> = Result<Vec<T>, String>;

    fn export(keys: Vec<Page<&'static str>>, usage: Vec<Page<u64>>) -> JsonStream<Export> {
        JsonStream::new()
            .member("owner", "a \"b\"\n")
            .list("apiKeys", keys.into_iter())
            .list("usage", usage.into_iter())
    }

    fn pulled<S: JsonSchema>(answer: JsonStream<S>) -> Result<String, String> {
        let Content::Stream(chunks) = answer.respond().into_body() else {
            panic!("it streams");
        };
        let chunks = chunks.collect::<Result<Vec<Bytes>, String>>()?;
        Ok(String::from_utf8(chunks.concat()).unwrap())
    }

    #[test]
    fn pages_become_one_array() {
        for (keys, usage, expected) in [
            (vec![], vec![], r#""apiKeys":[],"usage":[]"#),
            (
                vec![Ok(vec![])],
                vec![Ok(vec![1])],
                r#""apiKeys":[],"usage":[1]"#,
            ),
            (
                vec![
                    Ok(vec!["a", "\"]"]),
                    Ok(vec![]),
                    Ok(vec!["\u{e9}\u{1}", "d"]),
                ],
                vec![Ok(vec![1]), Ok(vec![2])],
                "\"apiKeys\":[\"a\",\"\\\"]\",\"\u{e9}\\u0001\",\"d\"],\"usage\":[1,2]",
            ),
        ] {
            let whole = pulled(export(keys, usage)).unwrap();
            assert_eq!(whole, format!(r#"{{"owner":"a \"b\"\n",{expected}}}"#));
            assert!(serde_json::from_str::<Value>(&whole).is_ok());
        }
    }

    #[test]
    fn an_object_may_have_no_members() {
        #[derive(JsonSchema)]
        struct Nothing {}
        assert_eq!(pulled(JsonStream::<Nothing>::new()), Ok("{}".to_owned()));
    }

    #[test]
    fn nothing_is_read_before_it_is_asked_for() {
        let Content::Stream(mut chunks) = JsonStream::<Export>::new()
            .member("owner", "")
            .list(
                "usage",
                std::iter::from_fn(|| -> Option<Page<u64>> { panic!("read too soon") }),
            )
            .list("apiKeys", std::iter::empty::<Page<u64>>())
            .respond()
            .into_body()
        else {
            panic!("it streams");
        };
        assert_eq!(chunks.next().unwrap().unwrap(), r#"{"owner":"""#);
        assert_eq!(chunks.next().unwrap().unwrap(), r#","usage":["#);
    }

    #[test]
    fn what_fails_is_told_in_its_place() {
        let problem = "the disk is gone".to_owned();
        let answer = export(vec![Ok(vec!["a"]), Err(problem.clone())], vec![]);
        assert_eq!(pulled(answer), Err(problem));
        let unwritable = [((), 1)]
            .into_iter()
            .collect::<std::collections::BTreeMap<_, _>>();
        let answer = JsonStream::<Export>::new()
            .member("owner", &unwritable)
            .list("apiKeys", std::iter::empty::<Page<u64>>())
            .list("usage", std::iter::empty::<Page<u64>>());
        assert_eq!(pulled(answer), Err("key must be a string".to_owned()));
    }

    #[test]
    #[should_panic(expected = "[\"owner\", \"keys\"] are not the members of Export")]
    fn members_that_are_not_described_are_refused() {
        let _ = JsonStream::<Export>::new()
            .member("owner", "")
            .list("keys", std::iter::empty::<Page<u64>>())
            .respond();
    }
}
