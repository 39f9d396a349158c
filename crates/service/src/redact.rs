//! Removes passwords from URLs before they are logged.

/// Returns `url` with its password, if there is one, replaced by `***`.
pub fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    match authority.rsplit_once('@') {
        Some((credentials, hosts)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{hosts}{tail}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_is_hidden() {
        let cases = [
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("redis://:secret@cache:6379/0", "redis://:***@cache:6379/0"),
            (
                "mongodb://me:p@ss@a:1,b:2/?replicaSet=rs0",
                "mongodb://me:***@a:1,b:2/?replicaSet=rs0",
            ),
            ("mongodb://a:1/?tag=x@y", "mongodb://a:1/?tag=x@y"),
            ("not a url", "not a url"),
        ];
        for (url, expected) in cases {
            assert_eq!(redact(url), expected);
        }
    }
}
