"""The routes side by side: how long a vote takes, where the time goes, how many come and how many fail."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from . import variables
from .board import Row, assemble
from .panels import (
    COUNT,
    FULL,
    HALF,
    SECONDS,
    SHARE,
    THIRD,
    VOTES_PER_SECOND,
    bars,
    difference,
    heat,
    lines,
    number,
)
from .queries import Query

ACCEPTED = 'route=~"$route",outcome="accepted"'
NO_VERDICT = (
    "Live traffic is no experiment: routes get different votes at different times. The verdict is `make compare`'s."
)


def board() -> Dashboard:
    """The board."""
    return assemble(
        "dualpath-latency",
        "dualpath: latency",
        f"REST, gRPC and the bridge between them, side by side. {NO_VERDICT}",
        [variables.datasource(), variables.route(), variables.baseline(), variables.window()],
        [_glance(), _latency(), _difference(), _stages(), _hop(), _traffic(), _split()],
    )


def _quantile(share: float, selector: str, by: str = "route, ", metric: str = "ingest_request") -> str:
    bucket = f"{metric}_duration_seconds_bucket{{{selector}}}"
    return f"histogram_quantile({share}, sum by ({by}le) (rate({bucket}[$window])))"


def _glance() -> Row:
    return (
        "At a glance",
        [
            number(
                "Accepted votes a second",
                "Votes that Kafka acknowledged, by route, over the last minute.",
                VOTES_PER_SECOND,
                Query(f"route_outcome:ingest_requests:rate1m{{{ACCEPTED}}}", "{{route}}"),
                span=6,
            ),
            number(
                "Time of 99 in 100 votes",
                "Within this time 99 of 100 accepted votes of the last minute were answered, as the service saw it. "
                "Yellow from 50 ms, red from 250 ms.",
                SECONDS,
                Query('route:ingest_latency_seconds:quantile1m{quantile="0.99",route=~"$route"}', "{{route}}"),
                steps=((None, "green"), (0.05, "yellow"), (0.25, "red")),
                span=6,
            ),
            number(
                "Failed votes",
                "Share of the last minute's votes that failed by no fault of the client's: overloaded, unavailable, "
                "deadline, internal. Red from 1 %, where the alert RouteErrors begins.",
                SHARE,
                Query('route:ingest_errors:ratio1m{route=~"$route"}', "{{route}}"),
                steps=((None, "green"), (0.001, "yellow"), (0.01, "red")),
                span=6,
            ),
            number(
                "Settings of rest and grpc",
                "Whether both native routes run with the same settings. Where they do not, no difference between them "
                "means anything.",
                "none",
                Query('count(count by (config_hash) (ingest_config_info{route=~"rest|grpc"}))', "settings"),
                steps=((None, "red"), (1, "green"), (2, "red")),
                mappings={"1": ("equal", "green"), "2": ("different", "red")},
                span=3,
            ),
            number(
                "Split to the bridge",
                "Share of /v1/votes that the Ingress gave to the bridge in the last five minutes.",
                SHARE,
                Query("ingress_split:bridge:ratio5m", "observed"),
                span=3,
            ),
        ],
    )


def _latency() -> Row:
    quantiles = [
        lines(
            f"Latency, {name}",
            f"Time within which {words} accepted votes were answered: from the request's head, or a stream's frame, to "
            "the answer.",
            SECONDS,
            Query(_quantile(share, ACCEPTED), "{{route}}"),
        )
        for name, share, words in (
            ("median", 0.5, "half of the"),
            ("95 %", 0.95, "95 of 100"),
            ("99 %", 0.99, "99 of 100"),
        )
    ]
    heat_map = heat(
        "Heat map of $route",
        "How many accepted votes took how long. Two bands mean two kinds of votes, which a quantile would hide.",
        Query(
            f"sum by (le) (increase(ingest_request_duration_seconds_bucket{{{ACCEPTED}}}[$__rate_interval]))",
            "{{le}}",
            buckets=True,
        ),
    )
    heat_map.repeat("route").repeat_direction("h").max_per_row(3).span(FULL)
    return ("Latency of accepted votes", [*quantiles, heat_map])


def _difference() -> Row:
    other = 'route=~"$route",route!="$baseline",outcome="accepted"'
    base = 'route="$baseline",outcome="accepted"'
    return (
        "Difference from $baseline",
        [
            difference(
                f"Difference, {name}",
                f"The route's {name} less that of $baseline: above zero it is slower. {NO_VERDICT}",
                SECONDS,
                Query(f"{_quantile(share, other)} - on () group_left () {_quantile(share, base, by='')}", "{{route}}"),
            )
            for name, share in (("median", 0.5), ("95 %", 0.95), ("99 %", 0.99))
        ],
    )


def _stages() -> Row:
    selector = 'route=~"$route"'
    stage = "ingest_stage_duration_seconds"
    mean = lines(
        "Stages of $route, mean",
        "Where a vote's time goes, the stages on top of each other: decode, validate, encode, publish (until Kafka has "
        "acknowledged; for the bridge its whole hop), reply. What the framework does around them is not in it.",
        SECONDS,
        Query(
            f"sum by (stage) (rate({stage}_sum{{{selector}}}[$window])) "
            f"/ (sum by (stage) (rate({stage}_count{{{selector}}}[$window])) > 0)",
            "{{stage}}",
        ),
        stacked=True,
    )
    mean.repeat("route").repeat_direction("h").max_per_row(3).span(FULL)
    return (
        "Stages",
        [
            mean,
            lines(
                "Own work, 99 %",
                "The stages that the route itself works in, all but publish: 99 of 100 took no longer.",
                SECONDS,
                Query(
                    _quantile(0.99, f'{selector},stage!="publish"', by="route, stage, ", metric="ingest_stage"),
                    "{{route}} {{stage}}",
                ),
                span=HALF,
            ),
            lines(
                "Publish, median and 99 %",
                "From handing the event to Kafka's producer (for the bridge: to the call) until it is acknowledged.",
                SECONDS,
                Query(_quantile(0.5, f'{selector},stage="publish"', metric="ingest_stage"), "{{route}} median"),
                Query(_quantile(0.99, f'{selector},stage="publish"', metric="ingest_stage"), "{{route}} 99 %"),
                span=HALF,
            ),
        ],
    )


def _hop() -> Row:
    stage = "ingest_forward_stage_duration_seconds"
    return (
        "The bridge's second half, inside ingest-grpc",
        [
            lines(
                "Forwarded vote, median and 99 %",
                "What of the bridge's publish stage happens inside ingest-grpc; the rest of it is the call itself.",
                SECONDS,
                Query(_quantile(0.5, 'outcome="accepted"', by="", metric="ingest_forward_request"), "median"),
                Query(_quantile(0.99, 'outcome="accepted"', by="", metric="ingest_forward_request"), "99 %"),
            ),
            lines(
                "Stages of a forwarded vote, mean",
                "The same stages as on a route, of a vote that the bridge has forwarded.",
                SECONDS,
                Query(
                    f"sum by (stage) (rate({stage}_sum[$window])) "
                    f"/ (sum by (stage) (rate({stage}_count[$window])) > 0)",
                    "{{stage}}",
                ),
                stacked=True,
            ),
            lines(
                "Forwarded votes in flight",
                "Votes of the bridge that ingest-grpc has taken and not answered.",
                COUNT,
                Query("sum(ingest_forward_inflight_requests)", "forwarded"),
            ),
        ],
    )


def _traffic() -> Row:
    count = "ingest_request_duration_seconds_count"
    return (
        "Throughput and errors",
        [
            lines(
                "Accepted votes a second, over time",
                "Votes that Kafka acknowledged.",
                VOTES_PER_SECOND,
                Query(f"sum by (route) (rate({count}{{{ACCEPTED}}}[$window]))", "{{route}}"),
            ),
            lines(
                "Votes that were not accepted",
                "By outcome. Invalid and cancelled are the client's; the others are the route's, or Kafka's.",
                VOTES_PER_SECOND,
                Query(
                    f'sum by (route, outcome) (rate({count}{{route=~"$route",outcome!="accepted"}}[$window])) > 0',
                    "{{route}} {{outcome}}",
                ),
            ),
            lines(
                "Votes in flight",
                "Arrived and not answered yet. A route takes at most --max-in-flight of them.",
                COUNT,
                Query('sum by (route) (ingest_inflight_requests{route=~"$route"})', "{{route}}"),
            ),
        ],
    )


def _split() -> Row:
    service = 'service=~".*split-(bridge|rest).*"'
    return (
        "The split at the Ingress",
        [
            lines(
                "Split to the bridge: configured and observed",
                "The weight that the Ingress is told, and the share of /v1/votes that the bridge got over five "
                "minutes. Requests that a header forces are not in it on one machine; in a cluster they are.",
                SHARE,
                Query("max(ingress_split_weight_percent) / 100", "configured"),
                Query("ingress_split:bridge:ratio5m", "observed"),
            ),
            lines(
                "Requests of the split path",
                "By the Ingress's own count, before any service has seen them.",
                "reqps",
                Query(
                    f"sum by (service, code) (rate(traefik_service_requests_total{{{service}}}[$window]))",
                    "{{service}} {{code}}",
                ),
            ),
            bars(
                "Answered at the Ingress within, 99 %",
                "The Ingress's own time of a request, service and way back included, by its service: what it is longer "
                "than the route's figure is the hop through the Ingress.",
                SECONDS,
                Query(
                    "histogram_quantile(0.99, sum by (service, le) "
                    "(rate(traefik_service_request_duration_seconds_bucket[$window])))",
                    "{{service}}",
                    now=True,
                ),
                span=THIRD,
            ),
        ],
    )
