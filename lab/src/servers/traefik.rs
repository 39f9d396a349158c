//! Traefik as the Ingress: its fixed configuration, and the routes that it watches.

use anyhow::{Context, Result};
use minijinja::context;

use super::config::render;
use super::{Place, Server};
use crate::process::Launch;
use crate::state::{Settings, StateDir};

const STATIC: &str = include_str!("../../servers/traefik/traefik.yml");
const ROUTES: &str = include_str!("../../servers/traefik/routes.yml");

pub(super) fn prepare(place: &Place<'_>) -> Result<Launch> {
    let config = place.dir.config(Server::Ingress)?;
    let routes = config.join("routes").display().to_string();
    let file = config.join("traefik.yml");
    std::fs::write(&file, render(STATIC, &place.settings.ports, context! { routes })?)?;
    write_routes(place.dir, place.settings)?;
    Ok(Launch::new(place.cache.traefik()).args([format!("--configFile={}", file.display())]))
}

/// Writes the routes; a running Traefik takes them over by itself.
pub fn write_routes(dir: &StateDir, settings: &Settings) -> Result<()> {
    let config = dir.config(Server::Ingress)?;
    let routes = config.join("routes");
    std::fs::create_dir_all(&routes)?;
    // Traefik reads a file while it is being written: it must appear whole.
    let temporary = config.join("routes.new");
    std::fs::write(
        &temporary,
        render(ROUTES, &settings.ports, context! { weight => settings.weight })?,
    )?;
    std::fs::rename(&temporary, routes.join("routes.yml")).context("replacing the Ingress's routes")
}
