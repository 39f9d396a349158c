//! Formats numbers, verdicts and tables for readers.

use crate::comparison::Comparison;
use crate::measure::Measure;
use crate::stats::interval::Interval;
use crate::stats::verdict::Verdict;

/// A number with about three significant digits and a typographic minus.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let digits = match size {
        size if size >= 99.95 => format!("{size:.0}"),
        size if size >= 9.995 => format!("{size:.1}"),
        size if size >= 0.0995 || size == 0.0 => format!("{size:.2}"),
        _ => format!("{size:.3}"),
    };
    if value < 0.0 {
        format!("−{digits}")
    } else {
        digits
    }
}

/// A number with its sign, plus or minus.
pub fn signed(value: f64) -> String {
    let plus = if value < 0.0 { "" } else { "+" };
    format!("{plus}{}", number(value))
}

/// A number, or a dash for `None`.
pub fn number_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), number)
}

/// "+1.20 [+0.90, +1.50]".
pub fn interval(interval: &Interval) -> String {
    let Interval { estimate, low, high } = *interval;
    format!("{} [{}, {}]", signed(estimate), signed(low), signed(high))
}

/// The verdict of `comparison` in a few words; `a` and `b` are the names of the variants.
pub fn verdict(a: &str, b: &str, comparison: &Comparison) -> String {
    let better = match comparison.measure {
        Measure::P50 | Measure::P95 | Measure::P99 => "faster",
        Measure::Throughput => "handles more",
        Measure::Cpu => "cheaper",
    };
    match comparison.verdict {
        Verdict::ABetter => format!("{a} {better}"),
        Verdict::BBetter => format!("{b} {better}"),
        Verdict::Equivalent => "equivalent".to_owned(),
        Verdict::NotEnoughData {
            rounds_needed: Some(rounds),
        } => format!("not enough data (about {rounds} rounds needed)"),
        Verdict::NotEnoughData { rounds_needed: None } => {
            "not enough data (the difference is close to the margin)".to_owned()
        }
    }
}

/// Rows as aligned text, each column as wide as its widest cell: the first aligned left, the others right.
pub fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_significant_digits() {
        let cases = [
            (1234.5, "1234"),
            (99.96, "100"),
            (12.34, "12.3"),
            (1.234, "1.23"),
            (0.0123, "0.012"),
            (0.0, "0.00"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
        assert_eq!(
            (signed(-1.5), signed(0.25)),
            ("−1.50".to_owned(), "+0.25".to_owned())
        );
    }

    #[test]
    fn table_columns_are_aligned() {
        let rows = [["a", "1"], ["long", "100"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), ["a       1", "long  100"]);
    }
}
