//! Whether traces are on, by the variables of the OpenTelemetry specification. The SDK for Rust reads the variables of its
//! parts, but does not select an exporter.

const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// Whether the variables select the OTLP exporter, by its name or by the address of a collector. An empty variable counts as
/// unset.
pub(super) fn is_on(variable: impl Fn(&str) -> Option<String>) -> bool {
    let variable = |name| variable(name).filter(|value| !value.trim().is_empty());
    let is_disabled = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_disabled {
        return false;
    }
    match variable("OTEL_TRACES_EXPORTER").as_deref().map(str::trim) {
        Some("none") => return false,
        Some("otlp") => return true,
        Some(exporter) => {
            tracing::warn!(
                exporter,
                "ignored OTEL_TRACES_EXPORTER: the only exporter of traces is otlp"
            );
        }
        None => {}
    }
    ENDPOINTS.into_iter().any(|name| variable(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_on_with(variables: &[(&str, &str)]) -> bool {
        is_on(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn traces_are_off_without_an_exporter_and_an_endpoint() {
        assert!(!is_on_with(&[]));
        assert!(!is_on_with(&[("OTEL_TRACES_EXPORTER", "")]));
        assert!(!is_on_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]));
        assert!(!is_on_with(&[("OTEL_TRACES_EXPORTER", "console")]));
        assert!(!is_on_with(&[("OTEL_TRACES_SAMPLER", "always_on")]));
        assert!(!is_on_with(&[(
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            "http://collector:4317"
        )]));
    }

    #[test]
    fn exporter_or_endpoint_turns_traces_on() {
        assert!(is_on_with(&[("OTEL_TRACES_EXPORTER", "otlp")]));
        for name in ENDPOINTS {
            let endpoint = (name, "http://collector:4317");
            assert!(is_on_with(&[endpoint]), "{name}");
            assert!(is_on_with(&[endpoint, ("OTEL_TRACES_EXPORTER", "console")]));
            assert!(is_on_with(&[endpoint, ("OTEL_SDK_DISABLED", "false")]));
        }
    }

    #[test]
    fn disabled_sdk_and_no_exporter_win_over_an_endpoint() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");
        assert!(!is_on_with(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]));
        for value in ["true", "TRUE"] {
            assert!(!is_on_with(&[endpoint, ("OTEL_SDK_DISABLED", value)]));
            assert!(!is_on_with(&[
                ("OTEL_TRACES_EXPORTER", "otlp"),
                ("OTEL_SDK_DISABLED", value)
            ]));
        }
    }
}
