//! The variants that an experiment compares.

use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{Encoding, Version};

/// One way to send votes that the experiment compares with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name in the report.
    pub name: String,
    /// The route.
    pub route: Route,
    /// The HTTP version.
    pub version: Version,
    /// The encoding of votes.
    pub encoding: Encoding,
    /// The path to the route.
    #[serde(default)]
    pub via: Via,
    /// The implementation of the service. A stock service is a separate instance.
    #[serde(default, skip_serializing_if = "Implementation::is_ours")]
    pub service: Implementation,
    /// The implementation of the client.
    #[serde(default, skip_serializing_if = "Implementation::is_ours")]
    pub client: Implementation,
    /// Whether a connection serves more than one request; the default is `load.reuse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse: Option<bool>,
    /// TLS between the client and the service. A variant with TLS has a separate instance of its service.
    #[serde(default, skip_serializing_if = "Tls::is_off")]
    pub tls: Tls,
    /// Unanswered votes; the default is `load.in_flight`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<usize>,
    /// Additional command-line options of the service. A variant with options has a separate instance of its service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_args: Vec<String>,
    /// The address (http://host:port) of a service that was started separately, instead of the stack's own service.
    /// Its CPU time is then unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// `ingest-rest`.
    Rest,
    /// `ingest-grpc`.
    Grpc,
    /// `ingest-grpc bridge`.
    Bridge,
}

impl Route {
    /// All routes.
    pub const ALL: [Self; 3] = [Self::Rest, Self::Grpc, Self::Bridge];

    /// Its name in metrics and plans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
            Self::Bridge => "bridge",
        }
    }

    /// The services that process a vote of this route before it reaches Kafka.
    pub const fn processes(self) -> &'static [&'static str] {
        match self {
            Self::Rest => &["rest"],
            Self::Grpc => &["grpc"],
            Self::Bridge => &["bridge", "grpc"],
        }
    }
}

/// The path to a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Directly to the service.
    #[default]
    Direct,
    /// Through the Ingress.
    Ingress,
}

/// TLS between a client and a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// No TLS.
    #[default]
    Off,
    /// Each connection has a complete handshake.
    Full,
    /// Each connection after the first one resumes a session, as most clients do.
    Resumed,
}

impl Tls {
    /// Whether connections are not encrypted.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub const fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }
}

/// The implementation of a service or of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Implementation {
    /// The service of the route; the client of the load generator, which is the same for every protocol.
    #[default]
    Ours,
    /// The usual libraries with default settings. Services: axum's extractor `Json`, and tonic's generated server. Clients:
    /// reqwest, and tonic's generated client.
    Stock,
}

impl Implementation {
    /// Whether it is ours.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Ours)
    }
}

impl Variant {
    /// Whether its service or its client is stock.
    pub const fn is_stock(&self) -> bool {
        !(self.service.is_ours() && self.client.is_ours())
    }

    /// The processes that handle a vote of this variant before it reaches Kafka: the route's services, and the Ingress if
    /// votes pass through it.
    pub fn processes(&self) -> impl Iterator<Item = &'static str> + use<> {
        let ingress = (self.via == Via::Ingress).then_some("ingress");
        self.route.processes().iter().copied().chain(ingress)
    }

    /// Whether the variant cannot use the service of the stack: it has a `url`, `service_args`, TLS, or a stock service. A plan can
    /// give a separate instance to other variants too: see `Plan::has_separate_instance`.
    pub fn needs_own_service(&self) -> bool {
        self.url.is_some() || !self.service_args.is_empty() || !self.tls.is_off() || !self.service.is_ours()
    }

    /// Checks that route, version and encoding fit together; an error names the variant.
    pub fn check(&self) -> Result<()> {
        let name = &self.name;
        let is_grpc = self.encoding.is_grpc();
        ensure!(
            is_grpc == (self.route == Route::Grpc),
            "variant {name}: the route grpc needs a gRPC encoding, and the other routes need a different one"
        );
        ensure!(
            !is_grpc || self.version == Version::H2c,
            "variant {name}: gRPC needs version = \"h2c\""
        );
        ensure!(
            self.in_flight != Some(0),
            "variant {name}: in_flight must be positive"
        );
        ensure!(
            self.service_args.is_empty() || (self.via == Via::Direct && self.url.is_none()),
            "variant {name}: service_args needs via = \"direct\" and no url, because the separate instance is behind neither"
        );
        ensure!(
            self.tls.is_off() || (self.via == Via::Direct && self.url.is_none() && !self.is_stock()),
            "variant {name}: tls needs via = \"direct\", no url, and our service and client"
        );
        self.check_stock()
    }

    fn check_stock(&self) -> Result<()> {
        let name = &self.name;
        let is_simple = matches!(self.encoding, Encoding::Json | Encoding::Grpc);
        ensure!(
            self.client.is_ours() || is_simple,
            "variant {name}: client = \"stock\" needs the encoding json or grpc"
        );
        if self.service.is_ours() {
            return Ok(());
        }
        ensure!(
            self.route != Route::Bridge,
            "variant {name}: service = \"stock\" needs the route rest or grpc, because there is no stock bridge"
        );
        ensure!(
            is_simple,
            "variant {name}: service = \"stock\" needs the encoding json or grpc"
        );
        ensure!(
            self.via == Via::Direct && self.url.is_none(),
            "variant {name}: service = \"stock\" needs via = \"direct\" and no url, because the separate instance is behind neither"
        );
        ensure!(
            self.service_args.is_empty(),
            "variant {name}: service = \"stock\" has no service_args, because they are options of our services"
        );
        Ok(())
    }
}
