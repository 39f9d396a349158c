//! stub while building
use crate::{options::StackOptions, stack::Stack};
use std::process::ExitCode;
/// x
#[derive(Clone, Debug, clap::Args)]
pub struct DemoOptions {}
/// x
pub async fn run(_stack: &Stack, _options: &StackOptions, _run: &DemoOptions) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
