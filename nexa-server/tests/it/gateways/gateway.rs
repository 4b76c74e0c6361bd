//! A real gateway, started with its file out of `examples/gateways` in which only ports are changed.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use super::Call;

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Nginx,
    Caddy,
    Traefik,
    Envoy,
}

pub(super) const ALL: [Kind; 4] = [Kind::Nginx, Kind::Caddy, Kind::Traefik, Kind::Envoy];

pub(super) struct Gateway {
    child: Child,
    pub(super) port: u16,
    // Outlives the child, which has its files there.
    _folder: tempfile::TempDir,
}

impl Gateway {
    pub(super) fn start(kind: Kind, nexa_url: &str, api_port: u16) -> Self {
        let nexa_port = nexa_url.rsplit(':').next().unwrap();
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| {
            let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/gateways");
            let text = fs::read_to_string(examples.join(name)).unwrap();
            let text = replaced(&text, "8000", &port.to_string());
            let text = replaced(&text, "8080", nexa_port);
            let text = replaced(&text, "9000", &api_port.to_string());
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            file.display().to_string()
        };
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            file.display().to_string()
        };
        let (program, arguments) = match kind {
            Kind::Nginx => {
                let site = place("nginx.conf");
                // What Debian's nginx.conf has around the files of conf.d, less its logs and its workers.
                let around = format!(
                    "daemon off; master_process off; pid nginx.pid; error_log stderr warn; events {{}} http {{ access_log off; \
                     client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s; \
                     include {site}; }}"
                );
                let conf = write("around.conf", &around);
                let prefix = folder.path().display().to_string();
                (
                    "nginx",
                    vec![
                        "-e".to_owned(),
                        "stderr".to_owned(),
                        "-p".to_owned(),
                        prefix,
                        "-c".to_owned(),
                        conf,
                    ],
                )
            }
            Kind::Caddy => {
                let site = place("Caddyfile");
                let around = format!("{{\n\tadmin off\n}}\nimport {site}\n");
                let conf = write("Around", &around);
                (
                    "caddy",
                    ["run", "--adapter", "caddyfile", "--config", &conf]
                        .map(str::to_owned)
                        .to_vec(),
                )
            }
            Kind::Traefik => {
                place("traefik-api.yml");
                (
                    "traefik",
                    vec!["--configfile".to_owned(), place("traefik.yml")],
                )
            }
            Kind::Envoy => {
                let conf = place("envoy.yaml");
                (
                    "envoy",
                    [
                        "-c",
                        &conf,
                        "--disable-hot-restart",
                        "--concurrency",
                        "1",
                        "-l",
                        "warn",
                    ]
                    .map(str::to_owned)
                    .to_vec(),
                )
            }
        };
        let log = folder.path().join("log");
        let child = Command::new(program)
            .args(&arguments)
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log).unwrap())
            .stderr(fs::File::options().append(true).open(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program} cannot be started ({error}); .ci/gateways installs it")
            });
        let mut gateway = Self {
            child,
            port,
            _folder: folder,
        };
        for _ in 0..600 {
            // Before it has read its routes, Traefik listens and answers 404.
            let is_up = TcpStream::connect(("127.0.0.1", port)).is_ok();
            if is_up && Call::get("/").send(port).status == 401 {
                return gateway;
            }
            let ended = gateway.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{program} ended: {}",
                fs::read_to_string(&log).unwrap()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "{program} does not come up: {}",
            fs::read_to_string(&log).unwrap()
        );
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Gone already where it ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text with another port, where one stands.
fn replaced(text: &str, port: &str, by: &str) -> String {
    text.replace(&format!(":{port}"), &format!(":{by}"))
        .replace(&format!("port_value: {port}"), &format!("port_value: {by}"))
}

/// A port below those that outgoing connections are given, so that none of them takes it before the gateway does.
fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let ports = || first + TRIED.fetch_add(1, Ordering::Relaxed) % 2_000;
    let is_free = |port: &u16| TcpListener::bind(("0.0.0.0", *port)).is_ok();
    std::iter::repeat_with(ports).find(is_free).unwrap()
}
