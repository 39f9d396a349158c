//! Rendering of the configuration templates in `lab/servers/`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::ValueEnum;
use minijinja::{Environment, UndefinedBehavior, context};

use crate::ports::{Port, Ports};

/// Fills in a template. It can use `ports[NAME]` and all of `values`; an undefined name is an error.
pub(super) fn render(template: &str, ports: &Ports, values: minijinja::Value) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    // A line with a block only, such as an `if`, leaves no empty line.
    environment.set_trim_blocks(true);
    let numbers: BTreeMap<String, u16> = Port::value_variants()
        .iter()
        .map(|port| (port.name(), ports.get(*port)))
        .collect();
    environment
        .render_str(template, context! { ports => numbers, ..values })
        .context("rendering a configuration template")
}
