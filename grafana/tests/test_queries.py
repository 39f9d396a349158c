"""Every panel's query, asked of a running Prometheus and Redis that have seen votes by every route."""

import math
import time

import redis

import boardfiles
from boardfiles import Panel
from stack import PATIENCE_S, PAUSE_S, ROUTES, Stack, eventually

# What Grafana puts in for a variable; several values of one become an alternative.
VARIABLES = {
    "$route": "(" + "|".join(ROUTES) + ")",
    "$baseline": "rest",
    "$window": "1m",
    "$__rate_interval": "1m",
}
# Panels that are right to be empty, and why.
EMPTY_IS_RIGHT = {
    ("dualpath-pipeline", "Alerts over time"): "no alert fires on a stack that works",
}


def _filled_in(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, f"a variable that this test does not know: {expr}"
    return expr


def _has_values(series: list[dict]) -> bool:
    samples = [sample for one in series for sample in one.get("values", [one.get("value")])]
    return any(math.isfinite(float(value)) for _, value in samples)


def test_every_query_of_prometheus_gives_data(stack: Stack) -> None:
    queries = boardfiles.prom_exprs()
    assert queries

    def is_wrong(panel: Panel, target: dict) -> bool:
        ask = stack.instant if target["instant"] else stack.range
        empty = not _has_values(ask(_filled_in(target["expr"])))
        return empty != ((panel.board, panel.title) in EMPTY_IS_RIGHT)

    started = time.monotonic()
    while (wrong := [query for query in queries if is_wrong(*query)]) and time.monotonic() - started < PATIENCE_S:
        queries = wrong
        time.sleep(PAUSE_S)
    assert not wrong, "\n".join(f"{panel}: {_filled_in(target['expr'])}" for panel, target in wrong)


def test_every_panel_of_routes_has_every_route(stack: Stack) -> None:
    """A board that compares and leaves one out would mislead."""
    for panel, target in boardfiles.prom_exprs():
        if target["legendFormat"] != "{{route}}" or '!="accepted"' in target["expr"]:
            continue
        expected = set(ROUTES) - ({VARIABLES["$baseline"]} if "$baseline" in target["expr"] else set())

        def complete(expr: str = target["expr"], expected: set[str] = expected) -> bool:
            return {series["metric"].get("route") for series in stack.range(_filled_in(expr))} == expected

        eventually(complete, f"{panel} has {expected}")


def test_every_query_of_redis_gives_counts(stack: Stack) -> None:
    client = redis.Redis.from_url(stack.endpoints["redis"], decode_responses=True)
    targets = [(panel, target) for panel in boardfiles.panels() for target in panel.targets if "keyName" in target]
    assert {target["command"] for _, target in targets} == {"hgetall", "get"}

    def total(command: str, key: str) -> int:
        return int(client.get(key) or 0) if command == "get" else sum(map(int, client.hvals(key)))

    for panel, target in targets:
        assert target["type"] == "command", panel
        command, key = target["command"], target["keyName"]
        eventually(lambda c=command, k=key: total(c, k), f"{panel}: {key}")


def test_a_reader_can_choose_every_route(stack: Stack) -> None:
    queries = {
        variable["query"]["query"]
        for path in boardfiles.FILES
        for variable in boardfiles.board(path)["templating"]["list"]
        if variable["type"] == "query"
    }
    # Grafana asks label_values(METRIC, LABEL) as the values of a label.
    assert queries == {"label_values(ingest_config_info, route)"}
    assert stack.names("route", "ingest_config_info") == set(ROUTES)


def test_redis_and_prometheus_count_the_same(stack: Stack) -> None:
    """The lower half of the board of tallies stands in for the upper one."""
    client = redis.Redis.from_url(stack.endpoints["redis"], decode_responses=True)
    for key, metric, label in (
        ("{votes}:route", 'consumer_votes_total{result="applied"}', "route"),
        ("{votes}:band", "consumer_band_votes_total", "band"),
        ("{votes}:album", "consumer_album_votes_total", "album"),
    ):

        def same(key: str = key, metric: str = metric, label: str = label) -> bool:
            counted = stack.instant(f"sum by ({label}) ({metric}) > 0")
            by_label = {series["metric"][label]: series["value"][1] for series in counted}
            return by_label == client.hgetall(key) != {}

        eventually(same, f"{metric} is as {key}")


def test_the_weight_of_the_split_is_a_metric(stack: Stack) -> None:
    def weight() -> float:
        series = stack.instant("ingress_split_weight_percent")
        return float(series[0]["value"][1]) if series else math.nan

    eventually(lambda: weight() == 50, "the weight that the stack started with")
    stack.lab("weight", "20")
    eventually(lambda: weight() == 20, "the new weight")
    stack.lab("weight", "50")
    eventually(lambda: weight() == 50, "the weight as it was")
