//! The built page and its files.

use std::path::Path;

use axum::Router;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LAST_MODIFIED};
use tower::ServiceBuilder;
use tower::util::MapResponseLayer;
use tower_http::services::fs::ServeFileSystemResponseBody;
use tower_http::services::{ServeDir, ServeFile};

use crate::problem::Problem;

/// The page's own addresses: one document shows them all.
const PAGES: [&str; 3] = ["/", "/tallies", "/compare"];
/// The folder of files whose names change with their content.
const ASSETS: &str = "/assets";
/// A browser asks again before it shows the document, so that a new version is seen at once.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const A_WHILE: HeaderValue = HeaderValue::from_static("public, max-age=3600");

type FileResponse = http::Response<ServeFileSystemResponseBody>;

/// Everything of the page. The files may come later than this service.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(directory: &Path) -> Router<S> {
    let document = ServiceBuilder::new()
        .layer(MapResponseLayer::new(as_document))
        .service(compressed_file(&directory.join("index.html")));
    let assets = ServiceBuilder::new()
        .layer(MapResponseLayer::new(|response| cached(response, FOR_EVER)))
        .service(compressed_directory(&directory.join("assets")));
    let others = ServiceBuilder::new()
        .layer(MapResponseLayer::new(|response| cached(response, A_WHILE)))
        .service(compressed_directory(directory));
    let router = PAGES.iter().fold(Router::new(), |router, path| {
        router.route_service(path, document.clone())
    });
    router.nest_service(ASSETS, assets).fallback_service(others)
}

// `vite build` leaves a compressed file beside each text file.

fn compressed_file(file: &Path) -> ServeFile {
    ServeFile::new(file).precompressed_br().precompressed_gzip()
}

fn compressed_directory(directory: &Path) -> ServeDir {
    ServeDir::new(directory)
        .append_index_html_on_directories(false)
        .redirect_to_trailing_slash(false)
        .precompressed_br()
        .precompressed_gzip()
}

fn as_document(response: FileResponse) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        return not_built();
    }
    let mut response = cached(response, ASK_AGAIN);
    // An image gives all its files one time, whatever is in them: by that, a new version would look unchanged.
    response.headers_mut().remove(LAST_MODIFIED);
    response
}

/// How long a browser may keep a file; what is no file is a problem document like any other.
fn cached(response: FileResponse, keep: HeaderValue) -> Response {
    match response.status() {
        StatusCode::NOT_FOUND => Problem::NotFound.into_response(),
        StatusCode::METHOD_NOT_ALLOWED => Problem::MethodNotAllowed.into_response(),
        _ => {
            let mut response = response.into_response();
            response.headers_mut().insert(CACHE_CONTROL, keep);
            response
        }
    }
}

fn not_built() -> Response {
    let text = "The page is not built: see viewer/README.md. The API is at /api/.\n";
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::NOT_FOUND, headers, text).into_response()
}
