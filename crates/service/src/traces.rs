//! Traces (OpenTelemetry): the spans of a process, and their export by OTLP. The standard `OTEL_*` variables configure them;
//! the SDK reads them. Off by default.

mod link_sampler;
mod switch;

use std::time::Duration;

use anyhow::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{
    EnvResourceDetector, SdkProvidedResourceDetector, TelemetryResourceDetector,
};
use opentelemetry_sdk::trace::{Config, SdkTracer, SdkTracerProvider};

use self::link_sampler::LinkSampler;

const SERVICE_NAME: &str = "service.name";
/// The beginning of the service name that the SDK uses if the environment gives none.
const UNKNOWN_SERVICE: &str = "unknown_service";
/// The value of a setting while traces are off.
const OFF: &str = "none";

/// The traces of a process.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Exported>);

#[derive(Clone, Debug)]
struct Exported {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    sampler: String,
}

impl Traces {
    /// Starts the exporter of the program `name` if the environment selects it. Needs a runtime. Errors if the address of
    /// the collector is invalid; whether the collector runs is not checked.
    pub(crate) fn from_env(name: &'static str, version: &'static str) -> anyhow::Result<Self> {
        if !switch::is_on(|name| std::env::var(name).ok()) {
            return Ok(Self::default());
        }
        let exporter = SpanExporter::builder()
            .build()
            .context("cannot export traces (OTEL_EXPORTER_OTLP_* variables)")?;
        let sampler = Config::default().sampler;
        let description = format!("{sampler:?}");
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(name, version))
            .with_sampler(LinkSampler::new(sampler))
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(Some(Exported {
            tracer: provider.tracer("dualpath"),
            provider,
            sampler: description,
        })))
    }

    /// Creates spans; `None` if traces are off.
    pub fn tracer(&self) -> Option<SdkTracer> {
        self.0.as_ref().map(|exported| exported.tracer.clone())
    }

    /// The settings that must be equal on all routes, for the effective configuration.
    pub fn settings(&self) -> [(&'static str, String); 2] {
        let (exporter, sampler) = match &self.0 {
            Some(exported) => ("otlp", exported.sampler.as_str()),
            None => (OFF, OFF),
        };
        [("exporter", exporter.to_owned()), ("sampler", sampler.to_owned())]
    }

    /// Exports the last spans, within `timeout`. Spans that end later are lost.
    pub(crate) async fn shut_down(self, timeout: Duration) {
        let Some(Exported { provider, .. }) = self.0 else {
            return;
        };
        let flush = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(timeout));
        let flushed = flush.await.map_err(|error| error.to_string());
        if let Err(error) = flushed.and_then(|result| result.map_err(|error| error.to_string())) {
            tracing::warn!(error, ?timeout, "shut down without exporting the last spans");
        }
    }
}

/// The resource from the environment. The name of the program is the default of `service.name`.
fn resource(name: &'static str, version: &'static str) -> Resource {
    let builder = Resource::builder_empty()
        .with_attribute(KeyValue::new("service.version", version))
        .with_detectors(&[
            Box::new(TelemetryResourceDetector),
            Box::new(EnvResourceDetector::new()),
            Box::new(SdkProvidedResourceDetector),
        ]);
    let resource = builder.build();
    let from_environment = resource.get(&Key::from_static_str(SERVICE_NAME));
    if from_environment.is_some_and(|name| !name.as_str().starts_with(UNKNOWN_SERVICE)) {
        return resource;
    }
    let attributes = resource
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes(attributes)
        .with_service_name(name)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_is_the_default_service_name() {
        let resource = resource("ingest-rest", "1.2");
        let value = |name| resource.get(&Key::from_static_str(name)).unwrap();
        assert_eq!(value(SERVICE_NAME).as_str(), "ingest-rest");
        assert_eq!(value("service.version").as_str(), "1.2");
        assert_eq!(value("telemetry.sdk.language").as_str(), "rust");
    }

    #[tokio::test]
    async fn settings_say_that_traces_are_off() {
        let traces = Traces::default();
        assert!(traces.tracer().is_none());
        let off = [("exporter", "none".to_owned()), ("sampler", "none".to_owned())];
        assert_eq!(traces.settings(), off);
        traces.shut_down(Duration::ZERO).await;
    }
}
