//! The schema of `report.json`, for programs that read it.

use std::process::ExitCode;

use anyhow::Result;
use schemars::{Schema, schema_for};

use super::model::Report;

/// JSON Schema, draft 2020-12.
pub fn schema() -> Schema {
    schema_for!(Report)
}

/// The same as text, as it is checked in as compare/report.schema.json.
pub fn text() -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(&schema())? + "\n")
}

/// Prints it.
pub fn print() -> Result<ExitCode> {
    super::print(&text()?)?;
    Ok(ExitCode::SUCCESS)
}
