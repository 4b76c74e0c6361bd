//! The templates of letters: ours, and those of the operator's that replace them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

/// A file for each part of each letter.
macro_rules! files {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("templates/", $name)))),*]
    };
}

const OURS: [(&str, &str); 30] = files![
    "verify_email.subject.txt" "verify_email.txt" "verify_email.html"
    "reset_password.subject.txt" "reset_password.txt" "reset_password.html"
    "invite.subject.txt" "invite.txt" "invite.html"
    "already_registered.subject.txt" "already_registered.txt" "already_registered.html"
    "password_changed.subject.txt" "password_changed.txt" "password_changed.html"
    "credits_low.subject.txt" "credits_low.txt" "credits_low.html"
    "payment_failed.subject.txt" "payment_failed.txt" "payment_failed.html"
    "subscription_ended.subject.txt" "subscription_ended.txt" "subscription_ended.html"
    "trial_ending.subject.txt" "trial_ending.txt" "trial_ending.html"
    "key_leaked.subject.txt" "key_leaked.txt" "key_leaked.html"
];

/// Templates that all parse. What they name is checked by [`Templates::check`].
pub(super) struct Templates(Environment<'static>);

/// The values of a letter, by the names that templates have for them.
pub(super) type Values = Vec<(&'static str, Value)>;

impl Templates {
    /// Ours, and instead of them what stands in the folder under the same name.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn load(folder: Option<&Path>) -> Result<Self, String> {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // A line that holds a condition and nothing else leaves none behind.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()
            .map_err(|error| error.to_string())?;
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
            true => AutoEscape::Html,
            false => AutoEscape::None,
        });
        let theirs = folder.map(names).transpose()?.unwrap_or_default();
        for (name, ours) in OURS {
            let source = match folder {
                Some(folder) if theirs.contains(name) => fs::read_to_string(folder.join(name))
                    .map_err(|error| format!("{name}: {error}"))?,
                Some(_) | None => ours.to_owned(),
            };
            environment
                .add_template_owned(name, source)
                .map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(Self(environment))
    }

    /// Whether a template names only values that its letter has, also where this letter does not reach, and can be
    /// rendered with them.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn check(
        &self,
        name: &str,
        values: &Values,
        needed: Option<&str>,
    ) -> Result<(), String> {
        let template = self
            .0
            .get_template(name)
            .map_err(|error| format!("{name}: {error}"))?;
        let named = template.undeclared_variables(false);
        if let Some(unknown) = named
            .iter()
            .find(|name| values.iter().all(|(known, _)| known != name))
        {
            let known: Vec<&str> = values.iter().map(|(known, _)| *known).collect();
            return Err(format!(
                "{name}: there is no value {unknown:?} in this letter, only {}",
                known.join(", ")
            ));
        }
        if let Some(needed) = needed.filter(|needed| !named.contains(*needed)) {
            return Err(format!(
                "{name}: without {{{{ {needed} }}}} this letter is of no use"
            ));
        }
        if self.render(name, values)?.trim().is_empty() {
            return Err(format!("{name}: comes out empty"));
        }
        Ok(())
    }

    /// # Errors
    /// A sentence that names the file.
    pub(super) fn render(&self, name: &str, values: &Values) -> Result<String, String> {
        self.0
            .get_template(name)
            .and_then(|template| template.render(Value::from_pairs(values.iter().cloned())))
            .map_err(|error| format!("{name}: {error}"))
    }
}

/// The files of the operator's folder. Each must replace one of ours: a typing error would otherwise go unnoticed.
fn names(folder: &Path) -> Result<BTreeSet<String>, String> {
    let refuse = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let name = entry
            .map_err(refuse)?
            .file_name()
            .to_string_lossy()
            .into_owned();
        if OURS.iter().all(|(ours, _)| *ours != name) {
            let ours: Vec<&str> = OURS.iter().map(|(ours, _)| *ours).collect();
            return Err(format!(
                "{}: {name} replaces no template; there are {}",
                folder.display(),
                ours.join(", ")
            ));
        }
        names.insert(name);
    }
    Ok(names)
}
