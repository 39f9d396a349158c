//! The result of a reconciliation as text and as JSON.

use serde::Serialize;

use super::by_route::ByRoute;
use super::comparison_state::{Reconciliation, RouteCounts};
use super::differences::Difference;

/// The verdict of a reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The counts reconcile.
    Reconciled,
    /// There are differences.
    Different,
    /// The counted votes agree, but some votes are not counted yet.
    Incomplete,
}

#[derive(Serialize)]
struct Json<'a> {
    reconciled: bool,
    routes: &'a ByRoute<RouteCounts>,
    differences: &'a [Difference],
    notes: &'a [String],
}

impl Reconciliation {
    /// The verdict.
    pub(crate) fn verdict(&self) -> Verdict {
        match (self.differences.is_empty(), self.uncounted) {
            (false, _) => Verdict::Different,
            (true, 0) => Verdict::Reconciled,
            (true, _) => Verdict::Incomplete,
        }
    }

    /// One JSON object.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&Json {
            reconciled: self.verdict() == Verdict::Reconciled,
            routes: &self.routes,
            differences: &self.differences,
            notes: &self.notes,
        })
    }

    /// A table, the notes, and the verdict with all differences.
    pub(crate) fn to_text(&self) -> String {
        let mut lines = vec![row(&[
            "ROUTE",
            "SENT",
            "ACKNOWLEDGED",
            "KAFKA",
            "REDIS",
            "MONGODB",
            "IN DOUBT",
            "LOST",
            "DOUBLE",
        ])];
        let mut total = RouteCounts::default();
        for (route, counts) in self.routes.iter() {
            lines.push(counts.row(route.as_str()));
            total = total.plus(counts);
        }
        lines.push(total.row("total"));
        lines.push(String::new());
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines.push(match self.verdict() {
            Verdict::Reconciled => "reconciled: every vote is in all stores exactly once".to_owned(),
            Verdict::Different => "NOT reconciled:".to_owned(),
            Verdict::Incomplete => {
                "unknown: the counted votes agree, but some votes are not counted yet".to_owned()
            }
        });
        let sentences = self
            .differences
            .iter()
            .map(|difference| format!("  {}", difference.sentence));
        lines.extend(sentences);
        lines.join("\n")
    }
}

impl RouteCounts {
    fn row(&self, name: &str) -> String {
        let known = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        row(&[
            name,
            &known(self.sent),
            &known(self.acknowledged),
            &self.kafka.to_string(),
            &self.redis.to_string(),
            &self.mongo.to_string(),
            &self.in_doubt.to_string(),
            &self.lost.to_string(),
            &self.double.to_string(),
        ])
    }

    fn plus(self, other: &Self) -> Self {
        let plus = |one: Option<u64>, other: Option<u64>| Some(one.unwrap_or_default() + other?);
        Self {
            sent: plus(self.sent, other.sent),
            acknowledged: plus(self.acknowledged, other.acknowledged),
            kafka: self.kafka + other.kafka,
            redis: self.redis + other.redis,
            mongo: self.mongo + other.mongo,
            in_doubt: self.in_doubt + other.in_doubt,
            lost: self.lost + other.lost,
            double: self.double + other.double,
        }
    }
}

fn row(cells: &[&str]) -> String {
    let cells = cells.iter().enumerate().map(|(column, cell)| match column {
        0 => format!("{cell:<8}"),
        _ => format!("{cell:>13}"),
    });
    cells.collect()
}

#[cfg(test)]
mod tests {
    use vote::Route;

    use super::*;

    fn reconciliation() -> Reconciliation {
        let mut routes = ByRoute::<RouteCounts>::default();
        routes[Route::Grpc] = RouteCounts {
            kafka: 12,
            redis: 12,
            mongo: 12,
            ..RouteCounts::default()
        };
        Reconciliation {
            routes,
            differences: Vec::new(),
            notes: vec!["a note".to_owned()],
            uncounted: 0,
        }
    }

    #[test]
    fn table_shows_unknown_numbers_as_dashes_and_sums_up() {
        let text = reconciliation().to_text();
        let cells = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().skip(1).collect::<Vec<_>>()
        };
        assert_eq!(cells("grpc"), ["-", "-", "12", "12", "12", "0", "0", "0"]);
        assert_eq!(cells("total"), cells("grpc"));
        assert!(text.contains("note: a note\nreconciled:"), "{text}");
    }

    #[test]
    fn uncounted_records_give_an_incomplete_verdict() {
        let incomplete = Reconciliation {
            uncounted: 1,
            ..reconciliation()
        };
        assert_eq!(incomplete.verdict(), Verdict::Incomplete);
        let json: serde_json::Value = serde_json::from_str(&incomplete.to_json().unwrap()).unwrap();
        assert_eq!(json["reconciled"], false);
        assert_eq!(json["routes"]["grpc"]["kafka"], 12);
        assert_eq!(json["routes"]["rest"]["sent"], serde_json::Value::Null);
    }
}
