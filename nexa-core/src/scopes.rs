//! Scopes: what a key may do, and what a request asks for.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// The scope that satisfies every requirement.
pub const FULL_ACCESS: &str = "full_access";

const MAX_SCOPE_LEN: usize = 64;
static FULL_ACCESS_SCOPE: Scope = Scope(Cow::Borrowed(FULL_ACCESS));

/// What one key holds: scopes, sorted, each once.
///
/// ```
/// use nexa_core::{Requirement, Scope, ScopeSet};
///
/// let held = ScopeSet::parse(["signals", "reports:*"])?;
/// let signals = Requirement::Scope(Scope::parse("signals")?);
/// let daily = Requirement::Scope(Scope::parse("reports:daily:read")?);
/// let agents = Requirement::Scope(Scope::parse("agents")?);
///
/// assert!(held.allows(&Requirement::All(vec![signals, daily])));
/// let missing = held.missing(&agents).ok_or("nothing is missing")?;
/// assert_eq!(format!("API key missing required scope: {missing}"), "API key missing required scope: agents");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeSet(Vec<Scope>);

/// What a request asks of the key that it comes with.
///
/// Requirements nest. An empty `All` asks for nothing; an empty `Any` cannot be met, except by [`FULL_ACCESS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Any key will do, even one without scopes.
    AnyKey,
    /// This scope must be held.
    Scope(Scope),
    /// Every one of these must be met.
    All(Vec<Requirement>),
    /// At least one of these must be met.
    Any(Vec<Requirement>),
}

/// One scope: 1 to 64 characters of `a-z`, `0-9`, `_`, `.`, `-`, in segments separated by `:`.
///
/// The last of several segments may be `*`: held, `reports:*` covers `reports:read` and `reports:daily:read`, but not `reports`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Cow<'static, str>);

impl ScopeSet {
    /// A set that holds nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// The set of [`FULL_ACCESS`] alone.
    #[must_use]
    pub fn full_access() -> Self {
        Self::from_iter([FULL_ACCESS_SCOPE.clone()])
    }

    /// Reads scopes in any order; one that stands twice counts once.
    ///
    /// # Errors
    /// The first scope that breaks a rule of [`Scope`].
    pub fn parse<I>(scopes: I) -> Result<Self, ScopeError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        scopes
            .into_iter()
            .map(|scope| Scope::parse(scope.as_ref()))
            .collect()
    }

    /// Whether the requirement is met.
    #[must_use]
    pub fn allows(&self, requirement: &Requirement) -> bool {
        self.missing(requirement).is_none()
    }

    /// The first scope that would have to be added to meet the requirement; `None` when it is met.
    ///
    /// Of an unmet `Any` it is the one its first alternative lacks.
    #[must_use]
    pub fn missing<'r>(&self, requirement: &'r Requirement) -> Option<&'r Scope> {
        match requirement {
            Requirement::AnyKey => None,
            Requirement::Scope(scope) => (!self.covers(scope)).then_some(scope),
            Requirement::All(parts) => parts.iter().find_map(|part| self.missing(part)),
            Requirement::Any(_) if self.covers(&FULL_ACCESS_SCOPE) => None,
            Requirement::Any(alternatives) => {
                let mut first_missing = None;
                for alternative in alternatives {
                    // An alternative that lacks nothing meets the whole.
                    let missing = self.missing(alternative)?;
                    first_missing.get_or_insert(missing);
                }
                Some(first_missing.unwrap_or(&FULL_ACCESS_SCOPE))
            }
        }
    }

    /// Whether a held scope grants this one: the same, a wildcard above it, or [`FULL_ACCESS`].
    #[must_use]
    pub fn covers(&self, scope: &Scope) -> bool {
        self.0.iter().any(|held| held.covers(scope))
    }

    /// Whether exactly this scope is held; wildcards and [`FULL_ACCESS`] are not considered.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.binary_search(scope).is_ok()
    }

    /// What both sets grant: a key's scopes within what its owner may do now.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let ours = self.0.iter().filter(|scope| other.covers(scope));
        let theirs = other.0.iter().filter(|scope| self.covers(scope));
        ours.chain(theirs).cloned().collect()
    }

    /// The scopes, sorted.
    pub fn iter(&self) -> core::slice::Iter<'_, Scope> {
        self.0.iter()
    }

    /// The scopes as texts, sorted.
    #[must_use]
    pub fn to_strings(&self) -> Vec<String> {
        self.0.iter().map(Scope::to_string).collect()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many scopes are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Scope {
    /// Reads one scope.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        if text.len() > MAX_SCOPE_LEN {
            return Err(ScopeError::TooLong { length: text.len() });
        }
        let base = text.strip_suffix(":*").unwrap_or(text);
        let mut segment_is_empty = true;
        for (position, byte) in base.bytes().enumerate() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' => segment_is_empty = false,
                b':' if segment_is_empty => return Err(ScopeError::EmptySegment { position }),
                b':' => segment_is_empty = true,
                b'*' => return Err(ScopeError::Wildcard { position }),
                _ => return Err(ScopeError::Character { position }),
            }
        }
        if segment_is_empty {
            return Err(ScopeError::EmptySegment {
                position: base.len(),
            });
        }
        Ok(Self(Cow::Owned(text.to_string())))
    }

    /// The scope [`FULL_ACCESS`].
    #[must_use]
    pub fn full_access() -> Self {
        FULL_ACCESS_SCOPE.clone()
    }

    /// Whether this is [`FULL_ACCESS`].
    #[must_use]
    pub fn is_full_access(&self) -> bool {
        self.0 == FULL_ACCESS
    }

    /// The scope as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A wildcard covers what begins with its text up to the star. A scope never ends in a colon, so something
    /// always follows there, and a narrower wildcard is covered like any other scope.
    fn covers(&self, asked: &Self) -> bool {
        let below = self.0.strip_suffix('*');
        self == asked
            || self.is_full_access()
            || below.is_some_and(|above| asked.0.starts_with(above))
    }
}

/// Why a text is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeError {
    /// It has no characters.
    Empty,
    /// It has more than 64 characters.
    TooLong {
        /// Bytes found.
        length: usize,
    },
    /// A character is none of `a-z`, `0-9`, `_`, `.`, `-` and `:`.
    Character {
        /// Its byte position.
        position: usize,
    },
    /// Nothing stands before, between or after colons.
    EmptySegment {
        /// The byte position where a segment should begin.
        position: usize,
    },
    /// A star stands elsewhere than alone after the last colon.
    Wildcard {
        /// Its byte position.
        position: usize,
    },
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a scope must not be empty"),
            Self::TooLong { length } => write!(
                f,
                "a scope has at most {MAX_SCOPE_LEN} characters, not {length}"
            ),
            Self::Character { position } => {
                write!(
                    f,
                    "a scope is made of a-z, 0-9, _, ., - and :; the character at byte {position} is none of them"
                )
            }
            Self::EmptySegment { position } => write!(
                f,
                "a scope has no empty segments; one is at byte {position}"
            ),
            Self::Wildcard { position } => {
                write!(
                    f,
                    "a star may only be the last segment of a scope; one stands at byte {position}"
                )
            }
        }
    }
}

impl core::error::Error for ScopeError {}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = core::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The scopes, sorted and separated by spaces, as a `scope` claim has them (RFC 8693 §4.2).
impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).expect(text)
    }

    fn set(texts: &[&str]) -> ScopeSet {
        ScopeSet::parse(texts).expect("valid scopes")
    }

    fn asks(text: &str) -> Requirement {
        Requirement::Scope(scope(text))
    }

    #[test]
    fn texts_are_read_or_refused_by_rule() {
        let longest = "a".repeat(64);
        for good in [
            "a",
            "full_access",
            "agent-positions",
            "v1.2",
            "reports:*",
            "a:b:*",
            "a:b:c",
            longest.as_str(),
        ] {
            assert_eq!(scope(good).as_str(), good);
        }
        let too_long = "a".repeat(65);
        let cases = [
            ("", ScopeError::Empty),
            (too_long.as_str(), ScopeError::TooLong { length: 65 }),
            ("Reports", ScopeError::Character { position: 0 }),
            ("a b", ScopeError::Character { position: 1 }),
            ("a,b", ScopeError::Character { position: 1 }),
            ("é", ScopeError::Character { position: 0 }),
            (":a", ScopeError::EmptySegment { position: 0 }),
            ("a:", ScopeError::EmptySegment { position: 2 }),
            ("a::b", ScopeError::EmptySegment { position: 2 }),
            ("a::*", ScopeError::EmptySegment { position: 2 }),
            (":*", ScopeError::EmptySegment { position: 0 }),
            ("*", ScopeError::Wildcard { position: 0 }),
            ("a*", ScopeError::Wildcard { position: 1 }),
            ("a:*:b", ScopeError::Wildcard { position: 2 }),
            ("a:b*", ScopeError::Wildcard { position: 3 }),
            ("a:*:*", ScopeError::Wildcard { position: 2 }),
        ];
        for (text, error) in cases {
            assert_eq!(Scope::parse(text), Err(error), "{text:?}");
            assert!(error.to_string().contains("scope"));
        }
        assert_eq!("a:b".parse::<Scope>(), Ok(scope("a:b")));
    }

    #[test]
    fn a_wildcard_covers_what_is_below_it() {
        let held = set(&["reports:*"]);
        for (asked, is_covered) in [
            ("reports:read", true),
            ("reports:a:b", true),
            ("reports:a:*", true),
            ("reports:*", true),
            ("reports", false),
            ("reportsx:read", false),
            ("full_access", false),
        ] {
            assert_eq!(held.allows(&asks(asked)), is_covered, "{asked}");
        }
        assert!(!set(&["reports:read"]).allows(&asks("reports:*")));
    }

    #[test]
    fn full_access_meets_everything() {
        let full = ScopeSet::full_access();
        for requirement in [
            Requirement::AnyKey,
            asks("signals"),
            asks("a:*"),
            Requirement::All(vec![asks("a"), asks("b")]),
            Requirement::Any(vec![]),
        ] {
            assert!(full.allows(&requirement), "{requirement:?}");
        }
        assert!(set(&["full_access"]) == full && Scope::full_access().is_full_access());
    }

    #[test]
    fn nothing_is_met_by_an_empty_set_except_any_key() {
        let none = ScopeSet::empty();
        assert!(none.is_empty() && none == ScopeSet::default());
        assert!(none.allows(&Requirement::AnyKey));
        assert!(none.allows(&Requirement::All(vec![])));
        assert_eq!(
            none.missing(&Requirement::Any(vec![])),
            Some(&Scope::full_access())
        );
        assert_eq!(none.missing(&asks("signals")), Some(&scope("signals")));
    }

    #[test]
    fn the_first_missing_scope_is_named() {
        let held = set(&["a", "c"]);
        let all = Requirement::All(vec![asks("a"), asks("b"), asks("d")]);
        assert_eq!(held.missing(&all), Some(&scope("b")));
        let any = Requirement::Any(vec![asks("x"), asks("y")]);
        assert_eq!(held.missing(&any), Some(&scope("x")));
        let nested = Requirement::All(vec![
            Requirement::Any(vec![asks("x"), asks("c")]),
            Requirement::Any(vec![all, asks("z")]),
        ]);
        assert_eq!(held.missing(&nested), Some(&scope("b")));
    }

    #[test]
    fn sets_are_sorted_and_hold_each_scope_once() {
        let held = set(&["signals", "agents", "signals", "full_access"]);
        assert_eq!(held.to_strings(), ["agents", "full_access", "signals"]);
        assert_eq!(held.to_string(), "agents full_access signals");
        assert_eq!(held.len(), 3);
        assert!(held.contains(&scope("agents")) && !held.contains(&scope("balances")));
        assert_eq!(
            ScopeSet::parse(["a", "B"]),
            Err(ScopeError::Character { position: 0 })
        );
    }

    #[test]
    fn intersection_keeps_the_narrower_scope() {
        for (left, right, both) in [
            (&["full_access"][..], &["a", "b:*"][..], &["a", "b:*"][..]),
            (&["full_access"], &["full_access"], &["full_access"]),
            (&["b:*"], &["b:c", "b", "a"], &["b:c"]),
            (&["b:c:*", "a"], &["b:*", "a"], &["a", "b:c:*"]),
            (&["a"], &["b"], &[]),
            (&[], &["full_access"], &[]),
        ] {
            assert_eq!(set(left).intersection(&set(right)), set(both));
            assert_eq!(set(right).intersection(&set(left)), set(both));
        }
    }

    /// Every scope without a star that the properties below know: one to three segments of `a` and `b`.
    fn universe() -> Vec<String> {
        let mut scopes = vec![FULL_ACCESS.to_string()];
        for first in ["a", "b"] {
            scopes.push(first.to_string());
            for second in ["a", "b"] {
                scopes.push([first, second].join(":"));
                scopes.extend(["a", "b"].map(|third| [first, second, third].join(":")));
            }
        }
        scopes
    }

    /// The oracle works on lists of segments, the crate on prefixes of texts.
    fn grants(held: &str, asked: &str) -> bool {
        let (held, asked): (Vec<_>, Vec<_>) =
            (held.split(':').collect(), asked.split(':').collect());
        if held == ["full_access"] {
            return true;
        }
        match held.split_last() {
            Some((&"*", above)) => asked.len() > above.len() && asked[..above.len()] == *above,
            _ => held == asked,
        }
    }

    fn is_met(held: &[String], requirement: &Requirement) -> bool {
        if held.iter().any(|held| held == FULL_ACCESS) {
            return true;
        }
        match requirement {
            Requirement::AnyKey => true,
            Requirement::Scope(asked) => held.iter().any(|held| grants(held, asked.as_str())),
            Requirement::All(parts) => parts.iter().filter(|part| !is_met(held, part)).count() == 0,
            Requirement::Any(parts) => parts.iter().filter(|part| is_met(held, part)).count() > 0,
        }
    }

    fn scopes() -> impl Strategy<Value = String> {
        let wildcards = ["a:*", "b:*", "a:b:*", "b:a:*"].map(String::from);
        prop::sample::select([universe(), wildcards.to_vec()].concat())
    }

    fn held() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(scopes(), 0..5)
    }

    fn requirements() -> impl Strategy<Value = Requirement> {
        let leaf =
            prop_oneof![1 => Just(Requirement::AnyKey), 6 => scopes().prop_map(|text| asks(&text))];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Requirement::All),
                prop::collection::vec(inner, 0..4).prop_map(Requirement::Any),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn allows_agrees_with_a_naive_oracle(held in held(), requirement in requirements()) {
            let set = ScopeSet::parse(&held).expect("valid scopes");
            prop_assert_eq!(set.allows(&requirement), is_met(&held, &requirement));
        }

        #[test]
        fn the_missing_scope_is_not_held(held in held(), requirement in requirements()) {
            let set = ScopeSet::parse(&held).expect("valid scopes");
            if let Some(missing) = set.missing(&requirement) {
                prop_assert!(!set.covers(missing));
            }
        }

        #[test]
        fn an_intersection_grants_what_both_grant(left in held(), right in held()) {
            let (left, right) = (ScopeSet::parse(&left).expect("valid"), ScopeSet::parse(&right).expect("valid"));
            let both = left.intersection(&right);
            prop_assert_eq!(&both, &right.intersection(&left));
            for asked in universe() {
                let asked = asks(&asked);
                prop_assert_eq!(both.allows(&asked), left.allows(&asked) && right.allows(&asked));
            }
        }

        #[test]
        fn a_set_is_read_back_from_its_text(held in held()) {
            let set = ScopeSet::parse(&held).expect("valid scopes");
            prop_assert_eq!(ScopeSet::parse(set.to_string().split_whitespace()), Ok(set));
        }

        #[test]
        fn whatever_is_read_keeps_the_rules(text in "[a-zA-Z:*_. -]{0,12}") {
            let segments: Vec<_> = text.split(':').collect();
            let is_plain = |segment: &str| !segment.is_empty() && segment.chars().all(|c| c.is_ascii_lowercase() || "_.-".contains(c));
            let follows = match segments.split_last() {
                Some((&"*", above)) => !above.is_empty() && above.iter().all(|segment| is_plain(segment)),
                _ => segments.iter().all(|segment| is_plain(segment)),
            };
            prop_assert_eq!(Scope::parse(&text).is_ok(), follows);
        }
    }
}
