//! A server in process, and people who call it.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request, Response};
use nexa_core::{Requirement, Scope, ScopeSet, uuid_v7};
use serde_json::Value;

use crate::app::{App, Call, Trail};
use crate::domain::audit::Origin;
use crate::domain::keys::Environments;
use crate::domain::operators::{self, NewOperatorKey};
use crate::domain::principal::{Principal, Role};
use crate::domain::rules::{Demand, Rule};
use crate::domain::sessions::{self, Device};
use crate::http::Outcome;
use crate::http::websocket::Feed;
use crate::outbound::payments::{ApiKey, MollieSettings};
use crate::store::StoreError;
use crate::store::agents::{self, Agent};
use crate::store::tenants::{self, Tenant};
use crate::store::users::{self, User};
use crate::testing::{self, SeededRng};
use crate::time::UnixMillis;

/// The id of nothing.
pub(super) const MISSING: &str = "018f0000-0000-7000-8000-000000000000";

/// What gateways ask about: it needs any of two scopes.
pub(super) const ASKED: &str = "/asked";
/// One of the two, which keys of members may not have.
pub(super) const OWNERS_SCOPE: &str = "history";

pub(super) const START: UnixMillis = UnixMillis::from_ms(1_800_000_000_000);
const ROLES: [Role; 3] = [Role::Owner, Role::Admin, Role::Member];

/// The server and its people.
pub(super) struct World {
    app: App,
    now: UnixMillis,
    calls: AtomicU32,
    operator_key: String,
    _folder: tempfile::TempDir,
}

/// A tenant with its people.
pub(super) struct Workspace {
    pub(super) tenant_id: String,
    pub(super) people: [Person; 3],
    /// An owner to whom nothing happens.
    pub(super) keeper: Person,
}

/// A user with an open session.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) tenant_id: String,
    pub(super) role: Role,
    pub(super) session: String,
}

impl World {
    /// Without tenants.
    pub(super) fn new() -> Self {
        let (app, folder) = testing::app(|config| {
            // Callers are refused far more often here than anybody may be.
            config.allowances.login_per_address_an_hour = NonZeroU32::MAX;
            config.allowances.login_per_account_an_hour = NonZeroU32::MAX;
            config.allowances.mail_per_account_an_hour = NonZeroU32::MAX;
            // Nobody listens there, and no empty request comes so far.
            let key = ApiKey::parse("test_abcdefghijklmnopqrstuvwxyz0123").unwrap();
            let mollie = MollieSettings::new(key, "http://127.0.0.1:1");
            config.payments = Some(mollie.unwrap());
            for path in ["/", ASKED] {
                config.rules.push(any_of_two_scopes(path));
            }
            let known = config.key_policy.known.iter().map(Scope::as_str);
            let members = known.filter(|scope| *scope != OWNERS_SCOPE);
            config.key_policy.member = ScopeSet::parse(members).unwrap();
        });
        let world = Self {
            app,
            now: START,
            calls: AtomicU32::new(0),
            operator_key: String::new(),
            _folder: folder,
        };
        let operator_key = world.make_operator_key().1;
        Self {
            operator_key,
            ..world
        }
    }

    /// As the shell does: from memory, and where that does not know, with the store. Every call comes from an address
    /// of its own, because limits by address are not what is asked here.
    pub(super) fn respond(&self, request: Request<Bytes>) -> Response<Bytes> {
        testing::whole(self.handle(request)).expect("it is answered where it may block")
    }

    fn handle(&self, request: Request<Bytes>) -> Outcome {
        let (head, body) = request.into_parts();
        let number = self.number();
        let [_, b, c, d] = number.to_be_bytes();
        let mut rng = SeededRng::new(u64::from(number) + 1_000);
        let mut call = |may_block| {
            let peer = IpAddr::from([10, b, c, d]);
            let call = Call {
                now: self.now,
                rng: &mut rng,
                peer,
                may_block,
            };
            self.app.handle(call, &mut Trail::default(), &head, &body)
        };
        match call(false) {
            Outcome::Miss => call(true),
            answered @ (Outcome::Reply(_) | Outcome::Stream(_) | Outcome::Upgrade(_)) => answered,
        }
    }

    /// What a WebSocket is told whose credential that is, if it gets one.
    pub(super) fn listen(&self, credential: &str) -> Option<Feed> {
        let path = format!("/api/ws/chat?token={credential}");
        let mut request = Request::get(path).body(Bytes::new()).unwrap();
        ask_for_websocket(request.headers_mut());
        match self.handle(request) {
            Outcome::Upgrade(response) => Some(response.into_body()),
            Outcome::Reply(_) | Outcome::Stream(_) | Outcome::Miss => None,
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now.ms()
    }

    /// Status and body of what the app answers.
    pub(super) fn ask(&self, request: Request<Bytes>) -> (u16, Value) {
        let response = self.respond(request);
        let json = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        (response.status().as_u16(), json)
    }

    /// A request with a key or an access token, which is to succeed.
    pub(super) fn call(&self, method: Method, path: &str, credential: &str, body: &Value) -> Value {
        let mut request = json_request(method, path, &body.to_string());
        let bearer = format!("Bearer {credential}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let (status, answer) = self.ask(request);
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// A tenant with a user of each role, who are logged in.
    pub(super) fn add_people(&self) -> Workspace {
        let tenant = Tenant {
            id: uuid_v7(self.now.unsigned_ms(), &mut self.rng()),
            name: "Tenant".to_owned(),
            kind: "workspace".to_owned(),
            created_at: self.now,
        };
        let tenant_id = tenant.id.clone();
        let store = &self.app.services().store;
        let added = store.write(move |tx| tenants::insert(tx, &tenant));
        added.unwrap_or_else(|error: StoreError| panic!("{error}"));
        Workspace {
            people: ROLES.map(|role| self.add_person(&tenant_id, role)),
            keeper: self.add_person(&tenant_id, Role::Owner),
            tenant_id,
        }
    }

    /// A user of the tenant, who is logged in.
    pub(super) fn add_person(&self, tenant_id: &str, role: Role) -> Person {
        let now = self.now;
        let user = User {
            id: uuid_v7(now.unsigned_ms(), &mut self.rng()),
            tenant_id: tenant_id.to_owned(),
            email: None,
            email_given: None,
            email_verified_at: None,
            password_hash: None,
            role: role.as_str().to_owned(),
            session_version: 1,
            created_at: now,
            is_active: true,
        };
        let id = user.id.clone();
        let store = &self.app.services().store;
        let added = store.write(move |tx| users::insert(tx, &user));
        added.unwrap_or_else(|error: StoreError| panic!("{error}"));
        Person {
            session: self.open_session(&id),
            tenant_id: tenant_id.to_owned(),
            id,
            role,
        }
    }

    /// An access token of a new session.
    /// Has the tenant's events delivered, as those of an agent are.
    pub(super) fn add_receiver(&self, tenant_id: &str) {
        let agent = Agent {
            tenant_id: tenant_id.to_owned(),
            contact_email: None,
            webhook_url: Some("https://receiver.example/".to_owned()),
            webhook_gone_at: None,
            description: None,
            referral_code: None,
            referral_agent: "openAgent".to_owned(),
            secret_digest: [0; 32],
            secret_version: 1,
        };
        let store = &self.app.services().store;
        let added = store.write(move |tx| match agents::find(tx, &agent.tenant_id)? {
            Some(_) => Ok(()),
            None => agents::insert(tx, &agent),
        });
        added.unwrap();
    }

    pub(super) fn open_session(&self, user_id: &str) -> String {
        let (now, store) = (self.now, &self.app.services().store);
        let user = store.read(|tx| users::find(tx, user_id)).unwrap().unwrap();
        let issuing = &self.app.services().ring.issuing();
        let device = Device::new(None, None);
        let draft = sessions::draft(now, &mut self.rng(), issuing, &user, device).unwrap();
        let token = draft.opened.access.token.clone();
        let opened = store.write(move |tx| sessions::open(tx, now, &machine(), &draft));
        opened.unwrap();
        token
    }

    pub(super) fn make_key(&self, session: &str, fields: &Value) -> (String, String) {
        let made = self.call(Method::POST, "/api/v1/api-keys", session, fields);
        (string(&made["id"]), string(&made["key"]))
    }

    /// The id of a new operator key, and the key.
    pub(super) fn make_operator_key(&self) -> (String, String) {
        let now = self.now;
        let NewOperatorKey { plain, row } = NewOperatorKey::new(now, &mut self.rng());
        let (id, digest, origin) = (row.id.clone(), plain.digest(), machine());
        let store = &self.app.services().store;
        let made = store.write(move |tx| operators::create(tx, now, &origin, &row, &digest));
        made.unwrap();
        (id, plain.expose().to_owned())
    }

    pub(super) fn operator_key(&self) -> &str {
        &self.operator_key
    }

    pub(super) fn pass_time(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
    }

    /// One that has not been given before.
    pub(super) fn number(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    fn rng(&self) -> SeededRng {
        SeededRng::new(u64::from(self.number()))
    }
}

pub(super) fn json_request(method: Method, path: &str, body: &str) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json");
    request
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap()
}

/// Has the request ask for a WebSocket.
pub(super) fn ask_for_websocket(headers: &mut HeaderMap) {
    for (name, value) in [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
}

pub(super) fn string(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no string"))
        .to_owned()
}

fn machine() -> Origin {
    Origin {
        principal: Principal::Machine,
        address: None,
    }
}

fn any_of_two_scopes(path: &str) -> Rule {
    let scope = |name| Requirement::Scope(Scope::parse(name).unwrap());
    Rule {
        methods: Vec::new(),
        path: path.to_owned(),
        demand: Demand::Key {
            requirement: Requirement::Any(vec![scope("signals"), scope(OWNERS_SCOPE)]),
            environments: Environments::Live,
        },
    }
}
