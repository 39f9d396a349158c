//! The checked-in OpenAPI description is current.

#[test]
fn openapi_json_is_current() {
    let checked_in = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let fresh = http_api::openapi_json() + "\n";
    if std::env::var_os("DUALPATH_BLESS").is_some() {
        std::fs::write(checked_in, &fresh).unwrap();
    }
    let current = std::fs::read_to_string(checked_in).unwrap_or_default() == fresh;
    assert!(
        current,
        "openapi.json is stale; run: DUALPATH_BLESS=1 cargo test -p http-api"
    );
    assert!(fresh.contains("\"openapi\": \"3.1"));
}
