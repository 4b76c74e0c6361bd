//! A running server of one's own, and a client that shows everything that came back.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The binary `nexa`, serving a data folder of its own on a port of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    pub(crate) folder: tempfile::TempDir,
    /// What the first start printed on stdout before it was ready.
    pub(crate) first_words: String,
}

impl Server {
    /// On a fresh folder, with the sample configuration.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more arguments for `nexa serve`.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::start_on(tempfile::tempdir().unwrap(), arguments)
    }

    /// With this configuration file.
    pub(crate) fn configured(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nexa.toml");
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap().to_owned();
        Self::start_on(folder, &["--config", &file])
    }

    /// With these variables in its environment, and more arguments.
    pub(crate) fn start_in(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::launch(tempfile::tempdir().unwrap(), environment, arguments)
    }

    pub(crate) fn start_on(folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        Self::launch(folder, &[], arguments)
    }

    fn launch(folder: tempfile::TempDir, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let stderr_path = folder.path().join("stderr");
        let mut child = nexa()
            .arg("serve")
            .envs(environment.iter().copied())
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&stderr_path).unwrap())
            .spawn()
            .unwrap();
        let Some((first_words, url)) = until_ready(&mut child) else {
            let stderr = std::fs::read_to_string(&stderr_path).unwrap();
            panic!("the server did not come up: {stderr}");
        };
        Self {
            child,
            url,
            folder,
            first_words,
        }
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    /// The operator key that the first start printed.
    pub(crate) fn operator_key(&self) -> String {
        let start = self
            .first_words
            .find("nex_")
            .expect("the first start prints a key");
        self.first_words[start..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect()
    }

    /// Sends a signal and waits for the end; answers the exit code.
    pub(crate) fn stop(&mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }

    /// Kills the server and starts it again on the same folder.
    pub(crate) fn restart_after_kill(mut self) -> Self {
        self.stop("-KILL");
        self.restart_with(&[])
    }

    /// Starts a server again that has been stopped, on the same folder.
    pub(crate) fn restart_with(mut self, arguments: &[&str]) -> Self {
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        Self::start_on(folder, arguments)
    }

    pub(crate) fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Request<'_> {
        self.request("POST", path)
            .header("Content-Type", "application/json")
            .body(body)
    }

    pub(crate) fn delete(&self, path: &str) -> Request<'_> {
        self.request("DELETE", path)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request {
            server: self,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Registers a tenant and logs its owner in; answers the access token.
    pub(crate) fn sign_up(&self, email: &str) -> String {
        let body = serde_json::json!({ "email": email, "password": "correct horse", "tenantName": "Acme" });
        let registered = self.post("/api/auth/register", &body.to_string()).send();
        assert_eq!(registered.status, 201, "{}", registered.text);
        let body = serde_json::json!({ "email": email, "password": "correct horse" });
        let login = self.post("/api/auth/login", &body.to_string()).send();
        assert_eq!(login.status, 200, "{}", login.text);
        login.json["accessToken"].as_str().unwrap().to_owned()
    }

    /// As [`Server::sign_up`], with the token that the server mails to the address: by its log, where it has no mail server.
    pub(crate) fn sign_up_verified(&self, email: &str) -> String {
        let logged_before = self.stderr().len();
        let session = self.sign_up(email);
        for _ in 0..500 {
            let logged = self.stderr();
            let news = logged.get(logged_before..).unwrap_or_default();
            let mail = news.split(&format!("to=\"{email}\"")).nth(1);
            let mailed = mail.and_then(|mail| mail.split("token=").nth(1));
            if let Some(mailed) = mailed {
                let is_of_token = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                let token: String = mailed.chars().take_while(is_of_token).collect();
                let body = serde_json::json!({ "token": token }).to_string();
                let verified = self.post("/api/auth/verify-email", &body).send();
                assert_eq!(verified.status, 200, "{}", verified.text);
                return session;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("no mail to {email}: {}", self.stderr());
    }

    /// Issues a licence of the sample configuration's app; answers its token.
    pub(crate) fn issue_license(&self, token: &str, fingerprint: &str) -> String {
        let device = serde_json::json!({ "fingerprint": fingerprint, "platform": "linux" });
        let body = serde_json::json!({ "appId": "agentyk-engine", "device": device });
        let issued = self
            .post("/api/licenses/issue", &body.to_string())
            .bearer(token)
            .send();
        assert_eq!(issued.status, 201, "{}", issued.text);
        issued.json["license"].as_str().unwrap().to_owned()
    }

    /// Makes a key with those scopes; answers its id and the key itself.
    pub(crate) fn make_key(&self, token: &str, scopes: &[&str]) -> (String, String) {
        let body = serde_json::json!({ "name": "test", "scopes": scopes });
        let made = self
            .post("/api/v1/api-keys", &body.to_string())
            .bearer(token)
            .send();
        assert_eq!(made.status, 201, "{}", made.text);
        (
            made.json["id"].as_str().unwrap().to_owned(),
            made.json["key"].as_str().unwrap().to_owned(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone where a test has stopped it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a server is ready; answers what it has said on stdout before, and its URL. `None` if it has ended instead.
pub(crate) fn until_ready(server: &mut Child) -> Option<(String, String)> {
    let mut output = BufReader::new(server.stdout.take()?);
    let mut first_words = String::new();
    loop {
        let start = first_words.len();
        if output.read_line(&mut first_words).unwrap() == 0 {
            return None;
        }
        let url = first_words[start..]
            .trim_end()
            .strip_prefix("listening on ");
        if let Some(url) = url.map(str::to_owned) {
            first_words.truncate(start);
            return Some((first_words, url));
        }
    }
}

/// The binary with an environment that holds none of its settings.
pub(crate) fn nexa() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexa"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NEXA_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the binary to its end, with `input` on its standard input.
pub(crate) fn run(arguments: &[&str], input: &str) -> Finished {
    run_in(Path::new("."), arguments, input.as_bytes())
}

pub(crate) fn run_in(folder: &Path, arguments: &[&str], input: &[u8]) -> Finished {
    use std::io::Write;
    let mut child = nexa()
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A program that does not read its input closes it: no fault of the test.
    let _ = writer.join().unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) struct Request<'a> {
    server: &'a Server,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Request<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("X-API-Key", key)
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    /// With what its path leaves open.
    pub(crate) fn on_path(mut self, fill: impl FnOnce(&str) -> String) -> Self {
        self.path = fill(&self.path);
        self
    }

    /// The body of a 200.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let answer = ureq::get(format!("{}{}", self.server.url, self.path)).call();
        answer.unwrap().body_mut().read_to_vec().unwrap()
    }

    pub(crate) fn send(self) -> Answer {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build();
        let mut builder = ureq::http::Request::builder()
            .method(self.method.as_str())
            .uri(format!("{}{}", self.server.url, self.path));
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        let agent = ureq::Agent::new_with_config(config);
        let response = match self.body {
            Some(body) => agent.run(builder.body(body).unwrap()),
            None => agent.run(builder.body(()).unwrap()),
        };
        let mut response =
            response.unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path));
        let text = response.body_mut().read_to_string().unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
                .collect(),
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Status and sentence: what most tests of refusals compare.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (
            self.status,
            self.json["error"].as_str().unwrap_or(&self.text),
        )
    }

    /// The names of the members of an object, sorted.
    pub(crate) fn members(&self) -> Vec<&str> {
        members(&self.json)
    }
}

/// The names of the members of an object, sorted.
pub(crate) fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value
        .as_object()
        .map(|object| object.keys().map(String::as_str).collect())
        .unwrap_or_default();
    names.sort_unstable();
    names
}
