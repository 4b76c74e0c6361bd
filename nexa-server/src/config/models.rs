//! The tables `[[models]]` of the configuration file.

use serde::Deserialize;

use crate::domain::apps::check_name;
use crate::domain::models::Model;
use crate::outbound::object_store::check_key;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileModel {
    id: String,
    object_key: String,
    entitlement: Option<String>,
    apps: Option<Vec<String>>,
}

/// The models, each id once.
pub(super) fn models(entries: Vec<FileModel>) -> Result<Vec<Model>, String> {
    let mut models: Vec<Model> = Vec::new();
    for entry in entries {
        let place = format!("models: {:?}", entry.id);
        let model = entry
            .checked()
            .map_err(|problem| format!("{place}: {problem}"))?;
        if models.iter().any(|other| other.id == model.id) {
            return Err(format!("{place}: stands twice"));
        }
        models.push(model);
    }
    Ok(models)
}

impl FileModel {
    fn checked(self) -> Result<Model, String> {
        if !is_id(&self.id) {
            // It is a part of a path.
            return Err(
                "id must be 1 to 100 letters, digits, dots, hyphens or underscores, and begin with a letter or a digit"
                    .to_owned(),
            );
        }
        check_key(&self.object_key)
            .map_err(|rule| format!("object_key {:?} {rule}", self.object_key))?;
        if let Some(entitlement) = &self.entitlement {
            check_name("entitlement", entitlement).map_err(|error| error.to_string())?;
        }
        match self.apps.as_deref() {
            Some([]) => return Err("apps must name one, or be left out for all of them".to_owned()),
            Some(apps) => {
                for app in apps {
                    check_name("apps", app).map_err(|error| error.to_string())?;
                }
            }
            None => {}
        }
        Ok(Model {
            id: self.id,
            object_key: self.object_key,
            entitlement: self.entitlement,
            apps: self.apps,
        })
    }
}

fn is_id(id: &str) -> bool {
    let is_written_so = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=100).contains(&id.len())
        && id.bytes().all(is_written_so)
        && id.starts_with(|first: char| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Model>, String> {
        #[derive(Deserialize)]
        struct File {
            models: Vec<FileModel>,
        }
        match toml::from_str::<File>(text) {
            Ok(file) => models(file.models),
            Err(error) => Err(error.message().to_owned()),
        }
    }

    #[test]
    fn what_cannot_be_a_model_is_named() {
        let key_rule = "must be 1 to 1024 bytes without control characters, and no part of it between slashes may be empty, . \
                        or ..";
        let long_key = "k".repeat(1025);
        for (text, problem) in [
            (
                "id = 'a/b'\nobject_key = 'k'".to_owned(),
                "models: \"a/b\": id must be 1 to 100 letters, digits, dots, hyphens or underscores, and begin with a letter \
                 or a digit"
                    .to_owned(),
            ),
            (
                "id = '..'\nobject_key = 'k'".to_owned(),
                "models: \"..\": id must be 1 to 100 letters, digits, dots, hyphens or underscores, and begin with a letter \
                 or a digit"
                    .to_owned(),
            ),
            (
                "id = 'a'\nobject_key = ''".to_owned(),
                format!("models: \"a\": object_key \"\" {key_rule}"),
            ),
            (
                "id = 'a'\nobject_key = '../others/k'".to_owned(),
                format!("models: \"a\": object_key \"../others/k\" {key_rule}"),
            ),
            (
                "id = 'a'\nobject_key = '/k'".to_owned(),
                format!("models: \"a\": object_key \"/k\" {key_rule}"),
            ),
            (
                format!("id = 'a'\nobject_key = '{long_key}'"),
                format!("models: \"a\": object_key {long_key:?} {key_rule}"),
            ),
            (
                "id = 'a'\nobject_key = 'k'\nentitlement = ''".to_owned(),
                "models: \"a\": entitlement: names must have 1 to 64 characters, none of them a control character".to_owned(),
            ),
            (
                "id = 'a'\nobject_key = 'k'\napps = []".to_owned(),
                "models: \"a\": apps must name one, or be left out for all of them".to_owned(),
            ),
            (
                "id = 'a'\nobject_key = 'k'\n[[models]]\nid = 'b'\nobject_key = 'k'\n[[models]]\nid = 'a'\nobject_key = 'l'"
                    .to_owned(),
                "models: \"a\": stands twice".to_owned(),
            ),
            (
                "id = 'a'".to_owned(),
                "missing field `object_key`".to_owned(),
            ),
            (
                "id = 'a'\nobject_key = 'k'\nkey = 'l'".to_owned(),
                "unknown field `key`, expected one of `id`, `object_key`, `entitlement`, `apps`".to_owned(),
            ),
        ] {
            assert_eq!(read(&format!("[[models]]\n{text}")).unwrap_err(), problem);
        }
    }

    #[test]
    fn a_model_is_for_all_apps_and_licences_unless_it_says_otherwise() {
        let text = "[[models]]\nid = 'a'\nobject_key = 'm/a b.gguf'\n[[models]]\nid = 'b'\nobject_key = 'k'\n\
                    entitlement = 'large'\napps = ['x', 'y']";
        let expected = [
            Model {
                id: "a".to_owned(),
                object_key: "m/a b.gguf".to_owned(),
                entitlement: None,
                apps: None,
            },
            Model {
                id: "b".to_owned(),
                object_key: "k".to_owned(),
                entitlement: Some("large".to_owned()),
                apps: Some(vec!["x".to_owned(), "y".to_owned()]),
            },
        ];
        assert_eq!(read(text).unwrap(), expected);
    }
}
