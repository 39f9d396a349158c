//! Cross-origin requests: which web pages may call a service from a browser. Off by default.

use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may keep the answer to a preflight request. Two hours is the most that Chromium keeps.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(2);

/// Options for calls from web pages, the same on each route.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CorsArgs {
    /// Origin whose web pages may send votes from a browser, such as https://votes.example; `*` allows every origin. Can be
    /// repeated or be a list with commas. Without this option browsers block such pages, and gRPC-Web is off
    #[arg(long, env = "CORS_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',', value_parser = parse_origin)]
    pub cors_allow_origin: Vec<AllowedOrigin>,
}

/// An origin whose pages may call the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Every origin.
    Any,
    /// One origin, as browsers write it in the header `Origin`.
    One(HeaderValue),
}

impl CorsArgs {
    /// The middleware that answers preflight requests and adds the CORS headers to every response. `None` if no origin is
    /// allowed. Pages may send `request_headers` and read `response_headers`, in addition to those that CORS always allows.
    pub fn layer(
        &self,
        request_headers: impl IntoIterator<Item = HeaderName>,
        response_headers: impl IntoIterator<Item = HeaderName>,
    ) -> Option<CorsLayer> {
        let layer = CorsLayer::new()
            .allow_origin(self.allow_origin()?)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(request_headers.into_iter().collect::<Vec<_>>())
            .expose_headers(response_headers.into_iter().collect::<Vec<_>>())
            .max_age(PREFLIGHT_MAX_AGE);
        Some(layer)
    }

    /// The settings, for the effective configuration.
    pub fn settings(&self) -> impl IntoIterator<Item = (&'static str, String)> + use<> {
        let origins: Vec<_> = self.cors_allow_origin.iter().map(ToString::to_string).collect();
        let origins = if origins.is_empty() {
            "none".to_owned()
        } else {
            origins.join(",")
        };
        [("cors_allow_origin", origins)]
    }

    fn allow_origin(&self) -> Option<AllowOrigin> {
        let mut origins = Vec::new();
        for origin in &self.cors_allow_origin {
            match origin {
                AllowedOrigin::Any => return Some(AllowOrigin::any()),
                AllowedOrigin::One(origin) => origins.push(origin.clone()),
            }
        }
        (!origins.is_empty()).then(|| AllowOrigin::list(origins))
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::One(origin) => f.write_str(&String::from_utf8_lossy(origin.as_bytes())),
        }
    }
}

/// Parses an origin: a scheme, a host and a port, or `*`. Writes it as browsers do: in lower case, without the default port.
fn parse_origin(text: &str) -> Result<AllowedOrigin, String> {
    let text = text.trim();
    if text == "*" {
        return Ok(AllowedOrigin::Any);
    }
    let example = "write a scheme, a host and a port if it is not the default, such as https://votes.example or \
                   http://127.0.0.1:3000";
    if text == "null" {
        return Err(format!(
            "null is the origin of files and of sandboxed pages, and any page can have it; {example}"
        ));
    }
    let uri: Uri = text
        .parse()
        .map_err(|_| format!("{text:?} is not an origin; {example}"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(format!("{text:?} has no scheme; {example}"));
    };
    if authority.as_str().contains('@') {
        return Err(format!("an origin has no user name or password; {example}"));
    }
    if authority.host().contains('*') {
        return Err(format!(
            "{text:?} is a pattern; name each origin, or allow every origin with *"
        ));
    }
    if authority.port_u16().is_none() && authority.as_str() != authority.host() {
        return Err(format!("{text:?} has an invalid port; {example}"));
    }
    let (scheme, host) = (scheme.to_ascii_lowercase(), authority.host().to_ascii_lowercase());
    let port = match (scheme.as_str(), authority.port_u16()) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    let origin = format!("{scheme}://{host}{port}");
    if text.len() > scheme.len() + "://".len() + authority.as_str().len() {
        return Err(format!("an origin has no path; write {origin}"));
    }
    HeaderValue::try_from(origin)
        .map(AllowedOrigin::One)
        .map_err(|_| format!("{text:?} is not an origin; {example}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        cors: CorsArgs,
    }

    fn parse(options: &[&str]) -> Result<CorsArgs, clap::Error> {
        Cli::try_parse_from([&["test"], options].concat()).map(|cli| cli.cors)
    }

    fn origins(options: &[&str]) -> String {
        let settings = parse(options).unwrap().settings();
        settings.into_iter().next().unwrap().1
    }

    #[test]
    fn cors_is_off_by_default() {
        let args = parse(&[]).unwrap();
        assert!(args.layer([], []).is_none());
        assert_eq!(origins(&[]), "none");
    }

    #[test]
    fn origins_are_repeated_or_a_list_and_are_written_as_browsers_write_them() {
        let options = [
            "--cors-allow-origin",
            "https://Votes.Example:443, http://127.0.0.1:3000",
            "--cors-allow-origin",
            "http://[::1]:80",
        ];
        assert_eq!(
            origins(&options),
            "https://votes.example,http://127.0.0.1:3000,http://[::1]"
        );
        assert!(parse(&options).unwrap().layer([], []).is_some());
        assert_eq!(origins(&["--cors-allow-origin", "*"]), "*");
        // The library panics at a list that contains `*`.
        let mixed = parse(&["--cors-allow-origin", "https://a.example,*"]).unwrap();
        assert!(mixed.layer([], []).is_some());
    }

    #[test]
    fn origin_that_no_browser_sends_is_refused_with_the_reason() {
        for (text, reason) in [
            ("votes.example", "scheme"),
            ("localhost:3000", "scheme"),
            ("https://votes.example/", "write https://votes.example"),
            ("https://votes.example/page?x=1", "write https://votes.example"),
            ("https://*.example", "pattern"),
            ("https://user:secret@votes.example", "user name"),
            ("https://votes.example:", "invalid port"),
            ("https://votes.example:99999", "invalid port"),
            ("https://vótes.example", "not an origin"),
            ("https://", "not an origin"),
            ("null", "null"),
            ("", "not an origin"),
        ] {
            let error = parse(&["--cors-allow-origin", text]).unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
