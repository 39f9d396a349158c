//! The plan of an experiment: a small TOML file. An unknown key is an error, because it would have no effect.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::design::{Design, DesignKind};
use crate::kafka::KafkaSettings;
use crate::load::Load;
use crate::protocol::{Connections, Encoding};
use crate::sweep::{Setting, SettingValue, Sweep};
use crate::variant::{Route, Variant, Via};

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// A short name; it becomes part of file names.
    pub name: String,
    /// The purpose of the run, in one sentence.
    pub purpose: String,
    /// Blocks and their order.
    pub design: Design,
    /// The load of each block.
    pub load: Load,
    /// Settings of the Kafka producers, the same for all services.
    #[serde(default)]
    pub kafka: KafkaSettings,
    /// Repeats the whole experiment for each of several values of one setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// The variants to compare, at least two. The first is measured twice, as its own control.
    pub variants: Vec<Variant>,
}

/// Pause between two blocks, in which the consumer counts the last votes.
pub const PAUSE_BETWEEN_BLOCKS: Duration = Duration::from_millis(300);
/// Approximate time to start, check, reconcile and stop a stack.
const STACK_OVERHEAD: Duration = Duration::from_secs(30);
/// Approximate time to restart a service.
const RESTART: Duration = Duration::from_millis(500);
/// A 99th percentile of fewer votes is their maximum.
pub const MIN_VOTES_PER_BLOCK: f64 = 100.0;
/// The seeds of two processes differ by this much, so that no process repeats the schedule of a run with the next seed.
const SEED_STEP: u64 = 1 << 32;
/// Approximate number of blocks of a search.
const BLOCKS_PER_SEARCH: u32 = 8;

impl Plan {
    /// Parses a plan from TOML and checks it.
    pub fn parse(text: &str) -> Result<Self> {
        let plan: Self = toml::from_str(text)?;
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        self.design.check()?;
        self.load.check()?;
        ensure!(
            self.variants.len() >= 2,
            "a plan needs at least two variants to compare"
        );
        let names: BTreeSet<_> = self.variants.iter().map(|variant| &variant.name).collect();
        ensure!(
            names.len() == self.variants.len(),
            "two variants have the same name"
        );
        for variant in &self.variants {
            variant.check()?;
            ensure!(
                variant.encoding != Encoding::GrpcStream || self.connections(variant).reuse,
                "variant {}: grpc_stream needs reuse = true, because a stream keeps its connection open",
                variant.name
            );
            ensure!(
                variant.client.is_ours() || self.connections(variant).reuse,
                "variant {}: client = \"stock\" needs reuse = true, because stock clients keep their connections open",
                variant.name
            );
            ensure!(
                variant.service.is_ours() || self.kafka == KafkaSettings::default(),
                "variant {}: service = \"stock\" needs a plan without settings of kafka, because only our services have them",
                variant.name
            );
        }
        let Design {
            processes,
            cpu_rounds,
            ..
        } = self.design;
        ensure!(
            !self.measures_cpu_in_turns() || cpu_rounds.is_multiple_of(processes),
            "design.processes is {processes}; it must divide design.cpu_rounds, which is {cpu_rounds}"
        );
        self.check_load_fits_design()?;
        self.points().map(|_| ())
    }

    /// A 99th percentile needs 100 votes. Turns may have fewer, because a long block costs each variant that time.
    fn check_load_fits_design(&self) -> Result<()> {
        let votes = self.load.rate * self.design.block_s;
        ensure!(
            self.design.kind == DesignKind::Turns || votes >= MIN_VOTES_PER_BLOCK,
            "a block has {votes:.0} votes of each variant, and a 99th percentile needs at least \
             {MIN_VOTES_PER_BLOCK}: raise load.rate or design.block_s"
        );
        ensure!(
            self.design.kind == DesignKind::Turns || self.load.users.is_none(),
            "load.users needs design.kind = \"turns\": closed-loop clients of several variants would wait for each other, \
             and have no rate to search for"
        );
        ensure!(
            self.design.kind != DesignKind::Saturation
                || self.sweep.as_ref().is_none_or(|sweep| sweep.key != Setting::Rate),
            "sweep.key = \"load.rate\" has no effect with design.kind = \"saturation\": a search finds the rate"
        );
        Ok(())
    }

    /// The plan at each value of its sweep, each without the sweep; only the plan itself if it has no sweep.
    pub fn points(&self) -> Result<Vec<(Option<String>, Self)>> {
        let Some(sweep) = &self.sweep else {
            return Ok(vec![(None, self.clone())]);
        };
        ensure!(!sweep.values.is_empty(), "sweep.values is empty");
        let at = |value: &SettingValue| {
            let mut plan = self.clone();
            plan.sweep = None;
            sweep.key.apply(value, &mut plan.load, &mut plan.kafka)?;
            plan.check()
                .with_context(|| format!("sweep: {} = {value}", sweep.key))?;
            Ok((Some(value.to_string()), plan))
        };
        sweep.values.iter().map(at).collect()
    }

    /// The highest open-loop rate that the plan requests of the load generator, in votes a second; `None` if all loads are
    /// closed-loop. In a simultaneous design, it is the sum over all variants and the control. In a saturation design, it is
    /// the rate at which the first search starts.
    pub fn requested_rate(&self) -> Result<Option<f64>> {
        let points = self.points()?;
        let open_loops = points.iter().filter(|(_, plan)| plan.load.users.is_none());
        let highest = open_loops.map(|(_, plan)| plan.load.rate).reduce(f64::max);
        let concurrent = match self.design.kind {
            DesignKind::Simultaneous => self.variants.len() + 1,
            DesignKind::Turns | DesignKind::Saturation => 1,
        };
        Ok(highest.map(|rate| rate * concurrent as f64))
    }

    /// Approximate duration of the run at most: all blocks and the pauses between them.
    pub fn estimate(&self) -> Result<Duration> {
        let Design {
            kind,
            warm_up_s,
            rounds,
            cpu_rounds,
            processes,
            ..
        } = self.design;
        let variants = self.variants.len() as u32 + 1;
        let turn = self.block() + PAUSE_BETWEEN_BLOCKS;
        let measured = match kind {
            DesignKind::Turns => turn * variants * rounds as u32,
            DesignKind::Saturation => turn * variants * rounds as u32 * BLOCKS_PER_SEARCH,
            DesignKind::Simultaneous if self.measures_cpu_in_turns() => {
                self.block() * rounds as u32 + turn * variants * cpu_rounds as u32
            }
            DesignKind::Simultaneous => self.block() * rounds as u32,
        };
        let warm_up = Duration::try_from_secs_f64(warm_up_s)? * variants;
        let restarts = RESTART * variants * (processes as u32 - 1);
        Ok((warm_up + measured + restarts) * self.points()?.len() as u32 + STACK_OVERHEAD)
    }

    /// Whether two variants use the same process of the stack, so that its CPU time cannot be split between them.
    pub fn shares_processes(&self) -> bool {
        if !self.has_separate_control() {
            return true;
        }
        let mut seen = BTreeSet::new();
        let mut processes = self.variants_of_stack().flat_map(Variant::processes);
        processes.any(|process| !seen.insert(process))
    }

    /// The variants that the services of the stack serve.
    pub fn variants_of_stack(&self) -> impl Iterator<Item = &Variant> {
        let uses_stack = |variant: &&Variant| variant.url.is_none() && !self.has_separate_instance(variant);
        self.variants.iter().filter(uses_stack)
    }

    /// Whether a variant gets a separate instance of its service: for its options, or because another variant would use the
    /// same process of the stack at the same time. With the votes of two variants, a process fills a batch sooner and sleeps
    /// less, so its latencies would differ from those of a process with the votes of one.
    pub fn has_separate_instance(&self, variant: &Variant) -> bool {
        if variant.needs_own_service() {
            return variant.url.is_none();
        }
        let can_be_separate = variant.via == Via::Direct && variant.route != Route::Bridge;
        let service = variant.route.name();
        let could_share = |other: &&Variant| {
            !other.needs_own_service() && other.processes().any(|process| process == service)
        };
        can_be_separate
            && self.design.kind == DesignKind::Simultaneous
            && self.variants.iter().filter(could_share).count() > 1
    }

    /// Whether additional rounds in turns measure CPU time.
    pub fn measures_cpu_in_turns(&self) -> bool {
        self.design.kind == DesignKind::Simultaneous && self.shares_processes()
    }

    /// The part of the plan that process number `process` (from 0) serves.
    #[must_use]
    pub fn of_process(&self, process: usize) -> Self {
        let mut part = self.clone();
        part.design.rounds /= self.design.processes;
        part.design.cpu_rounds /= self.design.processes;
        part.design.processes = 1;
        part.design.seed = self.design.seed.wrapping_add(process as u64 * SEED_STEP);
        part
    }

    /// Whether the control can be a separate instance of the first variant's service. The Ingress and the bridge send
    /// their votes on to a service of the stack.
    pub fn has_separate_control(&self) -> bool {
        let is_separate =
            |first: &Variant| first.via == Via::Direct && first.route != Route::Bridge && first.url.is_none();
        self.variants.first().is_some_and(is_separate)
    }

    /// How the client of a variant uses connections.
    pub fn connections(&self, variant: &Variant) -> Connections {
        Connections {
            in_flight: variant.in_flight.unwrap_or(self.load.in_flight),
            count: self.load.connections,
            reuse: variant.reuse.unwrap_or(self.load.reuse),
        }
    }

    /// Length of a block.
    pub fn block(&self) -> Duration {
        self.design.block()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Arrival;

    const VALID: &str = r#"
        name = "quick"
        purpose = "REST against gRPC."
        [design]
        warm_up_s = 1
        rounds = 8
        block_s = 0.5
        [load]
        rate = 200
        [[variants]]
        name = "rest"
        route = "rest"
        version = "http1"
        encoding = "json"
        [[variants]]
        name = "grpc"
        route = "grpc"
        version = "h2c"
        encoding = "grpc"
    "#;

    /// A part of the valid plan, its replacement, and a part of the error.
    type Case = (&'static str, &'static str, &'static str);

    /// Asserts that each replacement is rejected with an error that also contains `name`.
    fn assert_rejected(valid: &str, cases: &[Case], name: &str) {
        for (part, invalid, expected) in cases {
            assert!(valid.contains(part), "the plan has no {part}");
            let error = format!("{:#}", Plan::parse(&valid.replace(part, invalid)).unwrap_err());
            assert!(
                error.contains(expected) && error.contains(name),
                "{expected}: {error}"
            );
        }
    }

    #[test]
    fn omitted_keys_have_defaults() {
        let plan = Plan::parse(VALID).unwrap();
        assert_eq!(plan.load.arrival, Arrival::Poisson);
        assert_eq!(plan.variants[0].via, Via::Direct);
        assert_eq!(plan.block(), Duration::from_millis(500));
    }

    #[test]
    fn error_names_the_invalid_key() {
        let cases = [
            ("rate = 200", "rat = 200", "unknown field `rat`"),
            ("rate = 200", "rate = 0", "load.rate"),
            ("rounds = 8", "rounds = 2", "at least 8"),
            ("block_s = 0.5", "block_s = 0.4", "100"),
            ("version = \"h2c\"", "version = \"http1\"", "gRPC needs"),
            (
                "encoding = \"grpc\"",
                "encoding = \"json\"",
                "needs a gRPC encoding",
            ),
            ("name = \"grpc\"", "name = \"rest\"", "same name"),
        ];
        assert_rejected(VALID, &cases, "");
    }

    #[test]
    fn saturation_needs_a_bound_and_an_open_loop() {
        let valid = VALID
            .replace("[design]", "[design]\nkind = \"saturation\"\np99_bound_ms = 20")
            .replace("rate = 200", "rate = 200\nin_flight = 256");
        let plan = Plan::parse(&valid).unwrap();
        assert_eq!(plan.design.p99_bound_ms, Some(20.0));
        assert!(plan.estimate().unwrap() > Plan::parse(VALID).unwrap().estimate().unwrap());
        let cases = [
            ("p99_bound_ms = 20", "", "needs design.p99_bound_ms"),
            ("p99_bound_ms = 20", "p99_bound_ms = 0", "p99_bound_ms must be"),
            ("\"saturation\"", "\"turns\"", "p99_bound_ms needs"),
            ("in_flight = 256", "users = 4", "load.users"),
            (
                "in_flight = 256",
                "[sweep]\nkey = \"load.rate\"\nvalues = [300, 400]",
                "sweep.key",
            ),
        ];
        assert_rejected(&valid, &cases, "");
    }

    #[test]
    fn stock_is_not_the_default_and_has_a_separate_service() {
        let plan = |rest: &str| {
            let rest = format!("name = \"rest\"\n{rest}");
            Plan::parse(&VALID.replace("name = \"rest\"", &rest)).unwrap()
        };
        let [ours, client, service] = [
            "",
            "client = \"stock\"",
            "client = \"stock\"\nservice = \"stock\"",
        ]
        .map(|rest| plan(rest).variants[0].clone());
        assert!(!ours.is_stock() && client.is_stock() && service.is_stock());
        assert!(!client.needs_own_service() && service.needs_own_service());
    }

    #[test]
    fn variants_at_the_same_time_share_no_process() {
        let variant = |name: &str, route: &str, version: &str| {
            format!(
                "\n[[variants]]\nname = \"{name}\"\nroute = \"{route}\"\nversion = \"{version}\"\nencoding = \"json\""
            )
        };
        let separate = |plan: &str| {
            let plan = Plan::parse(plan).unwrap();
            let variants = plan.variants.iter();
            let separate = variants.filter(|variant| plan.has_separate_instance(variant));
            let names = separate.map(|variant| variant.name.clone()).collect::<Vec<_>>();
            (names, plan.shares_processes())
        };
        assert_eq!(separate(VALID), (vec![], false));
        let with_bridge = format!("{VALID}{}", variant("bridge", "bridge", "http1"));
        assert_eq!(separate(&with_bridge), (vec!["grpc".to_owned()], false));
        let with_h2c = format!("{VALID}{}", variant("h2c", "rest", "h2c"));
        assert_eq!(
            separate(&with_h2c),
            (vec!["rest".to_owned(), "h2c".to_owned()], false)
        );
        // In turns, a process serves one variant at a time, but its CPU time is still one for both.
        let in_turns = with_h2c.replace("[design]", "[design]\nkind = \"turns\"");
        assert_eq!(separate(&in_turns), (vec![], true));
        let two_bridges = format!("{with_bridge}{}", variant("bridge, h2c", "bridge", "h2c"));
        assert_eq!(separate(&two_bridges), (vec!["grpc".to_owned()], true));
    }

    #[test]
    fn error_names_the_variant_that_cannot_be_stock() {
        let grpc = "encoding = \"grpc\"";
        let cases = [
            (
                grpc,
                "encoding = \"grpc_stream\"\nclient = \"stock\"",
                "json or grpc",
            ),
            (
                grpc,
                "encoding = \"grpc_stream\"\nservice = \"stock\"",
                "json or grpc",
            ),
            (
                grpc,
                "encoding = \"grpc\"\nclient = \"stock\"\nreuse = false",
                "reuse",
            ),
            (
                grpc,
                "encoding = \"grpc\"\nservice = \"stock\"\nvia = \"ingress\"",
                "direct",
            ),
            (
                grpc,
                "encoding = \"grpc\"\nservice = \"stock\"\nurl = \"http://a:1\"",
                "no url",
            ),
            (
                grpc,
                "encoding = \"grpc\"\nservice = \"stock\"\nservice_args = [\"--a\"]",
                "no service_args",
            ),
            (
                grpc,
                "encoding = \"grpc\"\nservice = \"stock\"\n[kafka]\nlinger_ms = 1",
                "settings of kafka",
            ),
            (
                grpc,
                "encoding = \"grpc\"\nservice = \"stock\"\n[sweep]\nkey = \"kafka.acks\"\nvalues = [\"all\"]",
                "settings of kafka",
            ),
            (
                "route = \"grpc\"\n        version = \"h2c\"\n        encoding = \"grpc\"",
                "route = \"bridge\"\nversion = \"h2c\"\nencoding = \"json\"\nservice = \"stock\"",
                "no stock bridge",
            ),
        ];
        assert_rejected(VALID, &cases, "variant grpc");
    }
}
