//! Everything that can happen to a credential, done to tenants by the routes that do it.

use hyper::Method;
use serde_json::{Value, json};

use super::credential::{Credential, Kind, STATES, State};
use super::world::{MISSING, OWNERS_SCOPE, Person, START, Workspace, World, json_request, string};
use crate::domain::principal::Role;

impl World {
    /// A world with every kind of credential in every state.
    pub(super) fn with_credentials() -> (Self, Vec<Credential>) {
        let mut world = Self::new();
        let mut credentials = Vec::new();
        world.add_strangers(&mut credentials);
        for state in STATES {
            for is_warm in [false, true] {
                world.add_workspace(state, is_warm, &mut credentials);
                for agent in [(Kind::Secret, None), (Kind::Narrow, Some("signals"))] {
                    credentials.push(world.agent(state, is_warm, agent));
                }
            }
        }
        // Keys that end by themselves have ended; sessions last longer.
        world.pass_time(120);
        (world, credentials)
    }

    /// Those who never had a credential, and the operator.
    fn add_strangers(&self, credentials: &mut Vec<Credential>) {
        let token = "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl";
        let key = "nex_0123456789ABCDEFGHIJKLMNOPQRSTUV";
        for (kind, text) in [(Kind::Nobody, ""), (Kind::Text, key), (Kind::Token, token)] {
            let stranger = (MISSING, text);
            credentials.push(Credential::new(
                kind,
                State::Active,
                Role::Member,
                false,
                stranger,
            ));
        }
        for is_warm in [false, true] {
            for state in [State::Active, State::KeyDeleted] {
                let (id, key) = self.make_operator_key();
                if is_warm {
                    self.call(Method::GET, "/api/operator/keys", &key, &Value::Null);
                }
                if state == State::KeyDeleted {
                    let path = format!("/api/operator/keys/{id}");
                    self.call(Method::DELETE, &path, self.operator_key(), &Value::Null);
                }
                let operator = (id.as_str(), key.as_str());
                credentials.push(Credential::new(
                    Kind::Operator,
                    state,
                    Role::Owner,
                    is_warm,
                    operator,
                ));
            }
        }
    }

    /// A tenant with a session and keys of each role, and then what happens to them.
    fn add_workspace(&self, state: State, is_warm: bool, credentials: &mut Vec<Credential>) {
        let Workspace {
            tenant_id,
            people,
            keeper,
        } = self.add_people();
        for person in &people {
            let session = (MISSING, person.session.as_str());
            let mut made = vec![Credential::new(
                Kind::Session,
                state,
                person.role,
                is_warm,
                session,
            )];
            let mut key_ids = Vec::new();
            // What members may not hand on, so that a demotion cuts it.
            let is_to_be_cut = state == State::OwnerDemoted && person.role != Role::Member;
            let scope = if is_to_be_cut {
                OWNERS_SCOPE
            } else {
                "signals"
            };
            for (kind, scopes, environment) in [
                (Kind::Full, "full_access", "live"),
                (Kind::Scoped, scope, "live"),
                (Kind::Test, "full_access", "test"),
            ] {
                let fields = json!({ "name": "k", "scopes": [scopes], "environment": environment });
                let (id, key) = self.make_key(&person.session, &fields);
                made.push(Credential::new(
                    kind,
                    state,
                    person.role,
                    is_warm,
                    (&id, &key),
                ));
                key_ids.push(id);
            }
            if is_warm {
                made.iter().for_each(|credential| self.warm(credential));
            }
            made.iter().for_each(|credential| credential.listen(self));
            if person.role == Role::Owner {
                made.push(self.license(state, is_warm, person));
            }
            for id in key_ids {
                self.happen_to_key(state, &id, &person.session);
            }
            self.happen_to_user(state, &person.id);
            self.happen_to_person(state, person, &keeper);
            credentials.append(&mut made);
        }
        self.happen_to_tenant(state, &tenant_id);
    }

    /// A licence that the person has issued, and then what happens to it. Memory knows of none.
    fn license(&self, state: State, is_warm: bool, person: &Person) -> Credential {
        let device = json!({ "fingerprint": "f", "platform": "linux" });
        let fields = json!({ "appId": "agentyk-engine", "device": device });
        let path = "/api/licenses/issue";
        let issued = self.call(Method::POST, path, &person.session, &fields);
        if state == State::LicenseRevoked {
            let listed = self.call(Method::GET, "/api/licenses", &person.session, &Value::Null);
            let path = format!("/api/licenses/{}/revoke", string(&listed[0]["jti"]));
            self.call(Method::POST, &path, &person.session, &json!({}));
        }
        let token = string(&issued["license"]);
        Credential::new(
            Kind::License,
            state,
            person.role,
            is_warm,
            (MISSING, &token),
        )
    }

    /// An agent with a token of its secret, narrowed to a scope or not, and then what happens to it.
    fn agent(
        &self,
        state: State,
        is_warm: bool,
        (kind, scope): (Kind, Option<&str>),
    ) -> Credential {
        let body = r#"{"name":"Agent"}"#;
        let (status, agent) = self.ask(json_request(Method::POST, "/v1/account/register", body));
        assert_eq!(status, 201, "{agent}");
        let (key, secret) = (string(&agent["api_key"]), string(&agent["api_secret"]));
        let me = self.call(Method::GET, "/api/auth/me", &key, &Value::Null);
        let listed = self.call(Method::GET, "/api/v1/api-keys", &key, &Value::Null);
        let token = self.exchange(&key, &secret, scope);
        let mut made = Credential::new(kind, state, Role::Owner, is_warm, (&key, &token));
        if is_warm {
            self.warm(&made);
        }
        made.listen(self);
        if state == State::SecretRotated {
            self.call(
                Method::POST,
                "/v1/account/rotate-secret",
                &key,
                &Value::Null,
            );
        }
        if let Some(key) = self.happen_to_key(state, &string(&listed[0]["id"]), &key) {
            made.client_id = key;
        }
        // The one user of an agent stays its owner, and has no sessions.
        self.happen_to_user(state, &string(&me["user"]["id"]));
        self.happen_to_tenant(state, &string(&me["tenant"]["id"]));
        made
    }

    /// An access token for an agent's key and secret.
    pub(super) fn exchange(&self, api_key: &str, api_secret: &str, scope: Option<&str>) -> String {
        let body = json!({
            "grant_type": "client_credentials", "client_id": api_key, "client_secret": api_secret, "scope": scope,
        });
        let request = json_request(Method::POST, "/v1/account/token", &body.to_string());
        let (status, answer) = self.ask(request);
        assert_eq!(status, 200, "{answer}");
        string(&answer["access_token"])
    }

    fn disable(&self, what: &str, id: &str) {
        let path = format!("/api/operator/{what}/{id}");
        self.call(
            Method::PATCH,
            &path,
            self.operator_key(),
            &json!({ "enabled": false }),
        );
    }

    fn warm(&self, credential: &Credential) {
        let mut request = json_request(Method::GET, "/api/auth/me", "");
        request
            .headers_mut()
            .insert("x-api-key", credential.text().parse().unwrap());
        let (status, answer) = self.ask(request);
        assert!(matches!(status, 200 | 403), "{credential:?}: {answer}");
    }

    /// Answers the value that takes the place of the key's, if there is one.
    fn happen_to_key(&self, state: State, id: &str, session: &str) -> Option<String> {
        let path = format!("/api/v1/api-keys/{id}");
        let change = |fields: Value| self.call(Method::PATCH, &path, session, &fields);
        match state {
            State::KeyDisabled => {
                change(json!({ "enabled": false }));
            }
            State::KeyExpired => {
                change(json!({ "expiresAt": START.plus_seconds(60).to_rfc3339() }));
            }
            State::KeyDeleted => {
                self.call(Method::DELETE, &path, session, &Value::Null);
            }
            State::KeyRotated => {
                let path = format!("{path}/rotate");
                let rotated = self.call(Method::POST, &path, session, &json!({}));
                return Some(string(&rotated["key"]));
            }
            State::Active
            | State::OwnerDisabled
            | State::OwnerDemoted
            | State::TenantDisabled
            | State::TenantErased
            | State::SessionEnded
            | State::SecretRotated
            | State::LicenseRevoked => {}
        }
        None
    }

    fn happen_to_user(&self, state: State, id: &str) {
        match state {
            State::OwnerDisabled => self.disable("users", id),
            State::Active
            | State::KeyDisabled
            | State::KeyExpired
            | State::KeyDeleted
            | State::KeyRotated
            | State::OwnerDemoted
            | State::TenantDisabled
            | State::TenantErased
            | State::SessionEnded
            | State::SecretRotated
            | State::LicenseRevoked => {}
        }
    }

    /// What another owner does to a user, and what the user does to itself.
    fn happen_to_person(&self, state: State, person: &Person, keeper: &Person) {
        match state {
            State::OwnerDemoted => {
                let path = format!("/api/team/members/{}", person.id);
                let role = json!({ "role": "member" });
                self.call(Method::PATCH, &path, &keeper.session, &role);
            }
            State::SessionEnded => {
                let path = "/api/auth/sessions";
                let sessions = self.call(Method::GET, path, &person.session, &Value::Null);
                assert_eq!(sessions[0]["current"], true);
                let path = format!("{path}/{}", string(&sessions[0]["id"]));
                self.call(Method::DELETE, &path, &person.session, &Value::Null);
            }
            State::Active
            | State::KeyDisabled
            | State::KeyExpired
            | State::KeyDeleted
            | State::KeyRotated
            | State::OwnerDisabled
            | State::TenantDisabled
            | State::TenantErased
            | State::SecretRotated
            | State::LicenseRevoked => {}
        }
    }

    fn happen_to_tenant(&self, state: State, id: &str) {
        match state {
            State::TenantDisabled => self.disable("tenants", id),
            State::TenantErased => {
                let path = format!("/api/operator/tenants/{id}");
                self.call(Method::DELETE, &path, self.operator_key(), &Value::Null);
            }
            State::Active
            | State::KeyDisabled
            | State::KeyExpired
            | State::KeyDeleted
            | State::KeyRotated
            | State::OwnerDisabled
            | State::OwnerDemoted
            | State::SessionEnded
            | State::SecretRotated
            | State::LicenseRevoked => {}
        }
    }
}
