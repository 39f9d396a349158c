//! The progress of a run in one line: how precise each measure is so far.

use crate::comparison::Comparison;
use crate::decisions::Decisions;
use crate::report::formatting::number;

/// "p50 ±1.20 %, p95 ±4.00 %, CPU decided": the half-width of the interval of each measure that is not decided, as a share
/// of the first variant's value. With several pairs, the widest interval of each measure.
pub fn line(decisions: &Decisions) -> String {
    let mut widest: Vec<&Comparison> = Vec::new();
    for comparison in decisions.pairs.iter().flat_map(|pair| &pair.comparisons) {
        match widest
            .iter_mut()
            .find(|other| other.measure == comparison.measure)
        {
            Some(other) if open_half_width(other) >= open_half_width(comparison) => {}
            Some(other) => *other = comparison,
            None => widest.push(comparison),
        }
    }
    let parts = widest.into_iter().map(|comparison| {
        let name = comparison.measure.short_name();
        if comparison.is_decided() {
            format!("{name} decided")
        } else {
            let share = 100.0 * comparison.difference.half_width() / comparison.a.abs();
            format!("{name} ±{} %", number(share))
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn open_half_width(comparison: &Comparison) -> f64 {
    if comparison.is_decided() {
        0.0
    } else {
        comparison.difference.half_width()
    }
}
