//! The files of the built web page.

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

/// The addresses of pages. The same document serves all of them.
const PAGES: [&str; 3] = ["/", "/tallies", "/compare"];
/// The directory of files whose names contain a hash of their content.
const ASSETS: &str = "/assets";
/// For the document: the browser revalidates it each time, so that it loads a new version at once.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// For files whose names contain a hash.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For all other files, such as icons.
const ONE_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

type FileResponse = http::Response<ServeFileSystemResponseBody>;

/// Serves the files below `directory`. They may be created after the service has started.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(directory: &Path) -> Router<S> {
    let document = ServiceBuilder::new()
        .layer(MapResponseLayer::new(as_document))
        .service(compressed_file(&directory.join("index.html")));
    let assets = ServiceBuilder::new()
        .layer(MapResponseLayer::new(|response| cached(response, IMMUTABLE)))
        .service(compressed_directory(&directory.join("assets")));
    let others = ServiceBuilder::new()
        .layer(MapResponseLayer::new(|response| cached(response, ONE_HOUR)))
        .service(compressed_directory(directory));
    let router = PAGES.iter().fold(Router::new(), |router, path| {
        router.route_service(path, document.clone())
    });
    router.nest_service(ASSETS, assets).fallback_service(others)
}

// `vite build` writes a compressed file beside each text file.

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
    let mut response = cached(response, REVALIDATE);
    // In a container image all files have the same modification time, so a new version would look unmodified.
    response.headers_mut().remove(LAST_MODIFIED);
    response
}

/// Adds the cache policy. A missing file becomes a problem document.
fn cached(response: FileResponse, policy: HeaderValue) -> Response {
    match response.status() {
        StatusCode::NOT_FOUND => Problem::NotFound.into_response(),
        StatusCode::METHOD_NOT_ALLOWED => Problem::MethodNotAllowed.into_response(),
        _ => {
            let mut response = response.into_response();
            response.headers_mut().insert(CACHE_CONTROL, policy);
            response
        }
    }
}

fn not_built() -> Response {
    let text = "The page is not built: see viewer/README.md. The API is at /api/.\n";
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::NOT_FOUND, headers, text).into_response()
}
