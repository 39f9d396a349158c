//! The routes into Kafka.

/// The route of a vote. Every vote, metric and tally has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Route {
    /// HTTP into `ingest-rest`.
    Rest,
    /// Native gRPC into `ingest-grpc`.
    Grpc,
    /// HTTP into `ingest-grpc bridge`, which calls `ingest-grpc` over gRPC.
    Bridge,
}

impl Route {
    /// All routes, in the order in which reports list them.
    pub const ALL: [Self; 3] = [Self::Rest, Self::Grpc, Self::Bridge];

    /// The label value: `rest`, `grpc` or `bridge`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
            Self::Bridge => "bridge",
        }
    }

    pub(crate) const fn to_proto(self) -> proto::votes::Route {
        match self {
            Self::Rest => proto::votes::Route::Rest,
            Self::Grpc => proto::votes::Route::Grpc,
            Self::Bridge => proto::votes::Route::Bridge,
        }
    }

    pub(crate) const fn from_proto(route: proto::votes::Route) -> Option<Self> {
        match route {
            proto::votes::Route::Unspecified => None,
            proto::votes::Route::Rest => Some(Self::Rest),
            proto::votes::Route::Grpc => Some(Self::Grpc),
            proto::votes::Route::Bridge => Some(Self::Bridge),
        }
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl std::str::FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|route| route.as_str() == text)
            .ok_or_else(|| format!("unknown route {text:?}: expected rest, grpc or bridge"))
    }
}
