//! The HTTP edge of rest and bridge: routes, negotiation, problem documents, OpenAPI.
