//! A mail as bytes (RFC 5322, RFC 2045): text and HTML as alternatives of one another.

use std::time::{Duration, SystemTime};

use lettre::message::header::{
    ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0,
};
use lettre::message::{Body, MultiPart, MultiPartKind, SinglePart};

use super::address::{Sender, recipient};
use super::{MailError, Message};
use crate::time::UnixMillis;

/// What may stand in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Bytes beyond ASCII too: files, and servers that take them (RFC 6152).
    EightBit,
    /// ASCII alone.
    SevenBit,
}

/// # Errors
/// [`MailError::Refused`] for an address that no mail can be sent to.
pub(super) fn compose(
    now: UnixMillis,
    from: &Sender,
    message: &Message,
    reach: Reach,
) -> Result<lettre::Message, MailError> {
    let to =
        recipient(&message.to).map_err(|rule| MailError::Refused(format!("the address {rule}")))?;
    let id = clean_id(&message.id);
    let part = |kind: ContentType, content: &str| {
        SinglePart::builder()
            .header(kind)
            .body(body(content, reach))
    };
    let boundary = boundary(&id, message);
    let parts = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(boundary)
        .singlepart(part(ContentType::TEXT_PLAIN, &message.text))
        .singlepart(part(ContentType::TEXT_HTML, &message.html));
    lettre::Message::builder()
        .date(SystemTime::UNIX_EPOCH + Duration::from_millis(now.unsigned_ms()))
        .message_id(Some(format!("<{id}@{}>", from.email().domain())))
        .from(from.mailbox())
        .to(to.into())
        .subject(subject(&message.subject))
        // Nobody's holiday notice is to answer it (RFC 3834 §5).
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ))
        .header(MIME_VERSION_1_0)
        .multipart(parts)
        .map_err(|error| MailError::Refused(error.to_string()))
}

/// The text as it stands wherever its lines are short enough (RFC 5322 §2.1.1), so that a link stays whole on its line;
/// else encoded.
fn body(content: &str, reach: Reach) -> Body {
    const LINE_BYTES_MAX: usize = 998;
    let content = content.replace("\r\n", "\n").replace(['\r', '\0'], "");
    let is_short = content.split('\n').all(|line| line.len() <= LINE_BYTES_MAX);
    match (is_short, content.is_ascii(), reach) {
        (true, true, _) => as_is(&content, ContentTransferEncoding::SevenBit),
        (true, false, Reach::EightBit) => as_is(&content, ContentTransferEncoding::EightBit),
        (true, false, Reach::SevenBit) | (false, _, _) => Body::new(content),
    }
}

fn as_is(content: &str, encoding: ContentTransferEncoding) -> Body {
    Body::dangerous_pre_encoded(content.replace('\n', "\r\n").into_bytes(), encoding)
}

/// What divides the parts: from the id, and in neither of them. (The default would be drawn at random.)
fn boundary(id: &str, message: &Message) -> String {
    let mut boundary = format!("part-{id}");
    while message.text.contains(&boundary) || message.html.contains(&boundary) {
        boundary.push('-');
    }
    boundary
}

fn clean_id(id: &str) -> String {
    let is_of_id = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    id.chars().filter(is_of_id).take(50).collect()
}

/// What looks encoded (RFC 2047) is not: a reader would decode it to a subject that nobody has written.
fn subject(text: &str) -> String {
    one_line(text).replace("=?", &format!("={JOINER}?"))
}

/// Shows nothing, and keeps its neighbours from meaning something together (WORD JOINER).
pub(super) const JOINER: char = '\u{2060}';

/// Whatever a value held, a header is one line.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}
