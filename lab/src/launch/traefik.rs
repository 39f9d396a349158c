//! Traefik as the Ingress: its static configuration and its dynamic routes.

use anyhow::{Context, Result};
use minijinja::context as values;

use super::context::LaunchContext;
use super::template::render;
use crate::process::ProcessSpec;
use crate::servers::Server;
use crate::state::{Settings, StateDir};

const STATIC: &str = include_str!("../../servers/traefik/traefik.yml");
const ROUTES: &str = include_str!("../../servers/traefik/routes.yml");

pub(super) fn prepare(context: &LaunchContext<'_>) -> Result<ProcessSpec> {
    let config = context.dir.config(Server::Ingress)?;
    let routes = config.join("routes").display().to_string();
    let file = config.join("traefik.yml");
    std::fs::write(
        &file,
        render(STATIC, &context.settings.ports, values! { routes })?,
    )?;
    write_routes(context.dir, context.settings)?;
    Ok(ProcessSpec::new(context.cache.traefik()).args([format!("--configFile={}", file.display())]))
}

/// Writes the routes. A running Traefik watches the directory and applies the change.
pub fn write_routes(dir: &StateDir, settings: &Settings) -> Result<()> {
    let config = dir.config(Server::Ingress)?;
    let routes = config.join("routes");
    std::fs::create_dir_all(&routes)?;
    // The rename makes the change atomic: Traefik would otherwise read a file that is only partly written.
    let temporary = config.join("routes.new");
    std::fs::write(
        &temporary,
        render(ROUTES, &settings.ports, values! { weight => settings.weight })?,
    )?;
    std::fs::rename(&temporary, routes.join("routes.yml")).context("replacing the Ingress's routes")
}
