//! Other spellings of a path.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

/// The URI with a path that has no percent-encoding, no empty segments and no slash at its end, such as `/v1/votes:batch`
/// for `//v1/votes%3Abatch/`. `None` if the path is already in this form, or is no path (`OPTIONS *`).
pub(crate) fn normalised_uri(uri: &Uri) -> Option<Uri> {
    let decoded = percent_decode_str(uri.path()).decode_utf8().ok()?;
    let segments: Vec<_> = decoded.split('/').filter(|segment| !segment.is_empty()).collect();
    let path = format!("/{}", segments.join("/"));
    if path == uri.path() || !uri.path().starts_with('/') {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(uri: &str) -> Option<String> {
        normalised_uri(&uri.parse().unwrap()).map(|uri| uri.to_string())
    }

    #[test]
    fn other_spellings_of_a_path_are_normalised() {
        for (uri, expected) in [
            ("/v1/votes/", "/v1/votes"),
            ("/v1/votes%3Abatch", "/v1/votes:batch"),
            ("/v1/votes%3abatch/?x=1", "/v1/votes:batch"),
            ("//v1//votes", "/v1/votes"),
            ("/%76%31/votes", "/v1/votes"),
            ("//", "/"),
            ("/insert///", "/insert"),
        ] {
            assert_eq!(normalised(uri).as_deref(), Some(expected), "{uri}");
        }
    }

    #[test]
    fn normal_and_undecodable_paths_are_unchanged() {
        for uri in ["/", "/v1/votes", "/V1/Votes", "/x?y=%3A", "/%ff", "*"] {
            assert_eq!(normalised(uri), None, "{uri}");
        }
    }
}
