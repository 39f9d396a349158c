//! The reasons against a verdict. A verdict on unequal services or on a noisy machine would be wrong, even with a narrow
//! interval. Some reasons concern the whole run, others one point of a sweep.

use crate::measure::SearchEnd;
use crate::report::model::{Finding, PointReport, Report};
use crate::report::text;

/// The largest acceptable 99th percentile of the scheduling delay, in ms. Beyond it, the run measures the load generator. A
/// wake-up of the runtime on a busy processor takes some tenths of a millisecond.
const MAX_SCHEDULING_DELAY_P99_MS: f64 = 5.0;

/// The reasons against any verdict of a run, one sentence each, with the remedy; empty if there is none.
pub fn reasons_of_run(report: &Report) -> Vec<String> {
    let unequal = report
        .fairness
        .iter()
        .filter(|finding| !finding.fair)
        .map(Finding::no_verdict_reason);
    let unreconciled = (!report.reconciled).then(|| {
        "The stores do not contain exactly the acknowledged votes; see the differences at the end of the report.".to_owned()
    });
    unequal.chain(unreconciled).collect()
}

/// The reasons against a verdict at one point, one sentence each, with the remedy; empty if there is none. `usable_rate`, in
/// votes per second, is the highest rate of the load generator that can be trusted.
pub fn reasons_of_point(point: &PointReport, usable_rate: f64) -> Vec<String> {
    let noisy = failed_control(point).into_iter();
    let searches = unfinished_searches(point, usable_rate);
    noisy.chain(late_votes(point)).chain(searches).collect()
}

/// The reasons from searches of a saturation design that did not find the limit of their variant.
fn unfinished_searches(point: &PointReport, usable_rate: f64) -> Vec<String> {
    let mut reasons = Vec::new();
    for variant in &point.variants {
        let count = |end| {
            let blocks = variant.blocks.iter();
            blocks.filter(|block| block.search_end == Some(end)).count()
        };
        let (at, name, all) = (at_value(point), variant.label(), variant.blocks.len());
        let limited = count(SearchEnd::LoadGeneratorLimit);
        if limited > 0 {
            reasons.push(format!(
                "{at}The load generator was the limit in {limited} of {all} searches of {name}: {name} kept the bound at \
                 {usable_rate:.0} votes/s, half of the load generator's highest rate, and may carry more. Use a lower \
                 design.p99_bound_ms, or a machine with more processors."
            ));
        }
        let without_rate = count(SearchEnd::NothingPassed);
        if without_rate > 0 {
            reasons.push(format!(
                "{at}{without_rate} of {all} searches of {name} found no rate within the bound: raise design.p99_bound_ms or \
                 design.block_s, or stop other programs on the machine."
            ));
        }
    }
    reasons
}

fn failed_control(point: &PointReport) -> Option<String> {
    (!point.control_holds).then(|| {
        format!(
            "{}The machine is too noisy for this plan. {} Stop other programs on the machine, or use longer or more blocks.",
            at_value(point),
            text::control(point)
        )
    })
}

fn late_votes(point: &PointReport) -> Option<String> {
    let delays = point
        .variants
        .iter()
        .map(|variant| (variant.scheduling_delay_ms[1], &variant.variant.name));
    let (delay, name) = delays
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(delay, _)| *delay > MAX_SCHEDULING_DELAY_P99_MS)?;
    let mut blocks = point.variants.iter().flat_map(|variant| &variant.blocks);
    let setting = if blocks.any(|block| block.search_end.is_some()) {
        "design.p99_bound_ms"
    } else {
        "load.rate"
    };
    Some(format!(
        "{}The load generator sent 1 % of the votes of {name} at least {delay:.1} ms late: lower {setting}, or use a \
         machine with more processors.",
        at_value(point)
    ))
}

fn at_value(point: &PointReport) -> String {
    point
        .value
        .as_ref()
        .map_or_else(String::new, |value| format!("At {value}: "))
}
