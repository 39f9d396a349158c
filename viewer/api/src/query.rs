//! Query parameters. Every error names its parameter, and unknown parameters are errors.

use std::borrow::Cow;
use std::str::FromStr;

use http::request::Parts;

use crate::problem::{FieldError, Problem};

/// Longest query that is parsed, in bytes: longer than the longest valid one.
const MAX_BYTES: usize = 4 * 1024;

/// The parameters of a request. The parser takes them by name, and [`Self::finish`] rejects the remaining ones.
#[derive(Debug)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Parameters {
    /// Parses a query string without its question mark.
    pub(crate) fn parse(query: &str) -> Self {
        let mut parameters = Self {
            pairs: Vec::new(),
            errors: Vec::new(),
        };
        if query.len() > MAX_BYTES {
            parameters.reject("query", "is too long");
            return parameters;
        }
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if parameters.pairs.iter().any(|(known, _)| *known == name) {
                parameters.reject(&name, "must be given once");
            } else {
                parameters.pairs.push((name, value));
            }
        }
        parameters
    }

    /// Takes a parameter. An empty value counts as absent, because forms send empty values.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Cow<'static, str>>,
    ) -> Option<T> {
        let index = self.pairs.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.pairs.swap_remove(index);
        if value.is_empty() {
            return None;
        }
        match parse(&value) {
            Ok(parsed) => Some(parsed),
            Err(message) => {
                self.reject(name, message);
                None
            }
        }
    }

    /// Takes an integer within bounds, or returns the default.
    pub(crate) fn take_number<N>(&mut self, name: &str, lowest: N, highest: N, default: N) -> N
    where
        N: Copy + FromStr + PartialOrd + std::fmt::Display,
    {
        let number = self.take(name, |text| match text.parse::<N>() {
            Ok(number) if lowest <= number && number <= highest => Ok(number),
            Ok(_) | Err(_) => Err(format!("must be a whole number from {lowest} to {highest}").into()),
        });
        number.unwrap_or(default)
    }

    /// Adds an error for a parameter.
    pub(crate) fn reject(&mut self, name: &str, message: impl Into<Cow<'static, str>>) {
        // An unknown name is repeated in the response, so its length is bounded.
        let field = name.chars().take(64).collect();
        let message = message.into();
        self.errors.push(FieldError { field, message });
    }

    /// Fails if there are errors or unknown parameters.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            self.reject(&name, "is not a parameter of this address");
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::Parameters(self.errors))
        }
    }
}

/// A value that is parsed from parameters.
pub(crate) trait FromParameters: Sized {
    /// Takes the value's parameters. Errors are collected in `parameters`.
    fn take(parameters: &mut Parameters) -> Self;
}

/// An extractor of validated parameters.
#[derive(Debug)]
pub(crate) struct Valid<T>(pub T);

impl<T: FromParameters, S: Sync> axum::extract::FromRequestParts<S> for Valid<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut parameters = Parameters::parse(parts.uri.query().unwrap_or_default());
        let value = T::take(&mut parameters);
        parameters.finish().map(|()| Self(value))
    }
}

/// No parameters.
impl FromParameters for () {
    fn take(_: &mut Parameters) -> Self {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(query: &str) -> Vec<String> {
        let mut parameters = Parameters::parse(query);
        parameters.take_number("limit", 1, 200, 20);
        match parameters.finish() {
            Err(Problem::Parameters(errors)) => errors.into_iter().map(|error| error.field).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_invalid_parameter_is_named() {
        assert!(errors("limit=200").is_empty());
        assert!(errors("").is_empty());
        assert!(errors("limit=").is_empty());
        assert_eq!(errors("limit=0"), ["limit"]);
        assert_eq!(errors("limit=201&x=1"), ["limit", "x"]);
        assert_eq!(errors("limit=1&limit=2"), ["limit"]);
        assert_eq!(errors("limit=-1"), ["limit"]);
        assert_eq!(errors("%24where=1"), ["$where"]);
        assert_eq!(errors(&format!("a={}", "x".repeat(MAX_BYTES))), ["query"]);
    }

    #[test]
    fn values_are_decoded_and_defaults_apply() {
        let mut parameters = Parameters::parse("band=Alux+Nahual%20%C3%A9");
        assert_eq!(
            parameters.take("band", |text| Ok(text.to_owned())).as_deref(),
            Some("Alux Nahual é")
        );
        assert_eq!(parameters.take_number("limit", 1, 200, 20), 20);
        assert!(parameters.finish().is_ok());
    }
}
