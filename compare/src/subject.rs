//! The subjects of an experiment: the target and the processes of each variant.

use std::collections::BTreeMap;
use std::sync::Arc;

use analysis::observations::VariantData;
use anyhow::{Context, Result, ensure};
use ephemeral_stack::Running;
use experiment_model::plan::Plan;
use experiment_model::protocol::Version;
use experiment_model::variant::{Implementation, Route, Variant, Via};
use http::HeaderValue;
use lab::endpoints::Endpoints;
use lab::servers::Server;
use lab::stack::Instance;
use load_generator::target::Target;
use load_generator::target_spec::TargetSpec;
use proto::votes::Vote;

use crate::server_certificate::ServerCertificate;
use crate::usage::Processes;

/// A variant or the control, ready for load.
#[derive(Debug)]
pub struct Subject {
    /// The observations so far.
    pub data: VariantData,
    /// Where its votes go.
    pub target: Arc<Target>,
    /// The processes that handle its votes; without processes for a service that was started separately.
    pub processes: Processes,
    /// Its separate instance of the service, if it has one.
    instance: Option<Instance>,
    /// The certificate of that instance, which it reads as long as it runs.
    _certificate: Option<Arc<ServerCertificate>>,
}

/// Checks that all variants can reach the services of a secured stack.
pub fn ensure_can_be_secured(plan: &Plan) -> Result<()> {
    ensure!(
        plan.variants.iter().all(|variant| variant.tls.is_off()),
        "--secure gives TLS to all variants: use a plan whose variants have no `tls`"
    );
    let is_stock = |variant: &Variant| !(variant.service.is_ours() && variant.client.is_ours());
    ensure!(
        !plan.variants.iter().any(is_stock),
        "stock services and stock clients have no TLS: use a plan without them, or leave out --secure"
    );
    ensure!(
        plan.variants.iter().all(|variant| variant.url.is_none()),
        "a service at a `url` does not know the token of the stack: use a plan without it, or leave out --secure"
    );
    Ok(())
}

/// The subjects of a plan, without its sweep: the variants, then the control.
pub async fn open_all(plan: &Plan, stack: Running<'_>, votes: &[Vote]) -> Result<Vec<Subject>> {
    let control = plan.variants.first().map(|variant| (variant, true));
    let variants = plan
        .variants
        .iter()
        .map(|variant| (variant, false))
        .chain(control);
    let has_tls = plan.variants.iter().any(|variant| !variant.tls.is_off());
    let certificate = has_tls.then(ServerCertificate::issue).transpose()?.map(Arc::new);
    let mut subjects = Vec::with_capacity(plan.variants.len() + 1);
    for (variant, is_control) in variants {
        let certificate = certificate.clone().filter(|_| !variant.tls.is_off());
        let subject = open(plan, variant, is_control, stack, votes, certificate).await;
        subjects.push(subject.with_context(|| format!("variant {}", variant.name))?);
    }
    Ok(subjects)
}

/// Stops the separate instances and returns the observations.
pub async fn close_all(subjects: Vec<Subject>, stack: Running<'_>) -> Result<Vec<VariantData>> {
    let mut variants = Vec::with_capacity(subjects.len());
    for subject in subjects {
        if let Some(instance) = &subject.instance {
            stack.stop_instance(instance).await?;
        }
        variants.push(subject.data);
    }
    Ok(variants)
}

async fn open(
    plan: &Plan,
    variant: &Variant,
    is_control: bool,
    stack: Running<'_>,
    votes: &[Vote],
    certificate: Option<Arc<ServerCertificate>>,
) -> Result<Subject> {
    let needs_instance = plan.has_separate_instance(variant) || (is_control && plan.has_separate_control());
    let instance = if needs_instance {
        let server = ingest_server(variant.route);
        let name = format!(
            "{} of {}",
            server.name(),
            if is_control { "the control" } else { &variant.name }
        );
        let tls_args = certificate
            .iter()
            .flat_map(|certificate| certificate.service_args());
        let args: Vec<_> = variant.service_args.iter().cloned().chain(tls_args).collect();
        Some(match variant.service {
            Implementation::Ours => stack.start_instance(server, &name, &args).await?,
            Implementation::Stock => stack.start_stock_instance(server, &name).await?,
        })
    } else {
        None
    };
    let protocol: &[u8] = match variant.version {
        Version::Http1 => b"http/1.1",
        Version::H2c => b"h2",
    };
    let tls = match (&certificate, stack.access.tls_client(Some(protocol))?) {
        (Some(certificate), _) => Some(certificate.client_config(variant.tls)?),
        (None, Some(client)) => Some(Arc::new(client.config()?)),
        (None, None) => None,
    };
    let authorization = stack.access.authorization()?.map(HeaderValue::try_from);
    let spec = TargetSpec {
        tls,
        authorization: authorization.transpose()?,
        ..target_spec(plan, variant, instance.as_ref(), stack.endpoints)
    };
    let target = Target::open(spec, votes).await?;
    Ok(Subject {
        data: VariantData {
            variant: variant.clone(),
            is_control,
            blocks: Vec::with_capacity(plan.design.rounds),
            cpu_blocks: Vec::new(),
        },
        target: Arc::new(target),
        processes: processes(variant, instance.as_ref(), stack)?,
        instance,
        _certificate: certificate,
    })
}

/// The service that receives the votes of a route.
const fn ingest_server(route: Route) -> Server {
    match route {
        Route::Rest => Server::Rest,
        Route::Grpc => Server::Grpc,
        Route::Bridge => Server::Bridge,
    }
}

fn processes(variant: &Variant, instance: Option<&Instance>, stack: Running<'_>) -> Result<Processes> {
    let mut pids = BTreeMap::new();
    if variant.url.is_some() {
        return Ok(Processes(pids));
    }
    let own = ingest_server(variant.route).name();
    for name in variant.processes() {
        let pid = match instance {
            Some(instance) if name == own => instance.identity.pid,
            _ => stack.pid(Server::from_name(name).with_context(|| format!("there is no server {name}"))?)?,
        };
        pids.insert(name.to_owned(), pid);
    }
    Ok(Processes(pids))
}

fn target_spec<'a>(
    plan: &Plan,
    variant: &'a Variant,
    instance: Option<&'a Instance>,
    endpoints: &'a Endpoints,
) -> TargetSpec<'a> {
    let instance_endpoints = instance.map(|instance| &instance.endpoints);
    let direct = instance_endpoints.unwrap_or(endpoints);
    let (url, prefix) = match (variant.via, variant.route) {
        (Via::Direct, Route::Rest) => (&direct.rest, ""),
        (Via::Direct, Route::Grpc) => (&direct.grpc, ""),
        (Via::Direct, Route::Bridge) => (&direct.bridge, ""),
        (Via::Ingress, Route::Rest) => (&endpoints.ingress, "/rest"),
        // The course assignment names the prefix. It leads to the HTTP API of the bridge.
        (Via::Ingress, Route::Bridge) => (&endpoints.ingress, "/grpc"),
        (Via::Ingress, Route::Grpc) => (&endpoints.ingress, ""),
    };
    let url = variant.url.as_ref().unwrap_or(url);
    TargetSpec {
        authority: url
            .split_once("://")
            .map_or(url.as_str(), |(_, rest)| rest)
            .trim_end_matches('/'),
        prefix,
        version: variant.version,
        encoding: variant.encoding,
        client: variant.client,
        connections: plan.connections(variant),
        tls: None,
        authorization: None,
    }
}
