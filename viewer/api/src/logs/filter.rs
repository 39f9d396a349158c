//! Filters on the log.

use std::borrow::Cow;

use mongodb::bson::{DateTime, Document};
use vote_log::LogKey;

use super::band_filter::BandFilter;
use super::key_range::KeyRange;
use super::time_parameter::{Bound, parse_time};
use super::vote::rfc3339_text;
use crate::query::{FromParameters, Parameters};

/// All routes.
pub(crate) const ROUTES: [&str; 3] = ["rest", "grpc", "bridge"];

/// Conditions that all must hold. Every value is validated, and a query contains values only, never operators from a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    route: Option<&'static str>,
    band: Option<BandFilter>,
    from: Option<DateTime>,
    to: Option<DateTime>,
}

impl FromParameters for Filter {
    fn take(parameters: &mut Parameters) -> Self {
        let filter = Self {
            route: parameters.take("route", parse_route),
            band: parameters.take("band", BandFilter::parse),
            from: parameters.take("from", |text| parse_time(text, Bound::From)),
            to: parameters.take("to", |text| parse_time(text, Bound::To)),
        };
        if let (Some(from), Some(to)) = (filter.from, filter.to)
            && from > to
        {
            let (from, to) = (rfc3339_text(from), rfc3339_text(to));
            parameters.reject(
                "to",
                format!("must not be before from: to is {to}, from is {from}"),
            );
        }
        filter
    }
}

impl Filter {
    /// Whether a query must read votes that the filter does not select. The log is in the order of time alone.
    pub(super) fn reads_other_votes(&self) -> bool {
        self.route.is_some() || self.band.is_some()
    }

    /// The keys of the votes in the time range.
    pub(super) fn keys(&self) -> KeyRange {
        KeyRange::new(self.from.map(LogKey::first_of), self.to.map(LogKey::last_of))
    }

    /// Selects the votes of the filter that are in `keys`, as a MongoDB condition.
    pub(super) fn condition(&self, keys: KeyRange) -> Document {
        let mut condition = keys.condition();
        if let Some(route) = self.route {
            condition.insert("route", route);
        }
        if let Some(band) = &self.band {
            condition.insert("name", band.condition());
        }
        condition
    }
}

/// Parses the name of a route.
pub(crate) fn parse_route(text: &str) -> Result<&'static str, Cow<'static, str>> {
    let known = ROUTES.into_iter().find(|route| *route == text);
    known.ok_or_else(|| format!("must be one of {}", ROUTES.join(", ")).into())
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    fn read(query: &str) -> Result<Document, Vec<String>> {
        let mut parameters = Parameters::parse(query);
        let filter = Filter::take(&mut parameters);
        match parameters.finish() {
            Ok(()) => Ok(filter.condition(filter.keys())),
            Err(crate::problem::Problem::Parameters(errors)) => {
                Err(errors.into_iter().map(|error| error.field).collect())
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn conditions_contain_only_values() {
        assert_eq!(read(""), Ok(doc! {}));
        let name = "{\"$ne\":null}";
        assert_eq!(
            read("route=grpc&band=%7B%22%24ne%22%3Anull%7D"),
            Ok(doc! { "route": "grpc", "name": name })
        );
        assert_eq!(
            read("band=Centroame%CC%81rica"),
            Ok(doc! { "name": { "$in": ["Centroame\u{301}rica", "Centroam\u{e9}rica"] } })
        );
        let noon = DateTime::from_millis(1_769_860_800_000);
        let (first, last) = (LogKey::first_of, LogKey::last_of);
        assert_eq!(
            read("from=2026-01-31T12:00:00Z&to=2026-01-31T13:00:00.000%2B01:00"),
            Ok(doc! { "_id": { "$gte": first(noon), "$lte": last(noon) } })
        );
        let end_of_day = DateTime::from_millis(1_769_903_999_999);
        assert_eq!(
            // The plus sign is not encoded, so it arrives as a space.
            read("from=2026-01-31T13:00:00+01:00&to=2026-01-31"),
            Ok(doc! { "_id": { "$gte": first(noon), "$lte": last(end_of_day) } })
        );
    }

    #[test]
    fn invalid_parameters_are_named() {
        let long = format!("band={}", "é".repeat(201));
        for (query, field) in [
            ("route=GRPC", "route"),
            ("route[$ne]=x", "route[$ne]"),
            (&long, "band"),
            ("band=a%0Ab", "band"),
            ("from=yesterday", "from"),
            ("to=2026-13-01T00:00:00Z", "to"),
            ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
            ("from=2026-01-02&to=2026-01-01", "to"),
        ] {
            assert_eq!(read(query), Err(vec![field.to_owned()]), "{query}");
        }
        assert!(read(&format!("band={}", "é".repeat(200))).is_ok());
    }
}
