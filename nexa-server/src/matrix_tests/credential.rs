//! Credentials, and what has happened to them.

use std::sync::Mutex;

use serde_json::Value;

use super::world::World;
use crate::domain::principal::Role;
use crate::http::websocket::Feed;

/// What a caller presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nobody,
    /// An access token of a session.
    Session,
    /// An access token that an agent got for its secret.
    Secret,
    /// The same for the scope `signals` and nothing else.
    Narrow,
    /// A key with `full_access`.
    Full,
    /// A key with one scope.
    Scoped,
    /// A key with `full_access` of the test environment.
    Test,
    /// The operator's key.
    Operator,
    /// A licence token.
    License,
    /// What looks like a key and is none.
    Text,
    /// What looks like an access token and is none.
    Token,
}

/// What has happened since the credential was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Active,
    KeyDisabled,
    KeyExpired,
    KeyDeleted,
    KeyRotated,
    OwnerDisabled,
    /// Its owner may do less than when it was made.
    OwnerDemoted,
    TenantDisabled,
    TenantErased,
    SessionEnded,
    SecretRotated,
    LicenseRevoked,
}

pub(super) const STATES: [State; 12] = [
    State::Active,
    State::KeyDisabled,
    State::KeyExpired,
    State::KeyDeleted,
    State::KeyRotated,
    State::OwnerDisabled,
    State::OwnerDemoted,
    State::TenantDisabled,
    State::TenantErased,
    State::SessionEnded,
    State::SecretRotated,
    State::LicenseRevoked,
];

/// One credential with its history.
pub(super) struct Credential {
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) role: Role,
    /// Whether it was used before anything happened, so that memory knew it.
    pub(super) is_warm: bool,
    text: Mutex<String>,
    /// What a client that sends it by HTTP Basic calls itself: the id of a key, or the key of an agent.
    pub(super) client_id: String,
    /// Of a WebSocket that was opened before anything happened.
    feed: Mutex<Option<Feed>>,
}

impl Credential {
    pub(super) fn new(
        kind: Kind,
        state: State,
        role: Role,
        is_warm: bool,
        (client_id, text): (&str, &str),
    ) -> Self {
        Self {
            kind,
            state,
            role,
            is_warm,
            text: Mutex::new(text.to_owned()),
            client_id: client_id.to_owned(),
            feed: Mutex::new(None),
        }
    }

    /// Opens a WebSocket, if it may.
    pub(super) fn listen(&self, world: &World) {
        *self.feed.lock().unwrap() = world.listen(&self.text());
    }

    pub(super) fn take_feed(&self) -> Option<Feed> {
        self.feed.lock().unwrap().take()
    }

    /// Goes on with a token of the new secret, where the answer is one.
    pub(super) fn learn(&self, world: &World, answer: &Value) {
        if let (Kind::Secret, Some(secret)) = (self.kind, answer["api_secret"].as_str()) {
            *self.text.lock().unwrap() = world.exchange(&self.client_id, secret, None);
        }
    }

    pub(super) fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Whether it has survived what happened.
    pub(super) fn stands(&self) -> bool {
        match self.kind {
            Kind::Nobody | Kind::Text | Kind::Token => false,
            Kind::Session => match self.state {
                State::OwnerDisabled
                | State::TenantDisabled
                | State::TenantErased
                | State::SessionEnded => false,
                State::Active
                | State::KeyDisabled
                | State::KeyExpired
                | State::KeyDeleted
                | State::KeyRotated
                | State::OwnerDemoted
                | State::SecretRotated
                | State::LicenseRevoked => true,
            },
            // It stands with the agent's key, with the value that the key had, and with its secret.
            Kind::Secret | Kind::Narrow => match self.state {
                State::KeyDisabled
                | State::KeyExpired
                | State::KeyDeleted
                | State::KeyRotated
                | State::OwnerDisabled
                | State::TenantDisabled
                | State::TenantErased
                | State::SecretRotated => false,
                State::Active
                | State::OwnerDemoted
                | State::SessionEnded
                | State::LicenseRevoked => true,
            },
            Kind::Full | Kind::Scoped | Kind::Test => match self.state {
                State::KeyDisabled
                | State::KeyExpired
                | State::KeyDeleted
                | State::KeyRotated
                | State::OwnerDisabled
                | State::TenantDisabled
                | State::TenantErased => false,
                State::Active
                | State::OwnerDemoted
                | State::SessionEnded
                | State::SecretRotated
                | State::LicenseRevoked => true,
            },
            // It is the tenant's, whatever becomes of its user.
            Kind::License => match self.state {
                State::LicenseRevoked
                | State::OwnerDisabled
                | State::TenantDisabled
                | State::TenantErased => false,
                State::Active
                | State::KeyDisabled
                | State::KeyExpired
                | State::KeyDeleted
                | State::KeyRotated
                | State::OwnerDemoted
                | State::SessionEnded
                | State::SecretRotated => true,
            },
            Kind::Operator => self.state != State::KeyDeleted,
        }
    }
}

impl Credential {
    /// What its user may do now.
    pub(super) fn role_now(&self) -> Role {
        match (self.kind, self.state) {
            // The one user of an agent stays its owner.
            (Kind::Secret | Kind::Narrow, _) => Role::Owner,
            (_, State::OwnerDemoted) => Role::Member,
            (_, _) => self.role,
        }
    }

    /// Whether it may do less than it says, because its owner may.
    pub(super) fn is_cut(&self) -> bool {
        self.kind == Kind::Scoped && self.state == State::OwnerDemoted && self.role != Role::Member
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let warmth = if self.is_warm { "warm" } else { "cold" };
        write!(
            f,
            "{warmth} {:?} of {:?}, {:?}",
            self.kind, self.role, self.state
        )
    }
}
