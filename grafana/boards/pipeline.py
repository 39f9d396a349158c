"""From Kafka into the stores: what is up, whether the consumer keeps up, what it could not read, what it costs."""

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
    heat,
    lines,
    number,
    states,
)
from .queries import Query

UP_AND_DOWN = {"1": ("up", "green"), "0": ("down", "red")}


def board() -> Dashboard:
    """The board."""
    return assemble(
        "dualpath-pipeline",
        "dualpath: pipeline",
        "From Kafka into Redis and MongoDB, and the state of every process.",
        [variables.datasource(), variables.route(), variables.window()],
        [_glance(), _consumer(), _stores(), _health(), _processes(), _viewer()],
    )


def _glance() -> Row:
    return (
        "At a glance",
        [
            number(
                "Alerts that fire",
                "Prometheus' own alerts; the timeline below names them.",
                COUNT,
                Query('count(ALERTS{alertstate="firing"}) or vector(0)', "firing"),
                steps=((None, "green"), (1, "red")),
                span=SIXTH,
            ),
            number(
                "Records that wait",
                "Records in Kafka that Redis has not counted. Yellow from 1,000, where the alert LagGrowing begins.",
                COUNT,
                Query("sum(job:consumer_lag_records:sum)", "lag"),
                steps=((None, "green"), (1000, "yellow"), (100000, "red")),
                span=SIXTH,
            ),
            number(
                "From arrival to count, 99 %",
                "Within this time 99 of 100 votes of the slowest route were in Redis. Yellow from 1 s, red from 5 s.",
                SECONDS,
                Query('max(route:consumer_end_to_end_seconds:quantile1m{quantile="0.99"})', "99 %"),
                steps=((None, "green"), (1, "yellow"), (5, "red")),
                span=SIXTH,
            ),
            number(
                "Dead letters",
                "Records since the consumers started that could not be read. They lie in the dead letter topic.",
                COUNT,
                Query('sum(consumer_votes_total{result="dead_letter"})', "dead letters"),
                steps=((None, "green"), (1, "red")),
                span=SIXTH,
            ),
            number(
                "Duplicates",
                "Votes since the consumers started that came again under an id that the client chose; counted once.",
                COUNT,
                Query('sum(consumer_votes_total{result="duplicate"})', "duplicates"),
                span=SIXTH,
            ),
            number(
                "Targets that are down",
                "Processes that do not answer Prometheus.",
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
                "Records that wait, by partition",
                "Records of each partition that Redis has not counted. One partition alone means one consumer in "
                "trouble, or a partition that nobody has.",
                COUNT,
                Query("sum by (partition) (consumer_lag_records)", "partition {{partition}}"),
                stacked=True,
                limit=1000,
            ),
            lines(
                "Votes that left the pipeline",
                "Applied: in both stores. Duplicate: counted before under the same id. Dead letter: unreadable.",
                VOTES_PER_SECOND,
                Query("result:consumer_votes:rate1m", "{{result}}"),
            ),
            lines(
                "From arrival to count",
                "From a vote's arrival at its route until Redis has counted it, by route.",
                SECONDS,
                Query(
                    f'histogram_quantile(0.5, sum by (route, le) (rate({end_to_end}{{route=~"$route"}}[$window])))',
                    "{{route}} median",
                ),
                Query(
                    f'histogram_quantile(0.99, sum by (route, le) (rate({end_to_end}{{route=~"$route"}}[$window])))',
                    "{{route}} 99 %",
                ),
            ),
            heat(
                "Heat map from arrival to count",
                "How many votes took how long until Redis had counted them.",
                Query(
                    f'sum by (le) (increase({end_to_end}{{route=~"$route"}}[$__rate_interval]))', "{{le}}", buckets=True
                ),
                span=HALF,
            ),
            lines(
                "Dead letters and duplicates",
                "How many records in a window could not be read, and how many votes came again.",
                COUNT,
                Query(
                    'sum by (result) (increase(consumer_votes_total{result=~"dead_letter|duplicate"}[$window]))',
                    "{{result}}",
                ),
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
                "Time of a write",
                "One successful write: a batch to Redis or MongoDB, one dead letter to Kafka.",
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
                "Writes a second",
                "Successful writes by store. Many small batches mean an idle consumer, few large ones a busy one.",
                "wps",
                Query(f"sum by (store) (rate({apply}_count[$window]))", "{{store}}"),
            ),
            lines(
                "Votes in a batch, mean",
                "Votes that one write to Redis has counted.",
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
                "Processes that answer",
                "Whether Prometheus gets the process's metrics.",
                UP_AND_DOWN,
                Query("min by (service) (up)", "{{service}}"),
            ),
            states(
                "Readiness checks",
                "Whether a process can use what it needs: Kafka, Redis, MongoDB, the bridge's upstream. The reason is "
                "on its admin port, under /readyz.",
                UP_AND_DOWN,
                Query("min by (service, check) (service_check_up)", "{{service}}: {{check}}"),
            ),
            states(
                "Alerts over time",
                "Alerts that fire. Each links to its section of the runbook in Prometheus.",
                {"1": ("fires", "red")},
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
                "Processor seconds a second: 1 is one core.",
                "suffix:cores",
                Query(f"{by} (rate(process_cpu_seconds_total[$window]))", "{{service}}"),
            ),
            lines(
                "Memory",
                "Memory that the process holds (resident).",
                "bytes",
                Query(f"{by} (process_resident_memory_bytes)", "{{service}}"),
            ),
            lines(
                "Open files",
                "File descriptors in use, connections mostly, as a share of those it may have. At 1 it takes no more.",
                "percentunit",
                Query("max by (service, instance) (process_open_fds / process_max_fds)", "{{service}}"),
                limit=0.8,
            ),
            lines(
                "Threads",
                "Threads of the process. They do not grow with load.",
                COUNT,
                Query(f"{by} (process_threads)", "{{service}}"),
                span=HALF,
            ),
            lines(
                "Time since the start",
                "A fall to zero is a restart.",
                SECONDS,
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
                "Answers of its API by outcome. Refused: the request was at fault, or there were too many. Failed: a "
                "store or the viewer itself was.",
                "reqps",
                Query(f"sum by (outcome) (rate({requests}_count[$window]))", "{{outcome}}"),
            ),
            lines(
                "Time of the viewer's answers, 99 %",
                "From a request to its answer's beginning, by endpoint.",
                SECONDS,
                Query(
                    "histogram_quantile(0.99, sum by (endpoint, le) "
                    f'(rate({requests}_bucket{{outcome="answered"}}[$window]))) >= 0',
                    "{{endpoint}}",
                ),
            ),
            lines(
                "Followers, and documents that are no votes",
                "Clients that follow the log now; documents that were left out because they cannot be read.",
                COUNT,
                Query("sum(viewer_open_streams)", "followers"),
                Query("sum(increase(viewer_unreadable_documents_total[$window]))", "unreadable"),
            ),
        ],
    )
