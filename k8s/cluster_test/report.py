"""The report: the rows of all stages as a table and as JSON."""

import datetime
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster_test import kube

BEGIN, END = "<!-- cluster-test -->", "<!-- /cluster-test -->"


@dataclass(frozen=True)
class Row:
    """One claim and its measurement.

    Attributes:
        claim: the expected behaviour.
        measured: the measured values.
        ok: True if the measurement confirms the claim.
    """

    claim: str
    measured: str
    ok: bool


class Report:
    """The rows of each stage. A stage that runs again replaces its rows."""

    def __init__(self, directory: Path) -> None:
        """Loads the existing report of the directory, if any."""
        self._file = directory / "report.json"
        self._stages: dict[str, list[dict]] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def put(self, stage: str, rows: list[Row]) -> None:
        """Adds the rows of a stage, prints them, and writes the files."""
        self._stages[stage] = [asdict(row) for row in rows]
        for row in rows:
            print(f"  {'ok  ' if row.ok else 'FAIL'} {row.claim}: {row.measured}", flush=True)
        self._file.write_text(json.dumps(self._stages, indent=1, ensure_ascii=False))
        self._file.with_suffix(".md").write_text(self.table())

    def table(self) -> str:
        """Returns all rows as a table in Markdown."""
        lines = ["| stage | claim | measured | ok |", "|---|---|---|---|"]
        for stage, rows in self._stages.items():
            for row in rows:
                ok = "yes" if row["ok"] else "**no**"
                lines.append(f"| {stage} | {row['claim']} | {row['measured']} | {ok} |")
        return "\n".join(lines) + "\n"

    def publish(self, page: Path) -> None:
        """Replaces the text between the two markers of a page with the table."""
        version = json.loads(kube.kubectl("version", "--output=json"))["serverVersion"]["gitVersion"]
        nodes, cores = len(kube.get("nodes")["items"]), os.cpu_count()
        today = datetime.datetime.now(tz=datetime.UTC).date()
        head = f"Kubernetes {version}, {nodes} nodes on one machine of {cores} cores, {today}."
        before, rest = page.read_text().split(f"{BEGIN}\n")
        _, after = rest.split(END)
        page.write_text(f"{before}{BEGIN}\n{head}\n\n{self.table()}{END}{after}")

    @property
    def ok(self) -> bool:
        """Whether every row is ok."""
        return all(row["ok"] for rows in self._stages.values() for row in rows)
