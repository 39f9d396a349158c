"""Metrics: each queried metric exists, and each exported metric is on a dashboard or excluded with a reason."""

import os
import re
from collections import defaultdict
from pathlib import Path

import boardfiles
from boardfiles import GRAFANA, alerts, family, metrics_of, prom_exprs, rules
from stack import Stack, eventually

REFERENCE = GRAFANA.parent / "docs/metrics.md"

# Exported metrics that are on no dashboard, with the reason.
UNUSED = {
    "process_virtual_memory_bytes": "reserved address space does not show memory usage",
}
# Metrics that exist only during a failure, with the reason.
ONLY_DURING_FAILURES = {"ALERTS": "Prometheus exports it while an alert is pending or firing"}

HEADER = """# Metrics

The metrics that the services export on their admin ports, and the dashboards that show them. A series whose labels
are known exists from the start. The tests of `grafana/` generate this page: run `DUALPATH_BLESS=1 make grafana-test`
after a change.

| metric | type | labels | exported by | meaning | dashboard |
|---|---|---|---|---|---|"""
ALERTS_HEADER = """
## Alerts

The alert rules and recording rules are in [prometheus/rules](../prometheus/rules/).

| alert | severity | fires after |
|---|---|---|"""


def test_metrics_of_finds_the_metrics_of_an_expression() -> None:
    """`metrics_of` uses regular expressions; these are the forms that it must support."""
    assert metrics_of('sum by (route, le) (rate(a_bucket{x="b_total", y=~"c|d"}[5m]))') == {"a_bucket"}
    assert metrics_of("a - on () group_left () b / (c > 0)") == {"a", "b", "c"}
    assert metrics_of("l:a:sum > 1000 and deriv(l:a:sum[5m]) > 0 or vector(0) unless on (x) d == 1e9") == {
        "l:a:sum",
        "d",
    }
    assert metrics_of('absent(up{service="rest"}) or label_replace(a == 0, "r", "b", "", "")') == {"up", "a"}


def test_every_queried_metric_exists(stack: Stack) -> None:
    queried = {name for _, target in prom_exprs() for name in metrics_of(target["expr"])}
    queried |= {name for rule in rules() for name in metrics_of(rule["expr"])}
    assert queried >= {rule["record"] for rule in rules() if "record" in rule}, "unused recording rule"
    expected = queried - set(ONLY_DURING_FAILURES)
    eventually(lambda: expected <= stack.label_values("__name__"), f"{expected - stack.label_values('__name__')}")


def test_every_exported_metric_is_on_a_dashboard_or_excluded(stack: Stack) -> None:
    exported = {name for text in stack.metrics().values() for name in _described(text)}
    shown = _shown(exported)
    assert exported - set(shown) == set(UNUSED), "add the metric to a dashboard, or to UNUSED with a reason"


def test_metrics_reference_is_current(stack: Stack) -> None:
    # A gauge by partition has its label only after the consumer has partitions.
    eventually(lambda: "consumer_lag_records{" in stack.metrics()["consumer"], "the consumer has no partition")
    exported: dict[str, tuple[str, str]] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    services: dict[str, set[str]] = defaultdict(set)
    for service, text in stack.metrics().items():
        for name, described in _described(text).items():
            exported[name] = described
            labels[name] |= _labels(text, name)
            services[name].add(service)
    shown = _shown(set(exported))
    rows = []
    for name, (kind, explanation) in sorted(exported.items()):
        boards = shown.get(name, {f"none: {UNUSED.get(name)}"})
        lists = [", ".join(sorted(items)) for items in (labels[name], services[name], boards)]
        rows.append(f"| `{name}` | {kind} | {lists[0]} | {lists[1]} | {explanation} | {lists[2]} |")
    written = "\n".join([HEADER, *rows, ALERTS_HEADER, *_alert_rows(), ""])
    if os.environ.get("DUALPATH_BLESS"):
        REFERENCE.write_text(written, encoding="utf-8")
    assert REFERENCE.read_text(encoding="utf-8") == written, "run `DUALPATH_BLESS=1 make grafana-test`"


def _alert_rows() -> list[str]:
    return [
        f"| [{name}](runbook.md#{name.lower()}) | {alert['labels']['severity']} | {alert.get('for', 'at once')} |"
        for alert in alerts()
        for name in [alert["alert"]]
    ]


def _shown(exported: set[str]) -> dict[str, set[str]]:
    """Returns the dashboards that show each metric, directly or by a recording rule."""
    recorded: dict[str, set[str]] = {}
    for rule in rules():
        if "record" in rule:
            recorded.setdefault(rule["record"], set()).update(metrics_of(rule["expr"]))
    shown: dict[str, set[str]] = {}
    for panel, target in prom_exprs():
        names = metrics_of(target["expr"])
        while expanded := {source for name in names for source in recorded.get(name, set())} - names:
            names |= expanded
        for name in names:
            shown.setdefault(family(name, exported), set()).add(panel.board.removeprefix("dualpath-"))
    return {name: boards for name, boards in shown.items() if name in exported}


def _described(text: str) -> dict[str, tuple[str, str]]:
    """Returns type and help text of each metric of a scrape."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    explanations = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    return {name: (kind, explanations[name]) for name, kind in kinds.items()}


def _labels(text: str, name: str) -> set[str]:
    series = re.findall(rf"^{name}(?:_bucket|_sum|_count)?\{{(.*)\}} ", text, re.MULTILINE)
    return {label for labels in series for label in re.findall(r'(\w+)="', labels)} - {"le"}


def test_readme_links_to_the_metrics_reference() -> None:
    readme: Path = GRAFANA / "README.md"
    assert "docs/metrics.md" in readme.read_text(encoding="utf-8")
    assert boardfiles.FILES
