//! Keys on the wire of `/api/v1/api-keys`.

use nexa_core::PlainKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::super::wire::present;
use crate::domain::key_usage::RateLimit;
use crate::domain::keys::Environment;
use crate::store::api_keys::ApiKey;
use crate::time::UnixMillis;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyCreation {
    pub(super) name: String,
    /// At least one; `full_access` covers all.
    pub(super) scopes: Vec<String>,
    /// Without it, the key lasts until it is deleted.
    #[serde(default)]
    pub(super) expires_at: Option<UnixMillis>,
    /// Without it, only the server's own limits hold.
    #[serde(default)]
    pub(super) rate_limit: Option<RateLimitShape>,
    /// How often the key may still be used; without it, any number of times.
    #[serde(default)]
    pub(super) remaining: Option<u64>,
    /// Addresses or CIDR blocks that the key may be used from, 1 to 100; without it, any.
    #[serde(default)]
    pub(super) allowed_ips: Option<Vec<String>>,
    /// `live` without it.
    #[serde(default)]
    pub(super) environment: Option<EnvironmentName>,
    /// Anything that helps the key's owner, at most 4,096 bytes. Numbers are kept as IEEE 754 doubles; the order of
    /// members is not kept.
    #[serde(default)]
    pub(super) metadata: Option<Map<String, Value>>,
    /// `true` without it.
    #[serde(default)]
    pub(super) enabled: Option<bool>,
}

/// What is to change; a member that is not there stays as it is, `null` takes a limit away.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyChange {
    #[serde(default, deserialize_with = "present")]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) scopes: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) expires_at: Option<Option<UnixMillis>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) rate_limit: Option<Option<RateLimitShape>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) remaining: Option<Option<u64>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) allowed_ips: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) metadata: Option<Option<Map<String, Value>>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) enabled: Option<bool>,
    /// Refused: a key stays in the environment it was made for.
    #[serde(default, deserialize_with = "present")]
    pub(super) environment: Option<EnvironmentName>,
}

/// A counted window: it begins with the first call, and the next one begins anew.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RateLimitShape {
    /// Calls in a window, at least 1.
    limit: u32,
    /// 1 to 2678400, which is 31 days.
    window_seconds: u32,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EnvironmentName {
    Live,
    Test,
}

/// A key with its value, which is shown this once.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatedKey {
    id: String,
    name: String,
    /// The key itself.
    key: String,
    /// What the key begins with: its format's prefix and four characters, as `nex_a1b2` or `sk_live_a1b2`.
    prefix: String,
    scopes: Vec<String>,
    created_at: UnixMillis,
    #[serde(flatten)]
    carried: Carried,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedKey {
    id: String,
    name: String,
    /// What the key begins with: its format's prefix and four characters, as `nex_a1b2` or `sk_live_a1b2`.
    prefix: String,
    scopes: Vec<String>,
    last_used_at: Option<UnixMillis>,
    created_at: UnixMillis,
    #[serde(flatten)]
    carried: Carried,
}

/// What a key carries beyond name and scopes: there only where it was set.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Carried {
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixMillis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<RateLimitShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_ips: Option<Vec<String>>,
    /// There when it is `test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Map<String, Value>>,
    /// There when it is `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
}

/// A key, whole.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyDetails {
    id: String,
    name: String,
    /// What the key begins with: its format's prefix and four characters, as `nex_a1b2` or `sk_live_a1b2`.
    prefix: String,
    scopes: Vec<String>,
    owner_id: String,
    environment: EnvironmentName,
    enabled: bool,
    expires_at: Option<UnixMillis>,
    rate_limit: Option<RateLimitShape>,
    remaining: Option<u64>,
    allowed_ips: Option<Vec<String>>,
    metadata: Option<Map<String, Value>>,
    /// How often it has been used, as of a few seconds ago.
    use_count: u64,
    last_used_at: Option<UnixMillis>,
    created_at: UnixMillis,
}

impl CreatedKey {
    pub(super) fn new(key: ApiKey, plain: &PlainKey) -> Self {
        Self {
            scopes: words(&key.scopes),
            carried: Carried::of(&key),
            id: key.id,
            name: key.name,
            key: plain.expose().to_owned(),
            prefix: key.prefix,
            created_at: key.created_at,
        }
    }
}

impl From<ApiKey> for ListedKey {
    fn from(key: ApiKey) -> Self {
        Self {
            scopes: words(&key.scopes),
            carried: Carried::of(&key),
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            last_used_at: key.last_used_at,
            created_at: key.created_at,
        }
    }
}

impl From<ApiKey> for KeyDetails {
    fn from(key: ApiKey) -> Self {
        let Carried {
            expires_at,
            rate_limit,
            remaining,
            allowed_ips,
            environment,
            metadata,
            enabled,
        } = Carried::of(&key);
        Self {
            scopes: words(&key.scopes),
            environment: environment.unwrap_or(EnvironmentName::Live),
            enabled: enabled.unwrap_or(true),
            expires_at,
            rate_limit,
            remaining,
            allowed_ips,
            metadata,
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            owner_id: key.user_id,
            use_count: key.use_count,
            last_used_at: key.last_used_at,
            created_at: key.created_at,
        }
    }
}

impl Carried {
    pub(crate) fn of(key: &ApiKey) -> Self {
        Self {
            expires_at: key.expires_at,
            rate_limit: key
                .rate_limit
                .map(|(limit, window_seconds)| RateLimitShape {
                    limit,
                    window_seconds,
                }),
            remaining: key.remaining,
            allowed_ips: key.allowed_ips.as_deref().map(words),
            environment: (key.environment == Environment::Test.as_str())
                .then_some(EnvironmentName::Test),
            metadata: key
                .metadata
                .as_deref()
                .and_then(|object| serde_json::from_str(object).ok()),
            enabled: (!key.is_enabled).then_some(false),
        }
    }
}

impl From<RateLimitShape> for RateLimit {
    fn from(shape: RateLimitShape) -> Self {
        Self {
            limit: shape.limit,
            window_s: shape.window_seconds,
        }
    }
}

impl From<EnvironmentName> for Environment {
    fn from(name: EnvironmentName) -> Self {
        match name {
            EnvironmentName::Live => Self::Live,
            EnvironmentName::Test => Self::Test,
        }
    }
}

/// A JSON object as it is stored.
pub(crate) fn encoded(object: &Map<String, Value>) -> String {
    serde_json::to_string(object).expect("a map with text keys can be written")
}

/// The words of a list that is stored as one text.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
