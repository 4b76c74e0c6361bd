//! Lists in pages, newest first.

/// Which part of a list is wanted; `B` says where it begins, as a rule with what is older than the item of an id.
#[derive(Clone, Debug)]
pub(crate) struct Page<B = String> {
    /// At least 1.
    pub(crate) limit: u32,
    /// Only what is older than this.
    pub(crate) before: Option<B>,
}

/// One part of a list.
#[derive(Clone, Debug)]
pub(crate) struct Paged<T> {
    pub(crate) items: Vec<T>,
    /// The id to go on before, when there is more.
    pub(crate) next: Option<String>,
}

impl<T> Paged<T> {
    /// Of items that were read with [`Page::probe`].
    pub(crate) fn new<B>(mut items: Vec<T>, page: &Page<B>, id: impl FnOnce(&T) -> &str) -> Self {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items
            .last()
            .filter(|_| has_more)
            .map(|item| id(item).to_owned());
        Self { items, next }
    }
}

impl<B> Page<B> {
    /// How many items to read: one more than wanted tells whether there is a next page.
    pub(crate) const fn probe(&self) -> u32 {
        self.limit.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_the_next_one_only_when_there_is_more() {
        let page: Page = Page {
            limit: 2,
            before: None,
        };
        for (read, shown, next) in [
            (vec![], vec![], None),
            (vec!["c", "b"], vec!["c", "b"], None),
            (vec!["c", "b", "a"], vec!["c", "b"], Some("b")),
        ] {
            let paged = Paged::new(read, &page, |id| id);
            assert_eq!((paged.items, paged.next.as_deref()), (shown, next));
        }
    }
}
