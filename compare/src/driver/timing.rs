//! What a server tells about a vote, where it is asked to: the `server-timing` header of the W3C, in ms.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::data::ServerTiming;

/// Asks for the times of a call.
pub const ASKS: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-dualpath-timing"),
    HeaderValue::from_static("1"),
);
const TELLS: HeaderName = HeaderName::from_static("server-timing");

/// The times that the head of an answer tells; None if it does not tell them all.
pub fn told(headers: &HeaderMap) -> Option<ServerTiming> {
    parse(headers.get(TELLS)?.to_str().ok()?)
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
    fn the_times_are_told_all_or_not_at_all() {
        let text = "decode;dur=0.004, validate;dur=0.002, encode;dur=0.001, publish;dur=1.25, reply;dur=0.01, total;dur=1.5";
        let timing = parse(text).unwrap();
        assert_eq!((timing.decode, timing.publish, timing.total), (0.004, 1.25, 1.5));
        assert_eq!(parse("total;dur=1.5"), None);
        assert_eq!(parse(&text.replace("dur=1.25", "desc=x")), None);
    }
}
