//! `/api/v1/api-keys/verify`: what a backend asks about a key that it was shown.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use nexa_core::{KeyDigest, Requirement, Scope};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::super::super::key_questions::{self, WantedEnvironment};
use super::super::super::route::Cx;
use crate::domain::Error;
use crate::domain::key_cache::CheckedKey;
use crate::domain::key_usage::RateState;
use crate::domain::keys::{self, Admission, Ask, Environments, KeyRefusal, Presented};
use crate::http::extract::Body;
use crate::http::reply::{Ok200, Secret};
use crate::time::UnixMillis;

/// Keys in one question.
const KEYS_MAX: usize = 100;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Question {
    /// The key as it was presented.
    key: String,
    /// What it needs; all of them.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// How many of its numbered uses this takes; 1 without it, and 0 takes none.
    #[serde(default)]
    cost: Option<u32>,
    /// The address that the key was used from: a key that is bound to addresses passes only with it.
    #[serde(default)]
    address: Option<String>,
    /// Which keys are wanted; `live` without it.
    #[serde(default)]
    environment: Option<WantedEnvironment>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    valid: bool,
    code: Code,
    key_id: Option<String>,
    name: Option<String>,
    tenant_id: Option<String>,
    owner_id: Option<String>,
    /// The key's scopes within what its owner may do now.
    scopes: Option<Vec<String>>,
    expires_at: Option<UnixMillis>,
    /// Uses left; null where they are not numbered.
    remaining: Option<u64>,
    rate_limit: Option<RateShape>,
}

/// Why, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Code {
    Valid,
    /// Unknown, or not the caller's to know.
    NotFound,
    Disabled,
    OwnerDisabled,
    Expired,
    AddressNotAllowed,
    WrongEnvironment,
    InsufficientScope,
    RateLimited,
    UsedUp,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RateShape {
    limit: u32,
    window_seconds: u32,
    /// Calls left in this window; null where this call was not counted.
    remaining: Option<u32>,
    /// Seconds until the next window; null where this call was not counted.
    reset_seconds: Option<u64>,
}

/// A question that has been read, and the key that it is about.
struct Asked<'q> {
    presented: Presented<'q>,
    requirement: Requirement,
    cost: u64,
    address: Option<IpAddr>,
    environments: Environments,
    key: Option<Arc<CheckedKey>>,
}

/// Always 200 for a question that can be read: whether the key passes stands in the answer.
pub(crate) fn verify(
    cx: &mut Cx<'_>,
    Body(questions): Body<OneOrMany<Question>>,
) -> Result<Secret<Ok200<OneOrMany<Verdict>>>, Error> {
    let answer = match questions {
        OneOrMany::One(question) => {
            let mut verdicts = answer(cx, [Asked::read(&question)].into_iter())?;
            OneOrMany::One(
                verdicts
                    .pop()
                    .ok_or_else(|| Error::Fault("no verdict".to_owned()))?,
            )
        }
        OneOrMany::Many(questions) if questions.len() > KEYS_MAX => {
            return Err(Error::invalid("body", format!("at most {KEYS_MAX} keys")));
        }
        OneOrMany::Many(questions) => {
            let asked = questions.iter().enumerate().map(|(place, question)| {
                Asked::read(question).map_err(|error| error.in_item(place))
            });
            OneOrMany::Many(answer(cx, asked)?)
        }
    };
    Ok(Secret(Ok200(answer)))
}

fn answer<'q>(
    cx: &Cx<'_>,
    asked: impl Iterator<Item = Result<Asked<'q>, Error>>,
) -> Result<Vec<Verdict>, Error> {
    let authority = cx.authority();
    let asked = asked
        .map(|asked| {
            let mut asked = asked?;
            asked.key = authority
                .find(asked.presented)?
                .filter(|key| cx.origin.principal.knows_of(&key.tenant_id, &key.user_id));
            // The uses that are left stand in the store alone. Nothing may be counted before it is sure that
            // this call will not run again there.
            if asked.key.as_ref().is_some_and(|key| key.is_numbered) {
                if !authority.may_block {
                    return Err(Error::NotInMemory);
                }
                let services = cx.services;
                asked.key = keys::find_presented(
                    &services.store,
                    &services.cache,
                    &services.key_policy,
                    asked.presented,
                )?;
            }
            Ok(asked)
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let mut counted: Vec<_> = asked.iter().map(|asked| asked.count(cx.now)).collect();
    spend(cx, &asked, &mut counted)?;
    let verdicts = asked.iter().zip(counted);
    Ok(verdicts
        .map(|(asked, counted)| {
            if let Err(refusal) = &counted {
                cx.services.cache.checks().refused(refusal);
            }
            let Some(key) = &asked.key else {
                return Verdict::unknown();
            };
            match counted {
                Ok(admission) => {
                    cx.services.cache.note_use(cx.now, key);
                    Verdict::of(key, Code::Valid, admission)
                }
                Err(KeyRefusal::Deleted) => Verdict::unknown(),
                Err(refusal) => {
                    let (rate, remaining) = match &refusal {
                        KeyRefusal::Limited(state) => (Some(*state), key.remaining),
                        KeyRefusal::UsedUp { left } => (None, Some(*left)),
                        _ => (None, key.remaining),
                    };
                    let admission = Admission { rate, remaining };
                    Verdict::of(key, Code::from(&refusal), admission)
                }
            }
        })
        .collect())
}

/// Takes the numbered uses of all keys that have passed so far, in one write.
fn spend(
    cx: &Cx<'_>,
    asked: &[Asked<'_>],
    counted: &mut [Result<Admission, KeyRefusal>],
) -> Result<(), Error> {
    let (mut places, mut costs) = (Vec::new(), Vec::new());
    for (place, (asked, counted)) in asked.iter().zip(counted.iter_mut()).enumerate() {
        if let (Some(key), Ok(_)) = (&asked.key, &counted)
            && key.is_numbered
        {
            places.push(place);
            costs.push((KeyDigest::from_bytes(key.digest), asked.cost));
        }
    }
    if costs.is_empty() {
        return Ok(());
    }
    let spent = keys::spend(&cx.services.store, cx.now, costs)?;
    for (place, spent) in places.into_iter().zip(spent) {
        let (Some(Asked { key: Some(key), .. }), Some(counted)) =
            (asked.get(place), counted.get_mut(place))
        else {
            continue;
        };
        let Ok(admission) = counted else { continue };
        match spent {
            Ok(remaining) => admission.remaining = remaining,
            Err(refusal) => {
                key.give_back(admission.rate.as_ref());
                *counted = Err(refusal);
            }
        }
    }
    Ok(())
}

impl<'q> Asked<'q> {
    fn read(question: &'q Question) -> Result<Self, Error> {
        let scopes = question.scopes.iter().flatten().map(|scope| {
            Scope::parse(scope)
                .map(Requirement::Scope)
                .map_err(|error| Error::invalid("scopes", error.to_string()))
        });
        Ok(Self {
            presented: Presented::new(&question.key),
            requirement: Requirement::All(scopes.collect::<Result<_, _>>()?),
            cost: question.cost.unwrap_or(1).into(),
            address: key_questions::address(question.address.as_deref())?,
            environments: WantedEnvironment::environments(question.environment),
            key: None,
        })
    }

    /// Judges the key and counts one call against its rate limit.
    fn count(&self, now: UnixMillis) -> Result<Admission, KeyRefusal> {
        let key = self.key.as_ref().ok_or(KeyRefusal::Deleted)?;
        let ask = Ask {
            address: self.address,
            environments: self.environments,
            requirements: &[&self.requirement],
        };
        keys::judge(now, key, &ask)?;
        Ok(Admission {
            rate: key.count(now)?,
            remaining: None,
        })
    }
}

impl Verdict {
    const fn unknown() -> Self {
        Self {
            valid: false,
            code: Code::NotFound,
            key_id: None,
            name: None,
            tenant_id: None,
            owner_id: None,
            scopes: None,
            expires_at: None,
            remaining: None,
            rate_limit: None,
        }
    }

    fn of(key: &CheckedKey, code: Code, admission: Admission) -> Self {
        let state: Option<RateState> = admission.rate;
        Self {
            valid: code == Code::Valid,
            code,
            key_id: Some(key.id.clone()),
            name: Some(key.name.clone()),
            tenant_id: Some(key.tenant_id.clone()),
            owner_id: Some(key.user_id.clone()),
            scopes: Some(key.scopes.to_strings()),
            expires_at: key.expires_at,
            remaining: admission.remaining,
            rate_limit: key.rate_limit.map(|rate| RateShape {
                limit: rate.limit,
                window_seconds: rate.window_s,
                remaining: state.map(|state| state.remaining),
                reset_seconds: state.map(|state| state.resets_in_s),
            }),
        }
    }
}

impl From<&KeyRefusal> for Code {
    fn from(refusal: &KeyRefusal) -> Self {
        match refusal {
            KeyRefusal::Deleted => Self::NotFound,
            KeyRefusal::Disabled => Self::Disabled,
            KeyRefusal::OwnerDisabled => Self::OwnerDisabled,
            KeyRefusal::Expired => Self::Expired,
            KeyRefusal::Address => Self::AddressNotAllowed,
            KeyRefusal::Environment => Self::WrongEnvironment,
            KeyRefusal::ScopeMissing(_) => Self::InsufficientScope,
            KeyRefusal::Limited(_) => Self::RateLimited,
            KeyRefusal::UsedUp { .. } => Self::UsedUp,
        }
    }
}

/// One item, or an array of them; the answer has the shape of the question.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// By hand, so that a fault keeps its path: an untagged enum would only say that nothing fits.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array of objects")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(OneOrMany::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut many = Vec::new();
                while let Some(item) = items.next_element()? {
                    many.push(item);
                }
                Ok(OneOrMany::Many(many))
            }
        }

        deserializer.deserialize_any(Either(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        let one = schemas.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "maxItems": KEYS_MAX }] })
    }
}
