//! A server that is short of something: file handles, somebody who reads its log.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::harness::{Server, nexa};

/// A server in a shell of its own, which may change what it inherits.
struct Short {
    child: Child,
    address: String,
}

impl Short {
    fn start(prelude: &str, folder: &tempfile::TempDir, stderr: Stdio) -> Self {
        let program = nexa().get_program().to_owned();
        let mut child = Command::new("sh")
            .args(["-c", &format!("{prelude}exec \"$@\""), "sh"])
            .arg(program)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--log",
                "trace",
                "--data",
            ])
            .arg(folder.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let (_, url) = crate::harness::until_ready(&mut child).expect("the server comes up");
        let address = url.trim_start_matches("http://").to_owned();
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    fn status(&self, path: &str) -> String {
        self.status_with(path, "")
    }

    fn status_with(&self, path: &str, fields: &str) -> String {
        let mut stream = self.connect();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: test\r\n{fields}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

impl Drop for Short {
    fn drop(&mut self) {
        // Already gone where the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A data folder that has seen its first start.
fn folder() -> tempfile::TempDir {
    let mut server = Server::start();
    assert_eq!(server.stop("-TERM"), Some(0));
    std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap())
}

#[test]
fn a_dead_stderr_stops_nothing() {
    let folder = folder();
    let mut server = Short::start("", &folder, Stdio::piped());
    // Nobody reads the log any more.
    drop(server.child.stderr.take());
    // Each of these is logged: a proxy that was not declared, a broken token.
    let proxied = "X-Forwarded-For: 192.0.2.1\r\n";
    assert_eq!(server.status_with("/healthz", proxied), "200");
    let broken = "Authorization: Bearer a.b.c\r\n";
    assert_eq!(server.status_with("/api/auth/me", broken), "401");
    assert_eq!(server.status("/healthz"), "200");
}

#[cfg(target_os = "linux")]
#[test]
fn more_clients_than_file_handles_are_served() {
    let folder = folder();
    let log = folder.path().join("log");
    let stderr = std::fs::File::create(&log).unwrap();
    let server = Short::start("ulimit -n 188; ", &folder, stderr.into());
    // As `config::handles` has it: what the process and its store have open, of the 152 that connections leave.
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap();
    let open = open.count();
    assert!(open <= 40, "{open} files are open before anybody has come");
    let idle: Vec<TcpStream> = (0..250).map(|_| server.connect()).collect();
    for _ in 0..5 {
        assert_eq!(server.status("/healthz"), "200");
        assert_eq!(server.status("/api/licenses/revocations"), "200");
    }
    drop(idle);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("connections=18 websockets=18"), "{log}");
    assert!(!log.contains("cannot accept"), "{log}");
}
