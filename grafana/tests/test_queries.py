"""The queries of every panel, run on a Prometheus and a Redis with votes of every route."""

import math
import time

import redis

import boardfiles
from boardfiles import Panel
from stack import POLL_INTERVAL_S, ROUTES, TIMEOUT_S, Stack, eventually

# The values of the variables. Grafana joins several values to a regular expression.
VARIABLES = {
    "$route": "(" + "|".join(ROUTES) + ")",
    "$baseline": "rest",
    "$window": "1m",
    "$__rate_interval": "1m",
}
# Panels that must be empty, with the reason.
EXPECTED_EMPTY = {
    ("dualpath-pipeline", "Alerts over time"): "no alert fires on a healthy stack",
}


def _interpolate(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, f"unknown variable: {expr}"
    return expr


def _has_values(series: list[dict]) -> bool:
    samples = [sample for one in series for sample in one.get("values", [one.get("value")])]
    return any(math.isfinite(float(value)) for _, value in samples)


def test_every_prometheus_query_returns_data(stack: Stack) -> None:
    queries = boardfiles.prom_exprs()
    assert queries

    def is_wrong(panel: Panel, target: dict) -> bool:
        run_query = stack.instant if target["instant"] else stack.range
        empty = not _has_values(run_query(_interpolate(target["expr"])))
        return empty != ((panel.board, panel.title) in EXPECTED_EMPTY)

    started = time.monotonic()
    while (wrong := [query for query in queries if is_wrong(*query)]) and time.monotonic() - started < TIMEOUT_S:
        queries = wrong
        time.sleep(POLL_INTERVAL_S)
    assert not wrong, "\n".join(f"{panel}: {_interpolate(target['expr'])}" for panel, target in wrong)


def test_every_panel_by_route_shows_every_route(stack: Stack) -> None:
    """A comparison without one of the routes would mislead."""
    for panel, target in boardfiles.prom_exprs():
        if target["legendFormat"] != "{{route}}" or '!="accepted"' in target["expr"]:
            continue
        expected = set(ROUTES) - ({VARIABLES["$baseline"]} if "$baseline" in target["expr"] else set())

        def complete(expr: str = target["expr"], expected: set[str] = expected) -> bool:
            return {series["metric"].get("route") for series in stack.range(_interpolate(expr))} == expected

        eventually(complete, f"{panel}: the routes {expected}")


def test_every_redis_query_returns_counts(stack: Stack) -> None:
    client = redis.Redis.from_url(stack.endpoints["redis"], decode_responses=True)
    targets = [(panel, target) for panel in boardfiles.panels() for target in panel.targets if "keyName" in target]
    # The commands that the plugin sends to Redis.
    commands = {
        "get": lambda target: client.get(target["keyName"]),
        "hgetall": lambda target: client.hgetall(target["keyName"]),
        "zrange": lambda target: client.zrange(
            target["keyName"], int(target["min"]), int(target["max"]), withscores=True
        ),
    }
    assert {target["command"] for _, target in targets} == commands.keys()
    for panel, target in targets:
        assert target["type"] == "command", panel
        eventually(lambda t=target: commands[t["command"]](t), f"{panel}: {target['keyName']}")


def test_no_redis_query_reads_a_hash_that_clients_fill() -> None:
    """A million invented bands must not slow Redis or Grafana."""
    targets = [target for panel in boardfiles.panels() for target in panel.targets if "keyName" in target]
    assert {target["keyName"] for target in targets if target["command"] == "hgetall"} == {"{votes}:route"}
    for target in targets:
        if target["command"] == "zrange":
            assert target["zrangeQuery"] == ""
            assert -100 <= int(target["min"]) < int(target["max"]) == -1


def test_top_sets_have_the_counts_of_the_hashes(stack: Stack) -> None:
    client = redis.Redis.from_url(stack.endpoints["redis"], decode_responses=True)
    for key in ("{votes}:band", "{votes}:album"):

        def same(key: str = key) -> bool:
            top = client.zrange(f"{key}:top", 0, -1, withscores=True)
            return {name: str(int(score)) for name, score in top} == client.hgetall(key) != {}

        eventually(same, f"{key}:top to equal {key}")


def test_route_variable_offers_every_route(stack: Stack) -> None:
    queries = {
        variable["query"]["query"]
        for path in boardfiles.FILES
        for variable in boardfiles.board(path)["templating"]["list"]
        if variable["type"] == "query"
    }
    # Grafana resolves label_values(METRIC, LABEL) by the label values API of Prometheus.
    assert queries == {"label_values(ingest_config_info, route)"}
    assert stack.label_values("route", "ingest_config_info") == set(ROUTES)


def test_redis_and_prometheus_have_equal_counts(stack: Stack) -> None:
    """On the tallies dashboard the rows from Prometheus must show the same counts as the row from Redis."""
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

        eventually(same, f"{metric} to equal {key}")


def test_split_weight_is_a_metric(stack: Stack) -> None:
    def weight() -> float:
        series = stack.instant("ingress_split_weight_percent")
        return float(series[0]["value"][1]) if series else math.nan

    eventually(lambda: weight() == 50, "the initial weight")
    stack.lab("weight", "20")
    eventually(lambda: weight() == 20, "the new weight")
    stack.lab("weight", "50")
    eventually(lambda: weight() == 50, "the restored weight")
