//! The comparison, for people and for programs.

use serde::Serialize;

use super::by_route::ByRoute;
use super::compare::{Compared, RouteBooks};
use super::difference::Difference;

/// What the comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All books agree.
    Equal,
    /// They do not.
    Different,
    /// What was counted agrees; not everything was.
    CannotTell,
}

#[derive(Serialize)]
struct Json<'a> {
    reconciled: bool,
    routes: &'a ByRoute<RouteBooks>,
    differences: &'a [Difference],
    notes: &'a [String],
}

impl Compared {
    /// The verdict.
    pub(crate) fn verdict(&self) -> Verdict {
        match (self.differences.is_empty(), self.behind) {
            (false, _) => Verdict::Different,
            (true, 0) => Verdict::Equal,
            (true, _) => Verdict::CannotTell,
        }
    }

    /// One JSON object.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&Json {
            reconciled: self.verdict() == Verdict::Equal,
            routes: &self.routes,
            differences: &self.differences,
            notes: &self.notes,
        })
    }

    /// A table, notes, and the verdict with its reasons.
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
        let mut total = RouteBooks::default();
        for (route, books) in self.routes.iter() {
            lines.push(books.row(route.as_str()));
            total = total.plus(books);
        }
        lines.push(total.row("total"));
        lines.push(String::new());
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines.push(match self.verdict() {
            Verdict::Equal => "reconciled: every vote is everywhere, once".to_owned(),
            Verdict::Different => "NOT reconciled:".to_owned(),
            Verdict::CannotTell => {
                "cannot tell: what is counted agrees, but not everything is counted".to_owned()
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

impl RouteBooks {
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

    fn compared() -> Compared {
        let mut routes = ByRoute::<RouteBooks>::default();
        routes[Route::Grpc] = RouteBooks {
            kafka: 12,
            redis: 12,
            mongo: 12,
            ..RouteBooks::default()
        };
        Compared {
            routes,
            differences: Vec::new(),
            notes: vec!["a note".to_owned()],
            behind: 0,
        }
    }

    #[test]
    fn a_table_says_what_is_not_known_and_sums_up() {
        let text = compared().to_text();
        let cells = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().skip(1).collect::<Vec<_>>()
        };
        assert_eq!(cells("grpc"), ["-", "-", "12", "12", "12", "0", "0", "0"]);
        assert_eq!(cells("total"), cells("grpc"));
        assert!(text.contains("note: a note\nreconciled:"), "{text}");
    }

    #[test]
    fn what_is_not_counted_yet_is_no_verdict() {
        let behind = Compared {
            behind: 1,
            ..compared()
        };
        assert_eq!(behind.verdict(), Verdict::CannotTell);
        let json: serde_json::Value = serde_json::from_str(&behind.to_json().unwrap()).unwrap();
        assert_eq!(json["reconciled"], false);
        assert_eq!(json["routes"]["grpc"]["kafka"], 12);
        assert_eq!(json["routes"]["rest"]["sent"], serde_json::Value::Null);
    }
}
