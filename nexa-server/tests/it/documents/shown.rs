//! Requests as documents show them: as a curl command, or as HTTP.

use crate::harness::{Request, Server};

/// A request that was cut out of a document.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    method: String,
    /// Without scheme and host: a client changes only those.
    pub(super) path: String,
    headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
}

impl Shown {
    /// Reads the curl command that `text` begins with: up to the end of a line that no backslash continues.
    pub(super) fn curl(text: &str) -> Self {
        let words = shell_words(text);
        let mut words = words.iter().map(String::as_str);
        assert_eq!(words.next(), Some("curl"), "{text}");
        let (mut method, mut url, mut headers, mut body) = (None, None, Vec::new(), None);
        while let Some(word) = words.next() {
            match word {
                "-X" | "--request" => method = words.next(),
                "-H" | "--header" => headers.push(header(words.next().unwrap())),
                "-d" | "--data" => body = words.next(),
                "--url" => url = words.next(),
                _ if word.starts_with("https://") => url = Some(word),
                // The sentence that a document has run into its command.
                _ => break,
            }
        }
        let url = url.unwrap_or_else(|| panic!("no URL in {text}"));
        let path = url["https://".len()..].find('/').unwrap() + "https://".len();
        Self {
            method: method.unwrap_or("GET").to_owned(),
            path: url[path..].to_owned(),
            headers,
            body: body.map(|body| body.trim().to_owned()),
        }
    }

    /// Reads a request line, header lines and a body; a document may have put them all on one line.
    pub(super) fn http(text: &str) -> Self {
        let (method, rest) = text.trim().split_once(' ').unwrap();
        let (path, rest) = rest.split_once([' ', '\n']).unwrap_or((rest, ""));
        let (headers, body) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers
                .lines()
                .filter(|line| !line.trim().is_empty())
                .map(header)
                .collect(),
            body: (!body.is_empty()).then(|| body.trim().to_owned()),
        }
    }

    /// Puts a value in the place of what the document writes for it, wherever that stands.
    pub(super) fn with(mut self, placeholder: &str, value: &str) -> Self {
        let mut places = 0;
        let mut fill = |text: &mut String| {
            places += text.matches(placeholder).count();
            *text = text.replace(placeholder, value);
        };
        fill(&mut self.path);
        for (_, text) in &mut self.headers {
            fill(text);
        }
        self.body.iter_mut().for_each(fill);
        assert!(places > 0, "{placeholder:?} is not in {self:?}");
        self
    }

    /// The request to a server of ours.
    pub(super) fn to<'s>(&self, server: &'s Server) -> Request<'s> {
        let request = self.carry(server.request(&self.method, &self.path));
        match &self.body {
            Some(body) => request.body(body),
            None => request,
        }
    }

    /// The question of a gateway that has received the request.
    pub(super) fn at_gateway<'s>(&self, server: &'s Server) -> Request<'s> {
        self.carry(super::authorize(server, &self.method, &self.path))
    }

    /// Without its credential.
    pub(super) fn anonymous(mut self) -> Self {
        self.headers.retain(|(name, _)| {
            !["authorization", "x-api-key"].contains(&name.to_ascii_lowercase().as_str())
        });
        self
    }

    fn carry<'s>(&self, request: Request<'s>) -> Request<'s> {
        self.headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    }
}

fn header(line: &str) -> (String, String) {
    let (name, value) = line.trim().split_once(": ").unwrap();
    (name.to_owned(), value.to_owned())
}

/// Words as a shell reads them: quotes hold them together, a backslash goes on in the next line.
fn shell_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let '\'' | '"' = first {
            let end = rest[1..].find(first).expect("a quote ends") + 1;
            words.push(rest[1..end].to_owned());
            rest = &rest[end + 1..];
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            if &rest[..end] != "\\" {
                words.push(rest[..end].to_owned());
            }
            let goes_on = &rest[..end] == "\\";
            rest = &rest[end..];
            if goes_on {
                rest = rest.trim_start();
                continue;
            }
        }
        rest = rest.trim_start_matches(' ');
        if rest.starts_with('\n') {
            break;
        }
    }
    words
}

#[test]
fn commands_are_read_as_a_shell_reads_them() {
    let shown = Shown::curl(
        "curl --request POST \\\n  --url https://api.example.com/v1/things?a=b \\\n  \
         -H 'Authorization: Bearer <token>' \\\n  -d '\n{\n  \"name\": \"A b\"\n}\n'\nThe answer: 200",
    );
    assert_eq!(
        (shown.method.as_str(), shown.path.as_str()),
        ("POST", "/v1/things?a=b")
    );
    assert_eq!(
        shown.headers,
        [("Authorization".to_owned(), "Bearer <token>".to_owned())]
    );
    assert_eq!(shown.body.as_deref(), Some("{\n  \"name\": \"A b\"\n}"));
    let shown = Shown::curl(
        "curl https://api.example.com/agents \\ -H \"Authorization: Bearer k\" and then",
    );
    assert_eq!(
        (shown.method.as_str(), shown.path.as_str()),
        ("GET", "/agents")
    );
    assert_eq!(
        (shown.headers.len(), shown.clone().anonymous().headers.len()),
        (1, 0)
    );
    assert_eq!(shown.body, None);
}

#[test]
fn http_is_read_on_one_line_or_on_many() {
    for text in [
        "POST /api/keys/{id} Content-Type: application/json { \"name\": \"a\" }",
        "POST /api/keys/{id}\nContent-Type: application/json\n{ \"name\": \"a\" }\n",
    ] {
        let shown = Shown::http(text).with("{id}", "7");
        assert_eq!(
            (shown.method.as_str(), shown.path.as_str()),
            ("POST", "/api/keys/7")
        );
        assert_eq!(
            shown.headers,
            [("Content-Type".to_owned(), "application/json".to_owned())]
        );
        assert_eq!(shown.body.as_deref(), Some("{ \"name\": \"a\" }"));
    }
    let shown = Shown::http("DELETE /api/keys/{id}");
    assert_eq!((shown.headers.len(), shown.body), (0, None));
}
