//! A strict reader of mails (RFC 5322, RFC 2045, RFC 2047), which shares nothing with what writes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A mail as its reader gets it.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The envelope.
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Unfolded and decoded, in their order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) html: String,
    /// As it came.
    pub(crate) raw: Vec<u8>,
}

impl Mail {
    /// The only header of that name.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let (_, value) = found
            .next()
            .unwrap_or_else(|| panic!("no {name}: {:?}", self.headers));
        assert!(found.next().is_none(), "{name} stands twice");
        value
    }

    /// The token of the one link that has one; the same in both parts.
    pub(crate) fn token(&self) -> String {
        let in_text = tokens(&self.text);
        assert!(in_text.len() == 1, "{}", self.text);
        // The button and the link to copy.
        let in_html = tokens(&self.html);
        assert!(!in_html.is_empty(), "{}", self.html);
        assert!(
            in_html.iter().all(|token| *token == in_text[0]),
            "{}",
            self.html
        );
        in_text[0].clone()
    }
}

fn tokens(text: &str) -> Vec<String> {
    let is_of_token = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.split("token=")
        .skip(1)
        .map(|rest| rest.chars().take_while(is_of_token).collect())
        .collect()
}

/// Reads text and HTML as alternatives, and nothing else. Panics on whatever a strict reader could take otherwise.
pub(crate) fn read_mail(raw: &[u8], from: String, to: Vec<String>) -> Mail {
    for (index, byte) in raw.iter().enumerate() {
        let is_line_end = match byte {
            b'\r' => raw.get(index + 1) == Some(&b'\n'),
            b'\n' => index > 0 && raw[index - 1] == b'\r',
            byte => *byte != 0,
        };
        assert!(is_line_end, "a bare control character at {index}");
    }
    let content = std::str::from_utf8(raw).unwrap();
    assert!(content.split("\r\n").all(|line| line.len() <= 998));
    let (headers, body) = read_entity(content);
    assert_eq!(value(&headers, "MIME-Version"), "1.0");
    let kind = value(&headers, "Content-Type");
    let boundary = kind
        .strip_prefix("multipart/alternative; boundary=")
        .unwrap()
        .trim_matches('"');
    assert!((1..=70).contains(&boundary.len()), "RFC 2046 §5.1.1");
    let body = format!("\r\n{body}");
    let (parts, after) = body.split_once(&format!("\r\n--{boundary}--")).unwrap();
    assert_eq!(after.trim(), "");
    let parts: Vec<&str> = parts.split(&format!("\r\n--{boundary}\r\n")).collect();
    let [preamble, text, html] = parts[..] else {
        panic!("{} parts", parts.len());
    };
    assert_eq!(preamble.trim(), "");
    Mail {
        from,
        to,
        headers,
        text: read_part(text, "text/plain; charset=utf-8"),
        html: read_part(html, "text/html; charset=utf-8"),
        raw: raw.to_vec(),
    }
}

fn read_entity(content: &str) -> (Vec<(String, String)>, &str) {
    let (head, body) = content.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let headers = unfolded.split("\r\n").map(|line| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
        assert!(
            name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
            "{line:?}"
        );
        (name.to_owned(), decode_words(value))
    });
    (headers.collect(), body)
}

fn value<'h>(headers: &'h [(String, String)], name: &str) -> &'h str {
    let header = headers.iter().find(|(known, _)| known == name);
    &header.unwrap_or_else(|| panic!("no {name}: {headers:?}")).1
}

fn read_part(part: &str, kind: &str) -> String {
    let (headers, body) = read_entity(part);
    assert_eq!(value(&headers, "Content-Type"), kind);
    let content = match value(&headers, "Content-Transfer-Encoding") {
        "7bit" => {
            assert!(body.is_ascii());
            body.as_bytes().to_vec()
        }
        "8bit" => body.as_bytes().to_vec(),
        "quoted-printable" => decode_quoted(body),
        "base64" => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
        other => panic!("{other}"),
    };
    String::from_utf8(content).unwrap().replace("\r\n", "\n")
}

/// RFC 2045 §6.7.
fn decode_quoted(body: &str) -> Vec<u8> {
    assert!(body.is_ascii() && body.split("\r\n").all(|line| line.len() <= 76));
    unescape(&body.replace("=\r\n", ""))
}

fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split('=');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// RFC 2047: words that stand for others; a blank between two of them is none (§6.2).
fn decode_words(value: &str) -> String {
    let value = value.replace("?= =?", "?==?");
    let mut shown = String::new();
    let mut rest = value.as_str();
    while let Some((before, word)) = rest.split_once("=?") {
        shown.push_str(before);
        let mut fields = word.splitn(3, '?');
        assert_eq!(fields.next().unwrap().to_ascii_lowercase(), "utf-8");
        let encoding = fields.next().unwrap();
        let (coded, after) = fields.next().unwrap().split_once("?=").unwrap();
        let bytes = match encoding {
            "b" | "B" => STANDARD.decode(coded).unwrap(),
            "q" | "Q" => unescape(&coded.replace('_', " ")),
            other => panic!("{other}"),
        };
        shown.push_str(&String::from_utf8(bytes).unwrap());
        rest = after;
    }
    shown + rest
}
