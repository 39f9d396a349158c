//! A range of keys of the log, as a MongoDB condition.

use mongodb::bson::{Document, doc};
use vote_log::LogKey;

/// A range of keys. MongoDB reads only the documents of the range: the log is clustered by the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyRange {
    /// The smallest key.
    from: Option<LogKey>,
    /// The largest key.
    to: Option<LogKey>,
    /// All keys are smaller than this one.
    before: Option<LogKey>,
}

impl KeyRange {
    /// Keys from `from` to `to`, inclusive. None: without a limit.
    pub(super) fn new(from: Option<LogKey>, to: Option<LogKey>) -> Self {
        Self {
            from,
            to,
            before: None,
        }
    }

    /// The keys of this range that are smaller than `key`.
    #[must_use]
    pub(super) fn before(self, key: Option<LogKey>) -> Self {
        // `None` sorts before every key, so the smaller of two limits cannot be found by `min` alone.
        let before = match (self.before, key) {
            (Some(before), Some(key)) => Some(before.min(key)),
            (before, key) => before.or(key),
        };
        Self { before, ..self }
    }

    /// The keys of this range that are not smaller than `key`.
    #[must_use]
    pub(super) fn since(self, key: Option<LogKey>) -> Self {
        Self {
            from: self.from.max(key),
            ..self
        }
    }

    /// The condition; empty if the range has no limit.
    pub(super) fn condition(&self) -> Document {
        let mut limits = Document::new();
        if let Some(from) = self.from {
            limits.insert("$gte", from);
        }
        match (self.to, self.before) {
            (Some(to), Some(before)) if to < before => limits.insert("$lte", to),
            (_, Some(before)) => limits.insert("$lt", before),
            (Some(to), None) => limits.insert("$lte", to),
            (None, None) => None,
        };
        if limits.is_empty() {
            Document::new()
        } else {
            doc! { "_id": limits }
        }
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::DateTime;

    use super::*;

    fn key(millis: i64) -> LogKey {
        LogKey::first_of(DateTime::from_millis(millis))
    }

    #[test]
    fn condition_has_the_narrowest_limits() {
        let all = KeyRange::default();
        let range = KeyRange::new(Some(key(1)), Some(key(9)));
        for (range, expected) in [
            (all, doc! {}),
            (all.before(Some(key(5))), doc! { "_id": { "$lt": key(5) } }),
            (all.since(Some(key(5))), doc! { "_id": { "$gte": key(5) } }),
            (range, doc! { "_id": { "$gte": key(1), "$lte": key(9) } }),
            (
                range.before(Some(key(9))).since(Some(key(0))),
                doc! { "_id": { "$gte": key(1), "$lt": key(9) } },
            ),
            (
                range.before(Some(key(10))).since(Some(key(3))),
                doc! { "_id": { "$gte": key(3), "$lte": key(9) } },
            ),
            (
                range.before(Some(key(7))).before(Some(key(8))),
                doc! { "_id": { "$gte": key(1), "$lt": key(7) } },
            ),
        ] {
            assert_eq!(range.condition(), expected);
        }
    }
}
