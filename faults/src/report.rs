//! The table of a run, for a terminal and for the document: aligned Markdown.

use std::time::Duration;

use crate::suite::Row;

/// Cells of a table; the first row is its head. All columns but the first are numbers.
#[derive(Clone, Debug)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// A table with this head.
    pub fn new(head: &[&str]) -> Self {
        Self(vec![head.iter().map(|&cell| cell.to_owned()).collect()])
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }

    /// The table as Markdown, its columns aligned.
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

/// The table of the suite.
pub fn suite(rows: &[Row]) -> Table {
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
    for row in rows {
        let good = row.rounds as usize - row.failures.len();
        let rounds = if row.failures.is_empty() {
            row.rounds.to_string()
        } else {
            format!("{good} of {}", row.rounds)
        };
        let mut recoveries = row.recoveries.clone();
        recoveries.sort();
        table.row([
            row.name.clone(),
            rounds,
            thousands(row.seen.votes),
            thousands(row.seen.repeated),
            thousands(row.seen.failed),
            thousands(row.books.in_doubt),
            row.books.lost.to_string(),
            row.books.double.to_string(),
            seconds(recoveries.get(recoveries.len().saturating_sub(1) / 2)),
            seconds(recoveries.last()),
        ]);
    }
    table
}

/// What each fault does, as a list.
pub fn sentences(rows: &[Row]) -> String {
    let lines = rows
        .iter()
        .map(|row| format!("- `{}`: {}", row.name, row.sentence));
    lines.collect::<Vec<_>>().join("\n")
}

/// A number with a comma before every three digits.
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
    use crate::ledger::Seen;

    #[test]
    fn a_table_is_aligned() {
        let mut table = Table::new(&["name", "n"]);
        table.row(["é".to_owned(), "1,000".to_owned()]);
        assert_eq!(
            table.markdown(),
            "| name |     n |\n| ---- | ----: |\n| é    | 1,000 |"
        );
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn a_failed_round_shows() {
        let row = Row {
            name: "kill-rest".to_owned(),
            rounds: 5,
            seen: Seen {
                votes: 12_000,
                ..Seen::default()
            },
            recoveries: [3, 1, 2, 4].map(Duration::from_secs).to_vec(),
            failures: vec!["why".to_owned()],
            ..Row::default()
        };
        let markdown = suite(&[row]).markdown();
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
