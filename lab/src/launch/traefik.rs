//! Traefik as the Ingress: its static configuration and its dynamic routes.

use anyhow::{Context, Result};
use minijinja::{Value, context as values};

use super::context::LaunchContext;
use super::template::render;
use crate::process::ProcessSpec;
use crate::servers::Server;

const STATIC: &str = include_str!("../../servers/traefik/traefik.yml");
const ROUTES: &str = include_str!("../../servers/traefik/routes.yml");

pub(super) fn prepare(context: &LaunchContext<'_>) -> Result<ProcessSpec> {
    let config = context.dir.config(Server::Ingress)?;
    let routes = config.join("routes").display().to_string();
    let file = config.join("traefik.yml");
    std::fs::write(
        &file,
        render(
            STATIC,
            &context.settings.ports,
            values! { routes, secured => secured(context) },
        )?,
    )?;
    write_routes(context)?;
    Ok(ProcessSpec::new(context.cache.traefik()).args([format!("--configFile={}", file.display())]))
}

/// Writes the routes. A running Traefik watches the directory and applies the change. It then also reads the files that the
/// routes name.
pub fn write_routes(context: &LaunchContext<'_>) -> Result<()> {
    let config = context.dir.config(Server::Ingress)?;
    let routes = config.join("routes");
    std::fs::create_dir_all(&routes)?;
    // The rename makes the change atomic: Traefik would otherwise read a file that is only partly written.
    let temporary = config.join("routes.new");
    let secured = secured(context);
    let (scheme, grpc_scheme) = if secured.is_some() {
        ("https", "https")
    } else {
        ("http", "h2c")
    };
    let weight = context.settings.weight;
    let values = values! { weight, scheme, grpc_scheme, secured };
    std::fs::write(&temporary, render(ROUTES, &context.settings.ports, values)?)?;
    std::fs::rename(&temporary, routes.join("routes.yml")).context("replacing the Ingress's routes")
}

fn secured(context: &LaunchContext<'_>) -> Option<Value> {
    let secrets = context.access.secrets.as_ref()?;
    Some(values! {
        ca => secrets.ca().display().to_string(),
        cert => secrets.cert(Server::Ingress).display().to_string(),
        key => secrets.key(Server::Ingress).display().to_string(),
    })
}
