//! Filters on the log.

use std::borrow::Cow;

use mongodb::bson::{DateTime, Document, doc};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::query::{FromParameters, Parameters};

/// All routes.
pub(crate) const ROUTES: [&str; 3] = ["rest", "grpc", "bridge"];
/// Longest name of a band, in characters: the limit for votes.
const MAX_BAND_CHARS: usize = 200;

/// Conditions that all must hold. Every value is validated, and a query contains values only, never operators from a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    route: Option<&'static str>,
    band: Option<String>,
    from: Option<DateTime>,
    to: Option<DateTime>,
}

impl FromParameters for Filter {
    fn take(parameters: &mut Parameters) -> Self {
        let filter = Self {
            route: parameters.take("route", parse_route),
            band: parameters.take("band", parse_band),
            from: parameters.take("from", parse_time),
            to: parameters.take("to", parse_time),
        };
        if filter.from.zip(filter.to).is_some_and(|(from, to)| from > to) {
            parameters.reject("to", "must not be before from");
        }
        filter
    }
}

impl Filter {
    /// The filter as a MongoDB condition.
    pub(super) fn condition(&self) -> Document {
        let mut condition = Document::new();
        if let Some(route) = self.route {
            condition.insert("route", route);
        }
        if let Some(band) = &self.band {
            condition.insert("name", band);
        }
        let mut received = Document::new();
        if let Some(from) = self.from {
            received.insert("$gte", from);
        }
        if let Some(to) = self.to {
            received.insert("$lte", to);
        }
        if !received.is_empty() {
            condition.insert("received_at", received);
        }
        condition
    }

    /// The filter as a MongoDB condition, combined with another condition.
    pub(super) fn condition_and(&self, other: Document) -> Document {
        doc! { "$and": [self.condition(), other] }
    }
}

/// Parses the name of a route.
pub(crate) fn parse_route(text: &str) -> Result<&'static str, Cow<'static, str>> {
    let known = ROUTES.into_iter().find(|route| *route == text);
    known.ok_or_else(|| format!("must be one of {}", ROUTES.join(", ")).into())
}

/// Parses the name of a band, exactly as in the votes.
pub(crate) fn parse_band(text: &str) -> Result<String, Cow<'static, str>> {
    let is_valid = text.chars().count() <= MAX_BAND_CHARS && !text.contains(char::is_control);
    if is_valid {
        Ok(text.to_owned())
    } else {
        Err("must have 1 to 200 characters and no control characters".into())
    }
}

fn parse_time(text: &str) -> Result<DateTime, Cow<'static, str>> {
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(time) => Ok(DateTime::from_millis(
            (time.unix_timestamp_nanos() / 1_000_000) as i64,
        )),
        Err(_) => Err("must be a time such as 2026-01-31T18:00:00Z".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Document, Vec<String>> {
        let mut parameters = Parameters::parse(query);
        let filter = Filter::take(&mut parameters);
        match parameters.finish() {
            Ok(()) => Ok(filter.condition()),
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
        let noon = DateTime::from_millis(1_769_860_800_000);
        assert_eq!(
            read("from=2026-01-31T12:00:00Z&to=2026-01-31T13:00:00.000%2B01:00"),
            Ok(doc! { "received_at": { "$gte": noon, "$lte": noon } })
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
        ] {
            assert_eq!(read(query), Err(vec![field.to_owned()]), "{query}");
        }
        assert!(read(&format!("band={}", "é".repeat(200))).is_ok());
    }
}
