"""Reads the committed dashboards and rules, and the metrics that they use."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

GRAFANA = Path(__file__).parents[1]
PROMETHEUS = GRAFANA.parent / "prometheus"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"\{[^}]*\}|\[[^\]]*\]")
_LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b")
_FUNCTION = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?=\s*\()")
_KEYWORDS = {"and", "or", "unless", "bool", "offset"}


@dataclass(frozen=True)
class Panel:
    """A panel of a dashboard."""

    board: str
    body: dict[str, Any]

    @property
    def title(self) -> str:
        """The title."""
        return self.body["title"]

    @property
    def targets(self) -> list[dict[str, Any]]:
        """The queries."""
        return self.body["targets"]

    def __str__(self) -> str:
        """Returns dashboard and title, for messages."""
        return f"{self.board}: {self.title}"


def board(path: Path) -> dict[str, Any]:
    """Reads the JSON of a dashboard."""
    return json.loads(path.read_text(encoding="utf-8"))


def panels() -> list[Panel]:
    """Returns every panel of every dashboard."""
    return [Panel(path.stem, body) for path in FILES for body in board(path)["panels"] if body["type"] != "row"]


def prom_exprs() -> list[tuple[Panel, dict[str, Any]]]:
    """Returns every Prometheus query, with its panel."""
    return [(panel, target) for panel in panels() for target in panel.targets if "expr" in target]


def rules() -> list[dict[str, Any]]:
    """Returns every recording rule and alert."""
    groups = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Returns every alert."""
    return [rule for rule in rules() if "alert" in rule]


def metrics_of(expr: str) -> set[str]:
    """Returns the names of the metrics in an expression."""
    bare = _LABELS.sub(" ", _SELECTOR.sub(" ", _TEXT.sub("''", expr)))
    functions = set(_FUNCTION.findall(bare))
    return {name for name in _NAME.findall(bare) if name not in _KEYWORDS | functions}


def family(metric: str, families: set[str]) -> str:
    """Returns the metric of a series: the series of a histogram end in _bucket, _sum and _count."""
    base = re.sub(r"_(bucket|sum|count)$", "", metric)
    return base if base in families else metric
