//! The client of the benches: connections that stay open, a load that never pauses, and accounts to use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;
use crate::server::Process;

/// The password of every account here.
const PASSWORD: &str = "correct horse";

/// A connection that is kept alive.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// What came back.
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
    /// All of it as it stood on the wire.
    pub bytes: &'a [u8],
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(64 * 1024),
        })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not one.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        const END: &[u8] = b"\r\n\r\n";
        self.stream.write_all(request).await?;
        self.received.clear();
        let head_len = loop {
            self.more().await?;
            let found = self.received.windows(4).rposition(|bytes| bytes == END);
            if let Some(at) = found {
                break at + END.len();
            }
        };
        let head = self.received.get(..head_len).unwrap_or_default();
        let head = std::str::from_utf8(head)?;
        let status = head.get(9..12).ok_or("no status")?.parse()?;
        let (_, length) = head
            .split_once("content-length: ")
            .ok_or("no content-length")?;
        let (length, _) = length.split_once("\r\n").ok_or("no line end")?;
        let end = head_len + length.parse::<usize>()?;
        while self.received.len() < end {
            self.more().await?;
        }
        Ok(Answer {
            status,
            body: self.received.get(head_len..end).unwrap_or_default(),
            bytes: &self.received,
        })
    }

    async fn more(&mut self) -> Result<()> {
        self.received.reserve(16 * 1024);
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }
}

/// Writes the request that belongs to a random number.
pub type Requests = Arc<dyn Fn(u64, &mut Vec<u8>) + Send + Sync>;

/// The same request, always.
pub fn always(request: &str) -> Requests {
    let request = request.to_owned();
    Arc::new(move |_, out| out.extend_from_slice(request.as_bytes()))
}

/// What one round of load measured.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Answers a second.
    pub requests_per_s: f64,
    /// The server's processor time a request, in seconds.
    pub processor_s: f64,
}

/// One round of load: every connection asks again as soon as it is answered, and takes nothing but 200.
///
/// # Errors
/// Any other answer.
pub async fn load(
    process: &Process,
    connections: u64,
    length: Duration,
    requests: &Requests,
) -> Result<Round> {
    let answered = Arc::new(AtomicU64::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..connections {
        let mut connection = Connection::open(process.address()).await?;
        let (answered, is_over) = (Arc::clone(&answered), Arc::clone(&is_over));
        let requests = Arc::clone(requests);
        let mut random = Random::new(number);
        tasks.spawn(async move {
            let mut request = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                request.clear();
                requests(random.draw(), &mut request);
                let answer = connection.ask(&request).await?;
                if answer.status != 200 {
                    return Err(String::from_utf8_lossy(answer.bytes).into());
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Result::Ok(())
        });
    }
    let (started, processor) = (now(), process.processor_time()?);
    tokio::time::sleep(length).await;
    let (elapsed, processor) = (started.elapsed(), process.processor_time()? - processor);
    let requests = answered.load(Ordering::Relaxed) as f64;
    is_over.store(true, Ordering::Relaxed);
    while let Some(finished) = tasks.join_next().await {
        finished??;
    }
    Ok(Round {
        requests_per_s: requests / elapsed.as_secs_f64(),
        processor_s: processor.as_secs_f64() / requests,
    })
}

/// The same numbers in every run (splitmix64).
pub struct Random(u64);

impl Random {
    /// Begins where no other number begins; the clock's part in it is none.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xA076_1D64_78BD_642F))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring time is what a bench is for"
)]
/// The monotonic clock.
pub fn now() -> Instant {
    Instant::now()
}

/// A request as it stands on the wire; with a body it is JSON.
pub fn request(address: &str, line: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{line} HTTP/1.1\r\nHost: {address}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        let length = body.len();
        text.push_str(&format!(
            "Content-Type: application/json\r\nContent-Length: {length}\r\n"
        ));
    }
    text + "\r\n" + body
}

/// Forward authorization of a request that needs the scope `signals`.
pub fn authorize(address: &str, key: &str) -> String {
    let headers = [
        ("X-API-Key", key),
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/api/v1/trading-signals?limit=5"),
    ];
    request(address, "GET /api/authorize", &headers, "")
}

/// Registers a tenant and logs its owner in; answers the access token.
///
/// # Errors
/// Any refusal.
pub fn sign_up(address: &str) -> Result<String> {
    let account =
        serde_json::json!({ "email": "a@example.com", "password": PASSWORD, "tenantName": "A" });
    register(address, &account)?;
    let login = post(address, "/api/auth/login", None, &account)?;
    text(&login, "accessToken")
}

/// Registers a tenant and its owner.
///
/// # Errors
/// Any refusal.
pub fn register(address: &str, account: &Value) -> Result<()> {
    post(address, "/api/auth/register", None, account).map(drop)
}

/// Makes a key; answers its id and the key itself.
///
/// # Errors
/// Any refusal.
pub fn make_key(address: &str, bearer: &str, fields: &Value) -> Result<(String, String)> {
    let made = post(address, "/api/v1/api-keys", Some(bearer), fields)?;
    Ok((text(&made, "id")?, text(&made, "key")?))
}

/// Issues a licence for an app; answers its token.
///
/// # Errors
/// Any refusal.
pub fn issue_license(address: &str, bearer: &str, app: &str) -> Result<String> {
    let device = serde_json::json!({ "fingerprint": "bench", "platform": "linux" });
    let fields = serde_json::json!({ "appId": app, "device": device });
    let issued = post(address, "/api/licenses/issue", Some(bearer), &fields)?;
    text(&issued, "license")
}

/// Gives the caller's tenant a plan, by the operator's key.
///
/// # Errors
/// Any refusal.
pub fn set_plan(address: &str, bearer: &str, operator_key: &str, plan: &str) -> Result<()> {
    let me = ureq::get(format!("http://{address}/api/auth/me"))
        .header("Authorization", format!("Bearer {bearer}"))
        .call()?
        .body_mut()
        .read_to_string()?;
    let me: Value = serde_json::from_str(&me)?;
    let tenant = me.get("tenant").ok_or("nobody's tenant")?;
    let id = text(tenant, "id")?;
    ureq::patch(format!("http://{address}/api/operator/tenants/{id}"))
        .header("X-API-Key", operator_key)
        .header("Content-Type", "application/json")
        .send(&serde_json::json!({ "plan": plan }).to_string())?;
    Ok(())
}

/// A member of an answer that is text.
///
/// # Errors
/// When there is none of that name.
pub fn text(answer: &Value, name: &str) -> Result<String> {
    let member = answer.get(name).and_then(Value::as_str);
    Ok(member.ok_or("an answer without the member")?.to_owned())
}

fn post(address: &str, path: &str, bearer: Option<&str>, body: &Value) -> Result<Value> {
    let mut request =
        ureq::post(format!("http://{address}{path}")).header("Content-Type", "application/json");
    if let Some(token) = bearer {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let mut answer = request.send(&body.to_string())?;
    Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
}
