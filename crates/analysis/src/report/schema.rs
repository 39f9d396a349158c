//! The JSON schema of `report.json`, for programs that read it.

use schemars::{Schema, schema_for};

use super::model::Report;

/// The schema, JSON Schema draft 2020-12.
pub fn schema() -> Schema {
    schema_for!(Report)
}

/// The schema as text, as committed in crates/analysis/report.schema.json.
pub fn text() -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(&schema())? + "\n")
}
