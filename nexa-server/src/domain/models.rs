//! Models that apps download, and which licences open them.

use super::error::Error;
use super::principal::LicenseHolder;

/// A model that lies in the object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) id: String,
    /// Where it lies.
    pub(crate) object_key: String,
    /// What a licence has to carry; `None` where any will do.
    pub(crate) entitlement: Option<String>,
    /// The apps that it is for; `None` for all of them.
    pub(crate) apps: Option<Vec<String>>,
}

/// The model of that id, if the licence opens it.
///
/// # Errors
/// `NotFound`; `Forbidden` for the licence of another app; `EntitlementMissing`.
pub(crate) fn find<'m>(
    models: &'m [Model],
    holder: &LicenseHolder,
    id: &str,
) -> Result<&'m Model, Error> {
    let model = models.iter().find(|model| model.id == id);
    let model = model.ok_or(Error::NotFound { noun: "Model" })?;
    if let Some(apps) = &model.apps
        && !apps.contains(&holder.app_id)
    {
        return Err(Error::Forbidden {
            rule: "The model is not for the app of this licence",
        });
    }
    match &model.entitlement {
        Some(entitlement) if !holder.entitlements.contains(entitlement) => {
            Err(Error::EntitlementMissing {
                entitlement: entitlement.clone(),
            })
        }
        Some(_) | None => Ok(model),
    }
}
