//! Cross-origin requests: a page of an allowed origin can read every response, errors included.

use axum::body::Body;
use axum::http::{HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::api::{Api, BATCH, Response, SINGLE, json_vote, send};

const ALLOWED: &str = "https://votes.example";
const REFUSED: &str = "https://evil.example";

fn api() -> Api {
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list([HeaderValue::from_static(ALLOWED)]))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(http_api::REQUEST_HEADERS)
        .expose_headers(http_api::RESPONSE_HEADERS);
    Api::with_cors(Some(cors))
}

fn allowed_origin(response: &Response) -> Option<&str> {
    response.header("access-control-allow-origin")
}

async fn preflight(api: &Api, path: &str, origin: &str) -> Response {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,idempotency-key"),
    ];
    api.send(Method::OPTIONS, path, &headers, "").await
}

#[tokio::test]
async fn preflight_of_an_allowed_origin_names_methods_and_headers() {
    let api = api();
    for path in [SINGLE, BATCH, "/", "/insert"] {
        let response = preflight(&api, path, ALLOWED).await;
        response.assert_accepted();
        assert_eq!(allowed_origin(&response), Some(ALLOWED));
        assert!(
            response
                .header("access-control-allow-methods")
                .unwrap()
                .contains("POST")
        );
        let headers = response.header("access-control-allow-headers").unwrap();
        for name in [
            "content-type",
            "content-encoding",
            "idempotency-key",
            "traceparent",
            "tracestate",
            "x-canary",
        ] {
            assert!(headers.contains(name), "{headers}");
        }
        assert!(response.header("vary").unwrap().contains("origin"));
    }
}

#[tokio::test]
async fn every_response_to_an_allowed_origin_can_be_read() {
    let api = api();
    let vote = json_vote().to_string();
    let origin = ("origin", ALLOWED);
    for (path, headers, body, status) in [
        (SINGLE, [origin].as_slice(), vote.clone(), 202),
        (BATCH, &[origin], format!("[{vote}]"), 200),
        (SINGLE, &[origin], String::new(), 400),
        (SINGLE, &[origin], "{}".to_owned(), 422),
        (SINGLE, &[origin], "x".repeat(20_000), 413),
        (
            SINGLE,
            &[origin, ("content-type", "text/plain")],
            vote.clone(),
            415,
        ),
        (SINGLE, &[origin, ("content-encoding", "br")], vote.clone(), 415),
        ("/unknown", &[origin], vote.clone(), 404),
        ("/openapi.json", &[origin], vote.clone(), 405),
        ("/v1/votes/", &[origin], vote.clone(), 202),
    ] {
        let response = api.post(path, headers, body).await;
        assert_eq!(response.status, status, "{path}");
        assert_eq!(allowed_origin(&response), Some(ALLOWED), "{path} {status}");
        let exposed = response.header("access-control-expose-headers").unwrap();
        for name in ["x-ingest-route", "retry-after", "server-timing"] {
            assert!(exposed.contains(name), "{exposed}");
        }
    }
    let overloaded = send(
        api.overload_router.clone(),
        Method::POST,
        SINGLE,
        &[origin],
        Body::from(vote),
    )
    .await;
    overloaded.detail(429);
    assert_eq!(allowed_origin(&overloaded), Some(ALLOWED));
    assert_eq!(overloaded.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn another_origin_gets_no_permission() {
    let api = api();
    for origin in [
        REFUSED,
        "null",
        "http://votes.example",
        "https://votes.example.evil.example",
    ] {
        let response = preflight(&api, SINGLE, origin).await;
        assert_eq!(allowed_origin(&response), None, "{origin}");
        let response = api
            .post(SINGLE, &[("origin", origin)], json_vote().to_string())
            .await;
        assert_eq!(allowed_origin(&response), None, "{origin}");
    }
}

#[tokio::test]
async fn cross_origin_requests_are_off_by_default() {
    let api = Api::new();
    let response = preflight(&api, SINGLE, ALLOWED).await;
    assert_eq!((response.status.as_u16(), allowed_origin(&response)), (204, None));
    let response = api
        .post(SINGLE, &[("origin", ALLOWED)], json_vote().to_string())
        .await;
    response.assert_accepted();
    assert!(
        !response
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control"))
    );
}
