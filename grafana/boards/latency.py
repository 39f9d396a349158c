"""The latency dashboard: latency, stages, throughput and errors of the routes side by side."""

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
    heat_map,
    lines,
    number,
)
from .queries import Query

ACCEPTED = 'route=~"$route",outcome="accepted"'
NOT_AN_EXPERIMENT = (
    "Live traffic is not a controlled experiment: routes get different votes at different times. Use `make compare` to "
    "decide which route is faster."
)


def board() -> Dashboard:
    """Returns the dashboard."""
    return assemble(
        "dualpath-latency",
        "dualpath: latency",
        f"REST, gRPC and the bridge between them, side by side. {NOT_AN_EXPERIMENT}",
        [variables.datasource(), variables.route(), variables.baseline(), variables.window()],
        [_overview(), _latency(), _difference(), _stages(), _forwarding(), _traffic(), _split()],
    )


def _quantile(share: float, selector: str, by: str = "route, ", metric: str = "ingest_request") -> str:
    bucket = f"{metric}_duration_seconds_bucket{{{selector}}}"
    return f"histogram_quantile({share}, sum by ({by}le) (rate({bucket}[$window])))"


def _overview() -> Row:
    return (
        "Overview",
        [
            number(
                "Accepted votes per second",
                "Votes that Kafka acknowledged, by route, over the last minute.",
                # The title has the unit, so that the numbers can be large.
                COUNT,
                Query(f"route_outcome:ingest_requests:rate1m{{{ACCEPTED}}}", "{{route}}"),
                span=6,
            ),
            number(
                "Latency now, 99th percentile",
                "99 % of the accepted votes of the last minute were answered within this time, measured in the "
                "service. Yellow from 50 ms, red from 250 ms.",
                SECONDS,
                Query('route:ingest_latency_seconds:quantile1m{quantile="0.99",route=~"$route"}', "{{route}}"),
                steps=((None, "green"), (0.05, "yellow"), (0.25, "red")),
                span=6,
            ),
            number(
                "Failed votes",
                "Share of the votes of the last minute that failed for a reason other than the client: overloaded, "
                "unavailable, deadline, internal. Red from 1 %, the threshold of the alert RouteErrors.",
                SHARE,
                Query('route:ingest_errors:ratio1m{route=~"$route"}', "{{route}}"),
                steps=((None, "green"), (0.001, "yellow"), (0.01, "red")),
                span=6,
            ),
            number(
                "Configuration",
                "Whether rest and grpc have the same configuration. If they differ, a comparison of the routes is "
                "invalid.",
                "none",
                Query('count(count by (config_hash) (ingest_config_info{route=~"rest|grpc"}))', "settings"),
                steps=((None, "red"), (1, "green"), (2, "red")),
                mappings={"1": ("equal", "green"), "2": ("different", "red")},
                span=3,
            ),
            number(
                "Split to the bridge",
                "Share of the /v1/votes requests of the last five minutes that the Ingress sent to the bridge.",
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
            f"{percent} of the accepted votes were answered within this time: from the head of the request, or the "
            "frame of a stream, to the response.",
            SECONDS,
            Query(_quantile(share, ACCEPTED), "{{route}}"),
        )
        for name, share, percent in (
            ("median", 0.5, "50 %"),
            ("95th percentile", 0.95, "95 %"),
            ("99th percentile", 0.99, "99 %"),
        )
    ]
    distribution = heat_map(
        "Heat map of $route",
        "Number of accepted votes by latency. It shows a distribution with two peaks, which a percentile hides.",
        Query(
            f"sum by (le) (increase(ingest_request_duration_seconds_bucket{{{ACCEPTED}}}[$__rate_interval]))",
            "{{le}}",
            buckets=True,
        ),
    )
    distribution.repeat("route").repeat_direction("h").max_per_row(3).span(FULL)
    return ("Latency of accepted votes", [*quantiles, distribution])


def _difference() -> Row:
    other = 'route=~"$route",route!="$baseline",outcome="accepted"'
    base = 'route="$baseline",outcome="accepted"'
    return (
        "Difference from $baseline",
        [
            difference(
                f"Difference, {name}",
                f"The {name} of the route minus that of $baseline. Above zero the route is slower. {NOT_AN_EXPERIMENT}",
                SECONDS,
                Query(f"{_quantile(share, other)} - on () group_left () {_quantile(share, base, by='')}", "{{route}}"),
            )
            for name, share in (("median", 0.5), ("95th percentile", 0.95), ("99th percentile", 0.99))
        ],
    )


def _stages() -> Row:
    selector = 'route=~"$route"'
    own = f'{selector},stage!="publish"'
    stage = "ingest_stage_duration_seconds"
    mean = lines(
        "Stages of $route, mean",
        "Mean time of a vote in each stage, stacked: decode, validate, encode, publish (until Kafka has acknowledged; "
        "for the bridge the whole forwarded call), reply. Time in the web framework is not included.",
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
                "Stages without publish, mean",
                "Mean time of a vote in each stage that the route processes itself: all stages except publish.",
                SECONDS,
                Query(
                    f"sum by (route, stage) (rate({stage}_sum{{{own}}}[$window])) "
                    f"/ (sum by (route, stage) (rate({stage}_count{{{own}}}[$window])) > 0)",
                    "{{route}} {{stage}}",
                ),
                span=HALF,
                by_route=True,
            ),
            lines(
                "Publish, median and 99th percentile",
                "From passing the event to the Kafka producer (on the bridge: to the gRPC client) until it is "
                "acknowledged.",
                SECONDS,
                Query(_quantile(0.5, f'{selector},stage="publish"', metric="ingest_stage"), "{{route}} median"),
                Query(_quantile(0.99, f'{selector},stage="publish"', metric="ingest_stage"), "{{route}} 99 %"),
                span=HALF,
                by_route=True,
            ),
        ],
    )


def _forwarding() -> Row:
    stage = "ingest_forward_stage_duration_seconds"
    return (
        "Votes that the bridge forwards to ingest-grpc",
        [
            lines(
                "Forwarded vote, median and 99th percentile",
                "Time of a forwarded vote inside ingest-grpc. The rest of the bridge's publish stage is the gRPC call.",
                SECONDS,
                Query(_quantile(0.5, 'outcome="accepted"', by="", metric="ingest_forward_request"), "median"),
                Query(_quantile(0.99, 'outcome="accepted"', by="", metric="ingest_forward_request"), "99 %"),
            ),
            lines(
                "Stages of a forwarded vote, mean",
                "Mean time in each stage inside ingest-grpc. The stages are the same as on a route.",
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
                "Votes from the bridge that ingest-grpc has received and not answered yet.",
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
                "Accepted votes per second, over time",
                "Votes that Kafka acknowledged.",
                VOTES_PER_SECOND,
                Query(f"sum by (route) (rate({count}{{{ACCEPTED}}}[$window]))", "{{route}}"),
            ),
            lines(
                "Votes not accepted, per second",
                "By outcome. The client causes `invalid` and `cancelled`; the route or Kafka causes the others.",
                VOTES_PER_SECOND,
                Query(
                    f'sum by (route, outcome) (rate({count}{{route=~"$route",outcome!="accepted"}}[$window])) > 0',
                    "{{route}} {{outcome}}",
                ),
            ),
            lines(
                "Votes in flight",
                "Votes received and not answered yet. The limit of a route is --max-in-flight.",
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
                "The configured weight, and the share of /v1/votes requests of the last five minutes that went to the "
                "bridge. In a cluster the share includes requests with the header x-canary; on one machine it does "
                "not.",
                SHARE,
                Query("max(ingress_split_weight_percent) / 100", "configured"),
                Query("ingress_split:bridge:ratio5m", "observed"),
            ),
            lines(
                "Requests of the split path",
                "Requests as the Ingress counts them, by service and status code.",
                "reqps",
                Query(
                    f"sum by (service, code) (rate(traefik_service_requests_total{{{service}}}[$window]))",
                    "{{service}} {{code}}",
                ),
            ),
            bars(
                "Latency at the Ingress, 99th percentile",
                "Time of a request measured at the Ingress, by service. The difference from the latency of the route "
                "is the time in the Ingress and on the network.",
                SECONDS,
                Query(
                    "histogram_quantile(0.99, sum by (service, le) "
                    "(rate(traefik_service_request_duration_seconds_bucket[$window])))",
                    "{{service}}",
                    instant=True,
                ),
                span=THIRD,
            ),
        ],
    )
