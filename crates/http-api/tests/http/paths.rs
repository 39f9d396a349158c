//! Other spellings of a path, other methods, and unknown paths.

use axum::http::Method;

use crate::api::{Api, BATCH, SINGLE, json_vote};

const SINGLE_PATHS: [&str; 4] = [SINGLE, "/", "/insert", "/send_data"];

#[tokio::test]
async fn other_spellings_of_a_path_are_served() {
    let api = Api::new();
    let vote = json_vote().to_string();
    for path in [
        "/v1/votes",
        "/v1/votes/",
        "/v1/votes?source=test",
        "/v1/votes/?source=test",
        "//v1/votes",
        "/%76%31/votes",
        "/insert/",
        "/send_data//",
        "//",
        "/?x=1",
    ] {
        let response = api.post(path, &[], vote.clone()).await;
        assert_eq!(response.status, 202, "{path}");
    }
    for path in [
        "/v1/votes:batch/",
        "/v1/votes%3Abatch",
        "/v1/votes%3abatch/",
        "//v1/votes:batch",
    ] {
        let response = api.post(path, &[], format!("[{vote}]")).await;
        assert_eq!(response.accepted_votes(), 1, "{path}");
    }
    let response = api.send(Method::GET, "/openapi.json/", &[], "").await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn unknown_path_names_the_existing_ones() {
    let api = Api::new();
    for path in [
        "/v1/vote",
        "/V1/VOTES",
        "/v1/votes/x",
        "/v1/votes%2Fbatch",
        "/v1/votes:batch:x",
        "/v1/%ff",
    ] {
        let detail = api.post(path, &[], json_vote().to_string()).await.detail(404);
        assert!(detail.contains("/v1/votes"), "{detail}");
    }
}

#[tokio::test]
async fn other_methods_are_answered_with_the_allowed_ones() {
    let api = Api::new();
    for path in ["/openapi.json", "/openapi.json/"] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let response = api.send(method, path, &[], "").await;
            assert!(response.detail(405).contains("read this path with GET"));
            assert_eq!(response.header("allow"), Some("GET,HEAD"));
        }
    }
    for path in [SINGLE, BATCH, "/insert", "/send_data", "/v1/votes/"] {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::TRACE] {
            let response = api.send(method, path, &[], "").await;
            assert!(response.detail(405).contains("send votes with POST"));
            assert_eq!(response.header("allow"), Some("POST"), "{path}");
        }
    }
    let response = api.send(Method::DELETE, "/", &[], "").await;
    assert!(response.detail(405).contains("GET answers"));
    let allowed = response.header("allow").unwrap();
    assert!(allowed.contains("POST") && allowed.contains("GET"), "{allowed}");
}

#[tokio::test]
async fn head_and_options_describe_a_path() {
    let api = Api::new();
    for path in ["/", "/openapi.json"] {
        let response = api.send(Method::HEAD, path, &[], "").await;
        assert_eq!(
            (response.status.as_u16(), response.body.len()),
            (200, 0),
            "{path}"
        );
    }
    let response = api.send(Method::HEAD, SINGLE, &[], "").await;
    assert_eq!(response.status, 405);
    assert_eq!(response.header("allow"), Some("POST"));
    for path in SINGLE_PATHS.into_iter().chain([BATCH, "/openapi.json"]) {
        let response = api.send(Method::OPTIONS, path, &[], "").await;
        assert_eq!(
            (response.status.as_u16(), response.body.len()),
            (204, 0),
            "{path}"
        );
        assert!(response.header("allow").is_some(), "{path}");
    }
    let response = api.send(Method::OPTIONS, "*", &[], "").await;
    assert_eq!(response.status, 204);
    assert_eq!(response.header("allow"), Some("GET,HEAD,POST"));
    assert_eq!(api.send(Method::OPTIONS, "/unknown", &[], "").await.status, 404);
}
