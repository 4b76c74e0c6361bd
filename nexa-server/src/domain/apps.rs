//! The apps that licences are for, as the operator declared them.

use super::error::Error;

/// One app: the audience of its licences, and how long they may last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) ttl_days: TtlDays,
}

/// Bounds of a licence's life, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TtlDays {
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) default: u32,
}

impl App {
    /// The days a licence lasts: those asked for, or the app's default.
    ///
    /// # Errors
    /// `Invalid` for `ttl_days` outside the app's bounds.
    pub(crate) fn ttl_days(&self, asked: Option<u32>) -> Result<u32, Error> {
        let TtlDays { min, max, default } = self.ttl_days;
        let days = asked.unwrap_or(default);
        if (min..=max).contains(&days) {
            Ok(days)
        } else {
            Err(Error::invalid(
                "ttl_days",
                format!("must be {min} to {max} for the app {:?}", self.id),
            ))
        }
    }
}

/// The app of that id.
///
/// # Errors
/// `Invalid` for `app_id` when none was declared under it.
pub(crate) fn find<'a>(apps: &'a [App], id: &str) -> Result<&'a App, Error> {
    apps.iter()
        .find(|app| app.id == id)
        .ok_or_else(|| Error::invalid("app_id", "is not an app of this server"))
}
