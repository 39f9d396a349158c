//! The result table as aligned Markdown, for the terminal and for a document.

use std::time::Duration;

use crate::suite::FaultResult;

/// The cells of a table. The first row is the header. All columns except the first hold numbers.
#[derive(Clone, Debug)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// Creates a table with this header.
    pub fn new(header: &[&str]) -> Self {
        Self(vec![header.iter().map(|&cell| cell.to_owned()).collect()])
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }

    /// The table as Markdown with aligned columns.
    pub fn markdown(&self) -> String {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut lines: Vec<String> = self.0.iter().map(|row| line(row, &widths)).collect();
        lines.insert(1.min(lines.len()), rule(&widths));
        lines.join("\n")
    }
}

/// The result table of the suite.
pub fn suite_table(results: &[FaultResult]) -> Table {
    let mut table = Table::new(&[
        "fault",
        "rounds",
        "votes",
        "repeated",
        "failed",
        "in doubt",
        "lost",
        "double",
        "recovery p50, s",
        "max, s",
    ]);
    for result in results {
        let passed = result.rounds as usize - result.failures.len();
        let rounds = if result.failures.is_empty() {
            result.rounds.to_string()
        } else {
            format!("{passed} of {}", result.rounds)
        };
        let mut recoveries = result.recoveries.clone();
        recoveries.sort();
        table.row([
            result.name.clone(),
            rounds,
            thousands(result.client_counts.votes),
            thousands(result.client_counts.repeated),
            thousands(result.client_counts.failed),
            thousands(result.route_counts.in_doubt),
            result.route_counts.lost.to_string(),
            result.route_counts.double.to_string(),
            seconds(recoveries.get(recoveries.len().saturating_sub(1) / 2)),
            seconds(recoveries.last()),
        ]);
    }
    table
}

/// The description of each fault, as a list.
pub fn descriptions(results: &[FaultResult]) -> String {
    let lines = results
        .iter()
        .map(|result| format!("- `{}`: {}", result.name, result.description));
    lines.collect::<Vec<_>>().join("\n")
}

/// Formats a number with a comma between groups of three digits.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn seconds(duration: Option<&Duration>) -> String {
    duration.map_or_else(
        || "-".to_owned(),
        |duration| format!("{:.1}", duration.as_secs_f64()),
    )
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (cell, &width))| {
            if column == 0 {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
    format!("| {} |", padded.collect::<Vec<_>>().join(" | "))
}

fn rule(widths: &[usize]) -> String {
    let dashes = widths.iter().enumerate().map(|(column, &width)| {
        if column == 0 {
            "-".repeat(width)
        } else {
            format!("{}:", "-".repeat(width.saturating_sub(1)))
        }
    });
    format!("| {} |", dashes.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::ClientCounts;

    #[test]
    fn table_columns_are_aligned() {
        let mut table = Table::new(&["name", "n"]);
        table.row(["é".to_owned(), "1,000".to_owned()]);
        assert_eq!(
            table.markdown(),
            "| name |     n |\n| ---- | ----: |\n| é    | 1,000 |"
        );
    }

    #[test]
    fn thousands_are_separated_by_commas() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn failed_round_is_shown_in_the_table() {
        let result = FaultResult {
            name: "kill-rest".to_owned(),
            rounds: 5,
            client_counts: ClientCounts {
                votes: 12_000,
                ..ClientCounts::default()
            },
            recoveries: [3, 1, 2, 4].map(Duration::from_secs).to_vec(),
            failures: vec!["reason".to_owned()],
            ..FaultResult::default()
        };
        let markdown = suite_table(&[result]).markdown();
        let cells: Vec<&str> = markdown
            .lines()
            .nth(2)
            .unwrap()
            .split('|')
            .map(str::trim)
            .collect();
        assert_eq!(cells[1..4], ["kill-rest", "4 of 5", "12,000"]);
        assert_eq!(cells[9..11], ["2.0", "4.0"]);
    }
}
