//! A collector that keeps the spans it receives: OTLP over gRPC and over HTTP, on one free port each.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A span, and the name of the service that created it.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedSpan {
    pub(crate) service: String,
    pub(crate) span: Span,
}

/// The spans that the collector has received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collector(Arc<Mutex<Vec<ReceivedSpan>>>);

impl Collector {
    /// Receives OTLP over gRPC. Returns the address.
    pub(crate) async fn listen_grpc(&self) -> String {
        let (listener, address) = listener().await;
        let service = TraceServiceServer::new(self.clone());
        let server = Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        format!("http://{address}")
    }

    /// Receives OTLP over HTTP/1.1 at `/v1/traces`. Returns the address.
    pub(crate) async fn listen_http(&self) -> String {
        let (listener, address) = listener().await;
        let collector = self.clone();
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                tokio::spawn(serve_http(collector.clone(), connection));
            }
        });
        format!("http://{address}")
    }

    pub(crate) fn spans(&self) -> Vec<ReceivedSpan> {
        self.0.lock().unwrap().clone()
    }

    /// The spans of one trace, whose id is given in hex.
    pub(crate) fn trace(&self, trace_id: &str) -> Vec<ReceivedSpan> {
        let mut spans = self.spans();
        spans.retain(|received| hex(&received.span.trace_id) == trace_id);
        spans
    }

    fn add(&self, request: ExportTraceServiceRequest) {
        for of_resource in request.resource_spans {
            let attributes = of_resource.resource.unwrap().attributes;
            let service = text_attribute(&attributes, "service.name").unwrap();
            let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.0.lock().unwrap().extend(spans.map(|span| ReceivedSpan {
                service: service.clone(),
                span,
            }));
        }
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.add(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves the requests of one connection. Enough of HTTP for a client that sends `Content-Length`.
async fn serve_http(collector: Collector, mut connection: TcpStream) {
    let mut received = BytesMut::new();
    while connection
        .read_buf(&mut received)
        .await
        .is_ok_and(|length| length > 0)
    {
        let Some(head_end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&received[..head_end]).to_lowercase();
        assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        let body_start = head_end + 4;
        if received.len() < body_start + length {
            continue;
        }
        let body = received.split_to(body_start + length).split_off(body_start);
        collector.add(ExportTraceServiceRequest::decode(body).unwrap());
        let response =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        connection.write_all(response).await.unwrap();
    }
}

pub(crate) fn text_attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == name)?;
    match &attribute.value {
        Some(AnyValue {
            value: Some(Value::StringValue(text)),
        }) => Some(text.clone()),
        _ => None,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}
