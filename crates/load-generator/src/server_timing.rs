//! The server's stage times of one vote: the W3C header `server-timing`, in ms.

use experiment_model::sample::ServerTiming;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The request header that requests stage times.
pub const REQUEST_HEADER: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-dualpath-timing"),
    HeaderValue::from_static("1"),
);
const RESPONSE_HEADER: HeaderName = HeaderName::from_static("server-timing");

/// The stage times in an answer's headers; `None` if any of them is missing.
pub fn from_headers(headers: &HeaderMap) -> Option<ServerTiming> {
    parse(headers.get(RESPONSE_HEADER)?.to_str().ok()?)
}

fn parse(text: &str) -> Option<ServerTiming> {
    let duration = |name: &str| -> Option<f64> {
        let mut metrics = text.split(',').map(str::trim);
        let parameters = metrics.find_map(|metric| metric.strip_prefix(name)?.strip_prefix(';'))?;
        let mut parameters = parameters.split(';').map(str::trim);
        parameters
            .find_map(|parameter| parameter.strip_prefix("dur="))?
            .parse()
            .ok()
    };
    Some(ServerTiming {
        decode: duration("decode")?,
        validate: duration("validate")?,
        encode: duration("encode")?,
        publish: duration("publish")?,
        reply: duration("reply")?,
        total: duration("total")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_stage_makes_the_timing_absent() {
        let text = "decode;dur=0.004, validate;dur=0.002, encode;dur=0.001, publish;dur=1.25, reply;dur=0.01, total;dur=1.5";
        let timing = parse(text).unwrap();
        assert_eq!((timing.decode, timing.publish, timing.total), (0.004, 1.25, 1.5));
        assert_eq!(parse("total;dur=1.5"), None);
        assert_eq!(parse(&text.replace("dur=1.25", "desc=x")), None);
    }
}
