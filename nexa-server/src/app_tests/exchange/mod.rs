//! Identity tokens of a local issuer for access tokens of ours.

mod grants;
mod keys;
mod tokens;

use nexa_core::ScopeSet;

use super::*;
use crate::domain::trust::{Algorithm, NotBefore, SubjectPattern, SubjectRule, TrustedIssuer};
use crate::outbound::jwks::Source;
use crate::store::tenants::{self, Tenant};
use crate::store::users::{self, User};
use crate::store::{MIGRATIONS, Store, StoreError};
use crate::testing::issuer::{Issuer, SigningKey};

const TENANT: &str = "0199aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa";
const OWNER: &str = "0199bbbb-bbbb-7bbb-8bbb-bbbbbbbbbbbb";
const AUDIENCE: &str = "https://nexa.example";
/// May have everything.
const RELEASE: &str = "repo:acme/app:environment:release";
/// May have two scopes.
const BRANCH: &str = "repo:acme/app:ref:refs/heads/main";
const START_S: i64 = START.ms() / 1_000;
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// A tenant with an owner, and an issuer that is trusted for it.
struct World {
    fixture: Fixture,
    issuer: Issuer,
    store: Store,
}

impl World {
    fn new(keys: &[&SigningKey]) -> Self {
        Self::with(keys, |_| {})
    }

    fn with(keys: &[&SigningKey], change: impl FnOnce(&mut TrustedIssuer)) -> Self {
        let issuer = Issuer::start(keys);
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), MIGRATIONS).unwrap();
        let mut trusted = trusted(&issuer);
        change(&mut trusted);
        let (app, mailer) = app(&store, vec![(trusted, source(&issuer))]);
        let fixture = Fixture {
            app,
            mailer,
            rng: SeededRng::new(9),
            now: START,
            folder,
        };
        store.write(add_tenant).unwrap();
        Self {
            fixture,
            issuer,
            store,
        }
    }

    /// Claims that hold, about that subject.
    fn claims(&self, subject: &str) -> Value {
        let now = self.fixture.now.ms() / 1_000;
        json!({
            "iss": self.issuer.url, "sub": subject, "aud": AUDIENCE, "jti": "a",
            "iat": now - 5, "nbf": now - 5, "exp": now + 300,
        })
    }

    /// The server started again with other trusted issuers.
    fn restart(&mut self, trusted: Vec<TrustedIssuer>) {
        let trusted = trusted.into_iter();
        let trusted = trusted
            .map(|issuer| (issuer, source(&self.issuer)))
            .collect();
        self.fixture.app = app(&self.store, trusted).0;
    }

    fn ask(&mut self, parameters: &Value) -> (u16, Value) {
        let sent = ("POST", "/v1/account/token");
        self.fixture.send(sent.0, sent.1, "", parameters)
    }

    fn exchange(&mut self, token: &str) -> (u16, Value) {
        self.ask(&request(token))
    }

    /// The description of a refusal with 400 and `invalid_request`.
    fn refusal(&mut self, token: &str) -> String {
        let (status, answer) = self.exchange(token);
        assert_eq!(
            (status, &answer["error"]),
            (400, &json!("invalid_request")),
            "{answer}"
        );
        answer["error_description"].as_str().unwrap().to_owned()
    }

    /// An access token for an identity token.
    fn access(&mut self, token: &str) -> String {
        let (status, answer) = self.exchange(token);
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    fn status_of_me(&mut self, access: &str) -> u16 {
        self.fixture
            .send("GET", "/api/auth/me", access, &Value::Null)
            .0
    }
}

fn request(token: &str) -> Value {
    json!({ "grant_type": GRANT, "subject_token": token, "subject_token_type": JWT })
}

fn app(
    store: &Store,
    trusted_issuers: Vec<(TrustedIssuer, Source)>,
) -> (App, Arc<RecordingMailer>) {
    testing::app_on(store.clone(), |config| {
        config.trusted_issuers = trusted_issuers;
        config.allowances.login_per_address_an_hour = 10_000.try_into().unwrap();
    })
}

fn source(issuer: &Issuer) -> Source {
    Source::url(&format!("{}/keys", issuer.url)).unwrap()
}

fn trusted(issuer: &Issuer) -> TrustedIssuer {
    let rule = |pattern: &str, scopes: &[&str]| SubjectRule {
        pattern: SubjectPattern::parse(pattern).unwrap(),
        tenant_id: TENANT.to_owned(),
        scopes: ScopeSet::parse(scopes).unwrap(),
    };
    TrustedIssuer {
        issuer: issuer.url.clone(),
        audience: AUDIENCE.to_owned(),
        algorithms: Algorithm::ALL.to_vec(),
        leeway_s: 0,
        max_age_s: 3_600,
        not_before: NotBefore::Required,
        subjects: vec![
            rule(RELEASE, &["full_access"]),
            rule("repo:acme/app:*", &["signals", "agents"]),
        ],
    }
}

fn add_tenant(tx: &crate::store::Tx<'_>) -> Result<(), StoreError> {
    let tenant = Tenant {
        id: TENANT.to_owned(),
        name: "Acme".to_owned(),
        kind: "workspace".to_owned(),
        created_at: START,
    };
    tenants::insert(tx, &tenant)?;
    users::insert(tx, &owner(OWNER, 0))
}

fn owner(id: &str, later_s: i64) -> User {
    User {
        id: id.to_owned(),
        tenant_id: TENANT.to_owned(),
        email: None,
        email_given: None,
        email_verified_at: None,
        password_hash: None,
        role: "owner".to_owned(),
        session_version: 1,
        created_at: START.plus_seconds(later_s),
        is_active: true,
    }
}

const UNTRUSTED: &str = "subject_token: not trusted here, by its issuer, audience, subject, key or signature; the \
                         server's log says which. New keys of an issuer are read once a minute";
