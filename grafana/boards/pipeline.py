"""The pipeline dashboard: consumer lag, stores, health and resource usage of every process."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from . import variables
from .board import Row, assemble
from .panels import (
    COUNT,
    FULL,
    HALF,
    SECONDS,
    SIXTH,
    VOTES_PER_SECOND,
    heat_map,
    lines,
    number,
    states,
)
from .queries import Query

UP_AND_DOWN = {"1": ("up", "green"), "0": ("down", "red")}


def board() -> Dashboard:
    """Returns the dashboard."""
    return assemble(
        "dualpath-pipeline",
        "dualpath: pipeline",
        "From Kafka into Redis and MongoDB, and the state of every process.",
        [variables.datasource(), variables.route(), variables.window()],
        [_overview(), _consumer(), _stores(), _health(), _processes(), _viewer()],
    )


def _overview() -> Row:
    return (
        "Overview",
        [
            number(
                "Firing alerts",
                "Alerts of Prometheus that fire now. The panel `Alerts over time` shows their names.",
                COUNT,
                Query('count(ALERTS{alertstate="firing"}) or vector(0)', "firing"),
                steps=((None, "green"), (1, "red")),
                span=SIXTH,
            ),
            number(
                "Consumer lag",
                "Records in Kafka that are not counted in Redis yet. Yellow from 1,000, the threshold of the alert "
                "LagGrowing.",
                COUNT,
                Query("sum(job:consumer_lag_records:sum)", "lag"),
                steps=((None, "green"), (1000, "yellow"), (100000, "red")),
                span=SIXTH,
            ),
            number(
                "End-to-end time, 99 %",
                "99 % of the votes of the slowest route were counted in Redis within this time after their arrival. "
                "Yellow from 1 s, red from 5 s.",
                SECONDS,
                Query('max(route:consumer_end_to_end_seconds:quantile1m{quantile="0.99"})', "99 %"),
                steps=((None, "green"), (1, "yellow"), (5, "red")),
                span=SIXTH,
            ),
            number(
                "Dead letters",
                "Undecodable records since the start of the consumers. They are in the dead-letter topic.",
                COUNT,
                Query('sum(consumer_votes_total{result="dead_letter"})', "dead letters"),
                steps=((None, "green"), (1, "red")),
                span=SIXTH,
            ),
            number(
                "Duplicates",
                "Repeated votes (same client-supplied id) since the start of the consumers. Each vote is counted once.",
                COUNT,
                Query('sum(consumer_votes_total{result="duplicate"})', "duplicates"),
                span=SIXTH,
            ),
            number(
                "Targets down",
                "Processes that Prometheus cannot scrape.",
                COUNT,
                Query("count(up == 0) or vector(0)", "down"),
                steps=((None, "green"), (1, "red")),
                span=SIXTH,
            ),
        ],
    )


def _consumer() -> Row:
    end_to_end = "consumer_end_to_end_seconds_bucket"
    return (
        "The consumer",
        [
            lines(
                "Consumer lag by partition",
                "Records of each partition that are not counted in Redis yet. Lag in a single partition means that its "
                "consumer has a problem or that no consumer owns it.",
                COUNT,
                Query("sum by (partition) (consumer_lag_records)", "partition {{partition}}"),
                stacked=True,
                limit=1000,
            ),
            lines(
                "Processed records per second",
                "Applied: written to both stores. Duplicate: already counted under the same id. Dead letter: "
                "undecodable.",
                VOTES_PER_SECOND,
                Query("result:consumer_votes:rate1m", "{{result}}"),
            ),
            lines(
                "End-to-end time",
                "From the arrival of a vote at its route to its count in Redis, by route.",
                SECONDS,
                Query(
                    f'histogram_quantile(0.5, sum by (route, le) (rate({end_to_end}{{route=~"$route"}}[$window])))',
                    "{{route}} median",
                ),
                Query(
                    f'histogram_quantile(0.99, sum by (route, le) (rate({end_to_end}{{route=~"$route"}}[$window])))',
                    "{{route}} 99 %",
                ),
                by_route=True,
            ),
            heat_map(
                "Heat map of the end-to-end time",
                "Number of votes by the time from arrival to count in Redis.",
                Query(
                    f'sum by (le) (increase({end_to_end}{{route=~"$route"}}[$__rate_interval]))', "{{le}}", buckets=True
                ),
                span=HALF,
            ),
            lines(
                "Dead letters and duplicates",
                "Undecodable records and repeated votes in each window. Conflicting: another vote with a used id.",
                COUNT,
                Query(
                    'sum by (result) (increase(consumer_votes_total{result=~"dead_letter|duplicate"}[$window]))',
                    "{{result}}",
                ),
                Query("sum(increase(consumer_conflicting_votes_total[$window]))", "conflicting"),
                span=HALF,
            ),
        ],
    )


def _stores() -> Row:
    apply = "consumer_apply_duration_seconds"
    return (
        "The stores",
        [
            lines(
                "Write time",
                "Time of a successful write: a batch to Redis or MongoDB, or one dead-letter record to Kafka.",
                SECONDS,
                Query(
                    f"histogram_quantile(0.5, sum by (store, le) (rate({apply}_bucket[$window]))) >= 0",
                    "{{store}} median",
                ),
                Query(
                    f"histogram_quantile(0.99, sum by (store, le) (rate({apply}_bucket[$window]))) >= 0",
                    "{{store}} 99 %",
                ),
            ),
            lines(
                "Writes per second",
                "Successful writes by store. An idle consumer writes many small batches, a busy one few large batches.",
                "wps",
                Query(f"sum by (store) (rate({apply}_count[$window]))", "{{store}}"),
            ),
            lines(
                "Votes per batch, mean",
                "Votes that one write to Redis counts.",
                COUNT,
                Query(
                    'sum(rate(consumer_votes_total{result=~"applied|duplicate"}[$window])) '
                    f'/ (sum(rate({apply}_count{{store="redis"}}[$window])) > 0)',
                    "votes",
                ),
            ),
        ],
    )


def _health() -> Row:
    return (
        "Health",
        [
            states(
                "Targets",
                "Whether Prometheus can scrape the process.",
                UP_AND_DOWN,
                Query("min by (service) (up)", "{{service}}"),
            ),
            states(
                "Readiness checks",
                "Whether a process can use its dependencies: Kafka, Redis, MongoDB, or the upstream of the bridge. "
                "/readyz on the admin port gives the reason of a failure.",
                UP_AND_DOWN,
                Query("min by (service, check) (service_check_up)", "{{service}}: {{check}}"),
            ),
            states(
                "Alerts over time",
                "Firing alerts. In Prometheus each alert has a link to its section of the runbook.",
                {"1": ("firing", "red")},
                Query(
                    'max by (alertname, route, service) (ALERTS{alertstate="firing"})',
                    "{{alertname}} {{route}}{{service}}",
                ),
                span=FULL,
            ),
        ],
    )


def _processes() -> Row:
    by = "sum by (service, instance)"
    return (
        "Processes",
        [
            lines(
                "CPU",
                "CPU seconds per second: 1 is one core.",
                "suffix:cores",
                Query(f"{by} (rate(process_cpu_seconds_total[$window]))", "{{service}}"),
            ),
            lines(
                "Memory",
                "Resident memory of the process.",
                "bytes",
                Query(f"{by} (process_resident_memory_bytes)", "{{service}}"),
            ),
            lines(
                "Open file descriptors",
                "File descriptors in use (mostly connections) as a share of the limit. At 1 the process cannot accept "
                "connections.",
                "percentunit",
                Query("max by (service, instance) (process_open_fds / process_max_fds)", "{{service}}"),
                limit=0.8,
            ),
            lines(
                "Threads",
                "Threads of the process. The number does not depend on the load.",
                COUNT,
                Query(f"{by} (process_threads)", "{{service}}"),
                span=HALF,
            ),
            lines(
                "Uptime",
                "Time since the start of the process. A drop to zero is a restart.",
                "dthms",
                Query("min by (service, instance) (time() - process_start_time_seconds)", "{{service}}"),
                span=HALF,
            ),
        ],
    )


def _viewer() -> Row:
    requests = "viewer_request_duration_seconds"
    return (
        "The viewer",
        [
            lines(
                "Requests to the viewer",
                "Responses of the API by outcome. Rejected: the request was invalid or above a limit. Failed: an error "
                "of a store or of the viewer.",
                "reqps",
                Query(f"sum by (outcome) (rate({requests}_count[$window]))", "{{outcome}}"),
            ),
            lines(
                "Latency of the viewer, 99th percentile",
                "From a request to the start of its response, by endpoint.",
                SECONDS,
                Query(
                    "histogram_quantile(0.99, sum by (endpoint, le) "
                    f'(rate({requests}_bucket{{outcome="answered"}}[$window]))) >= 0',
                    "{{endpoint}}",
                ),
            ),
            lines(
                "Followers and unreadable documents",
                "Clients that follow the log now, and documents that the viewer skipped because it cannot decode them.",
                COUNT,
                Query("sum(viewer_open_streams)", "followers"),
                Query("sum(increase(viewer_unreadable_documents_total[$window]))", "unreadable"),
            ),
        ],
    )
