//! Mails as they are read on the other side.

mod forms;
mod letters;
mod servers;
#[path = "../../../../tests/it/smtp/mod.rs"]
mod smtp;

use super::{Message, Sender};
use crate::time::UnixMillis;

/// 2027-01-15T08:00:00Z.
const NOW: UnixMillis = UnixMillis::from_ms(1_800_000_000_000);

fn sender() -> Sender {
    Sender::parse("Acme <no-reply@acme.example>").unwrap()
}

fn message(to: &str) -> Message {
    Message {
        id: "0192-a".to_owned(),
        to: to.to_owned(),
        subject: "Hello".to_owned(),
        text: "One\n\nhttps://auth.example.com/x?token=abc-_9\n".to_owned(),
        html: "<p><a href=\"https://auth.example.com/x?token=abc-_9\">Two</a></p>\n".to_owned(),
    }
}
