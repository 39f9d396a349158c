//! The decisions on all variants under the same conditions.

use crate::comparison::{Blocks, Comparison, compare_all};
use crate::decision_rule::DecisionRule;
use crate::report::model::{Pair, VariantReport};

/// The decisions on all variants under the same conditions.
#[derive(Clone, Debug)]
pub struct Decisions {
    /// The control against the first variant.
    pub control: Vec<Comparison>,
    /// Each other variant against the first.
    pub pairs: Vec<Pair>,
}

impl Decisions {
    /// Decides on the variants from their blocks. All verdicts on pairs together keep the error rate of `rule`, and so do
    /// those on the control.
    pub fn of(variants: &[VariantReport], rule: &DecisionRule) -> Self {
        let Some((first, others)) = variants.split_first() else {
            return Self {
                control: Vec::new(),
                pairs: Vec::new(),
            };
        };
        let compare = |others: &[&VariantReport]| {
            let blocks: Vec<Blocks<'_>> = others.iter().map(|other| Blocks::from(*other)).collect();
            compare_all(Blocks::from(first), &blocks, rule)
        };
        let (controls, others): (Vec<_>, Vec<_>) = others.iter().partition(|variant| variant.is_control);
        let control = compare(&controls).into_iter().next().unwrap_or_default();
        let pairs = others
            .iter()
            .zip(compare(&others))
            .map(|(other, comparisons)| Pair {
                a: first.variant.name.clone(),
                b: other.variant.name.clone(),
                comparisons: comparisons
                    .into_iter()
                    .map(|comparison| comparison.gated_by_control(&control))
                    .collect(),
            });
        Self {
            pairs: pairs.collect(),
            control,
        }
    }

    /// Whether no measure of the control differs by more than the margin.
    pub fn control_holds(&self) -> bool {
        !self.control.is_empty() && !self.control.iter().any(Comparison::differs)
    }

    /// Whether every pair has a verdict on every measure, and the control does not differ: no more rounds are needed.
    pub fn are_complete(&self) -> bool {
        let mut comparisons = self.pairs.iter().flat_map(|pair| &pair.comparisons);
        !self.pairs.is_empty() && self.control_holds() && comparisons.all(Comparison::is_decided)
    }
}

impl<'a> From<&'a VariantReport> for Blocks<'a> {
    fn from(report: &'a VariantReport) -> Self {
        Self {
            measured: &report.blocks,
            cpu: &report.cpu_blocks,
        }
    }
}
