//! A WebSocket as a client without a library has it: the handshake and the frames, byte by byte.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// An open one.
pub(crate) struct WebSocket(TcpStream);

/// What comes next on it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(Value),
    Closed(u16),
}

impl WebSocket {
    /// Opens one; the status and the whole answer where there is none.
    pub(crate) fn try_open(
        url: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, (u16, String)> {
        let address = url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        // So that a failure is a failed test and not a hanging one.
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut request = format!(
            "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let mut answer = String::from_utf8(head).unwrap();
        let status = answer[9..12].parse().unwrap();
        if status == 101 {
            return Ok(Self(stream));
        }
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        Err((status, answer))
    }

    /// Opens one and takes its first message.
    pub(crate) fn open(url: &str, target: &str, headers: &[(&str, &str)]) -> (Self, Value) {
        let mut socket = Self::try_open(url, target, headers).unwrap();
        match socket.heard() {
            Heard::Text(hello) => (socket, hello),
            closed @ Heard::Closed(_) => panic!("{closed:?}"),
        }
    }

    /// The next message, or the end; pings in between are answered.
    pub(crate) fn heard(&mut self) -> Heard {
        loop {
            let (opcode, payload) = self.frame();
            match opcode {
                1 => return Heard::Text(serde_json::from_slice(&payload).unwrap()),
                8 => {
                    self.send(8, &payload);
                    let end = self.0.read(&mut [0]);
                    assert!(
                        matches!(&end, Ok(0))
                            || matches!(&end, Err(error) if error.kind() == ErrorKind::ConnectionReset),
                        "{end:?}"
                    );
                    return Heard::Closed(u16::from_be_bytes([payload[0], payload[1]]));
                }
                9 => self.send(10, &payload),
                other => panic!("a frame of the kind {other}"),
            }
        }
    }

    /// The type and the subject's name of the next event.
    pub(crate) fn event(&mut self) -> (String, String) {
        match self.heard() {
            Heard::Text(text) => {
                assert_eq!(text["type"], "event", "{text}");
                let event = &text["event"];
                let member = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (member(&event["type"]), member(&event["data"]["name"]))
            }
            closed @ Heard::Closed(_) => panic!("{closed:?}"),
        }
    }

    fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.take(2);
        assert_eq!(head[0] & 0xF0, 0x80, "whole, and without extensions");
        let bytes = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.take(2).try_into().unwrap())),
            127 => u64::from_be_bytes(self.take(8).try_into().unwrap()),
            bytes => u64::from(bytes),
        };
        let payload = self.take(usize::try_from(bytes).unwrap());
        (head[0] & 0x0F, payload)
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let mut taken = vec![0; bytes];
        self.0.read_exact(&mut taken).unwrap();
        taken
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode, 0x80 | u8::try_from(payload.len()).unwrap()];
        frame.extend([0; 4]);
        frame.extend(payload);
        // Whoever has closed does not mind.
        let _ = self.0.write_all(&frame);
    }
}
