//! Removes passwords from URLs and from lists of hosts before they are shown.
//!
//! The text may be invalid: a password that is not percent-encoded can contain every delimiter of a URL. So nothing before
//! the last `@` is shown except a plain user name, and the rest only if it has the form of hosts, a path and known options.

/// Replaces what cannot be shown.
const HIDDEN: &str = "***";

/// Options of MongoDB, Redis and Prometheus URLs whose values are shown. Values of other options may be secrets, such as
/// `authMechanismProperties` and `tlsCertificateKeyFilePassword`.
const SHOWN_OPTIONS: [&str; 22] = [
    "appName",
    "authMechanism",
    "authSource",
    "compressors",
    "connectTimeoutMS",
    "db",
    "directConnection",
    "heartbeatFrequencyMS",
    "journal",
    "maxPoolSize",
    "minPoolSize",
    "protocol",
    "readConcernLevel",
    "readPreference",
    "replicaSet",
    "retryReads",
    "retryWrites",
    "serverSelectionTimeoutMS",
    "socketTimeoutMS",
    "ssl",
    "tls",
    "w",
];

/// Returns `url` without its secrets. Each is replaced by `***`: the password, a user without a password, and the values of
/// options that may be secrets. The whole text is replaced if it is not a URL.
pub fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return HIDDEN.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((credentials, location)) => format!(
            "{scheme}://{}@{}",
            redact_credentials(credentials),
            redact_location(location)
        ),
        None => format!("{scheme}://{}", redact_location(rest)),
    }
}

/// Returns a comma-separated list of hosts without what may contain a password: the entries that are not `host:port`, and
/// all entries up to the last `@`, because a password may contain commas.
pub fn redact_hosts(hosts: &str) -> String {
    let (credentials, hosts) = hosts
        .rsplit_once('@')
        .map_or((None, hosts), |(_, hosts)| (Some(HIDDEN), hosts));
    // The host after `@` is a part of the hidden entry.
    let hosts = hosts.split(',').skip(usize::from(credentials.is_some()));
    let shown = hosts.map(|host| if is_host(host) { host } else { HIDDEN });
    credentials.into_iter().chain(shown).collect::<Vec<_>>().join(",")
}

/// Returns `text` with each of `values` replaced by its redacted form. Values that are neither a URL nor have credentials
/// are not secrets.
pub fn redact_values<'a>(text: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    let mut secrets: Vec<&str> = values
        .into_iter()
        .filter(|value| value.contains("://") || value.contains('@'))
        .collect();
    // A value may be a part of another one.
    secrets.sort_by_key(|value| std::cmp::Reverse(value.len()));
    secrets.into_iter().fold(text.to_owned(), |text, value| {
        let shown = if value.contains("://") {
            redact(value)
        } else {
            redact_hosts(value)
        };
        text.replace(value, &shown)
    })
}

/// A user with a password is shown if its name is plain. A user without a password may itself be a token.
fn redact_credentials(credentials: &str) -> String {
    match credentials.split_once(':') {
        Some((user, password)) if !password.is_empty() && user.chars().all(is_plain) => {
            format!("{user}:{HIDDEN}")
        }
        _ => HIDDEN.to_owned(),
    }
}

/// Redacts what follows the credentials: hosts, path and options.
fn redact_location(location: &str) -> String {
    let (location, fragment) = split_before(location, '#');
    let (location, options) = split_before(location, '?');
    let (hosts, path) = split_before(location, '/');
    // A Unix socket has no host.
    let has_hosts = hosts.split(',').all(is_host) || (hosts.is_empty() && !path.is_empty());
    if !has_hosts || !path.chars().all(|letter| letter.is_ascii_graphic()) {
        return HIDDEN.to_owned();
    }
    let options = match options.strip_prefix('?') {
        Some("") => "?".to_owned(),
        Some(options) => {
            let shown: Vec<_> = options.split('&').map(redact_option).collect();
            format!("?{}", shown.join("&"))
        }
        None => String::new(),
    };
    let fragment = if fragment.is_empty() { "" } else { "#***" };
    format!("{hosts}{path}{options}{fragment}")
}

fn redact_option(option: &str) -> String {
    match option.split_once('=') {
        Some((name, value)) if is_shown_option(name) && value.chars().all(is_plain) => option.to_owned(),
        Some((name, _)) if !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric()) => {
            format!("{name}={HIDDEN}")
        }
        _ => HIDDEN.to_owned(),
    }
}

fn is_shown_option(name: &str) -> bool {
    SHOWN_OPTIONS.iter().any(|shown| shown.eq_ignore_ascii_case(name))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
}

/// A host name, an IPv4 address, an encoded socket path, or an IPv6 address in brackets; each with or without a port.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !text.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.chars().all(is_plain),
    };
    is_name && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// A character that is no delimiter of a URL.
fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._~%".contains(letter)
}

/// Splits before the first `delimiter`. The second part is empty without it.
fn split_before(text: &str, delimiter: char) -> (&str, &str) {
    text.split_at(text.find(delimiter).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_secrets_are_hidden() {
        let cases = [
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("redis://:secret@cache:6379/0", "redis://:***@cache:6379/0"),
            (
                "mongodb://me:p@ss@a:1,b:2/?replicaSet=rs0",
                "mongodb://me:***@a:1,b:2/?replicaSet=rs0",
            ),
            ("rediss://me:x@[::1]:6379/1", "rediss://me:***@[::1]:6379/1"),
            ("http://p:9090/prom/", "http://p:9090/prom/"),
            (
                "mongodb+srv://me:x@h.example/votes?tls=true&retryWrites=true",
                "mongodb+srv://me:***@h.example/votes?tls=true&retryWrites=true",
            ),
        ];
        for (url, expected) in cases {
            assert_eq!(redact(url), expected);
        }
        let hosts = "127.0.0.1:9092,[::1]:9092,kafka";
        assert_eq!(redact_hosts(hosts), hosts);
        assert_eq!(redact_hosts("a:1,me:secret@b:2,c:3"), "***,c:3");
        assert_eq!(redact_hosts("me:,secret,secret@b:2"), "***");
        assert_eq!(redact_hosts("a:1,me:secret"), "a:1,***");
    }

    #[test]
    fn secrets_outside_of_the_password_are_hidden() {
        for url in [
            "secret",
            "me:secret@host",
            "redis://secret@host",
            "http://secret:@host",
            "mongodb://me:secret",
            "mongodb://me:secret/db",
            "mongodb://me:pass/secret@host",
            "mongodb://host/?tlsCertificateKeyFilePassword=secret",
            "mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:secret",
            "unix:///run/redis.sock?db=1&pass=secret",
            "http://p/?secret",
            "http://p/#secret",
            "redis://secret@host/a:b@c",
            " me://u:secret@h",
        ] {
            assert!(!redact(url).contains("secret"), "{url}: {}", redact(url));
        }
    }

    #[test]
    fn values_are_redacted_inside_other_text() {
        let values = ["redis://me:secret@h", "run", "me:secret@k:1", "me:secret@k:12"];
        assert_eq!(
            redact_values("invalid 'redis://me:secret@h', run or me:secret@k:12", values),
            "invalid 'redis://me:***@h', run or ***"
        );
    }

    proptest! {
        /// The parts of the secret around each marker contain every delimiter.
        #[test]
        fn no_part_of_a_password_is_shown(
            scheme in "mongodb|mongodb\\+srv|redis|rediss|http|kafka",
            user in "[a-z/?#@:%&=, \\[\\]]{0,8}|\\PC{0,8}",
            parts in proptest::collection::vec("[/?#@:%&=,. \\[\\]0-9]{0,3}|[,@:]|\\PC{0,4}", 1..5),
            tail in "|/|/votes|/\\?replicaSet=rs0|:1/\\?w=majority|\\?a=b@c",
        ) {
            let secret = parts.join("s3CrEt") + "s3CrEt";
            let shown = redact(&format!("{scheme}://{user}:{secret}@host{tail}"));
            prop_assert!(!shown.contains("s3CrEt"), "{}", shown);
            prop_assert!(shown.starts_with(&(scheme + "://")));
            let shown = redact_hosts(&format!("{user}:{secret}@host:1"));
            prop_assert!(!shown.contains("s3CrEt"), "{}", shown);
        }
    }
}
