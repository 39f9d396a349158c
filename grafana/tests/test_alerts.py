"""Alerts: each says what to do, is tried both ways, and sees real trouble."""

import re

import yaml

from boardfiles import GRAFANA, PROMETHEUS, alerts
from stack import Stack, eventually

ROOT = GRAFANA.parent


def _anchors(markdown: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    assert alerts()
    for alert in alerts():
        assert alert["labels"]["severity"] in {"warning", "critical"}, alert["alert"]
        assert {"summary", "description", "runbook_url"} <= set(alert["annotations"]), alert["alert"]
        page, anchor = alert["annotations"]["runbook_url"].split("#")
        assert anchor == alert["alert"].lower()
        assert anchor in _anchors((ROOT / page).read_text(encoding="utf-8")), f"{page} has no section {alert['alert']}"


def test_every_alert_is_shown_to_fire_and_not_to_fire() -> None:
    """`promtool test rules` runs these; here it is seen that none is missing."""
    fires, is_silent = set(), set()
    for path in (PROMETHEUS / "tests").glob("*.yml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            for check in case["alert_rule_test"]:
                (fires if check["exp_alerts"] else is_silent).add(check["alertname"])
    names = {alert["alert"] for alert in alerts()}
    assert fires == names
    assert is_silent == names


def test_an_alert_sees_a_store_that_is_away(stack: Stack) -> None:
    down = 'service_check_up{service="consumer",check="redis"} == 0'
    assert not stack.instant(down)
    stack.lab("stop", "redis")
    try:
        eventually(lambda: stack.instant(down), "the failing check")
        eventually(
            lambda: stack.instant('ALERTS{alertname="CheckFailing",alertstate="pending",check="redis"}'),
            "the alert that will fire when the check has failed for a minute",
        )
    finally:
        stack.lab("start", "redis")
    eventually(lambda: stack.instant(down.replace("== 0", "== 1")), "the check passes again")
