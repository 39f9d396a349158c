"""Alerts: each has a runbook section and unit tests, and one fires on a real failure."""

import re

import yaml

from boardfiles import GRAFANA, PROMETHEUS, alerts
from stack import Stack, eventually

ROOT = GRAFANA.parent


def _anchors(markdown: str) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub creates them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alert_has_a_description_and_a_runbook_section() -> None:
    assert alerts()
    for alert in alerts():
        assert alert["labels"]["severity"] in {"warning", "critical"}, alert["alert"]
        assert {"summary", "description", "runbook_url"} <= set(alert["annotations"]), alert["alert"]
        page, anchor = alert["annotations"]["runbook_url"].split("#")
        assert anchor == alert["alert"].lower()
        assert anchor in _anchors((ROOT / page).read_text(encoding="utf-8")), f"{page} has no section {alert['alert']}"


def test_every_alert_has_a_firing_and_a_silent_unit_test() -> None:
    """`promtool test rules` runs the unit tests; this test checks that none is missing."""
    firing, silent = set(), set()
    for path in (PROMETHEUS / "tests").glob("*.yml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            for check in case["alert_rule_test"]:
                (firing if check["exp_alerts"] else silent).add(check["alertname"])
    names = {alert["alert"] for alert in alerts()}
    assert firing == names
    assert silent == names


def test_alert_becomes_pending_when_a_store_is_down(stack: Stack) -> None:
    down = 'service_check_up{service="consumer",check="redis"} == 0'
    assert not stack.instant(down)
    stack.lab("stop", "redis")
    try:
        eventually(lambda: stack.instant(down), "the failing check")
        eventually(
            lambda: stack.instant('ALERTS{alertname="CheckFailing",alertstate="pending",check="redis"}'),
            "the pending alert",
        )
    finally:
        stack.lab("start", "redis")
    eventually(lambda: stack.instant(down.replace("== 0", "== 1")), "the passing check")
