"""Measures the throughput of this project beside its peers, and beside its own parts.

    cargo build --release && python3 bench/bench.py

Starts a real Kafka with `lab`, then one program at a time. A round measures every program on every protocol, and rounds
alternate the order of ours and its peers.

- Single votes: ours, naive, the OpenTelemetry Collector (with `--collector`), and ours without Kafka (floor). Votes in
  flight: HTTP/1.1 64 connections; h2c and gRPC 4 connections with 16 streams each.
- Batches of 1,000 and streams, by four clients: ours.
- Kafka alone: librdkafka with 64 records in flight, and Kafka's own kafka-producer-perf-test.

With `--before DIR`, every case is also measured with the programs of another version, such as the last release.

Every vote must be acknowledged and be in Kafka. Exits with 1 if a required target is missed.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import cases
import producers
import report
import targets
from common import (
    ROOT,
    BenchError,
    argument_parser,
    build_collector,
    lab_servers,
    programs_directory,
    server_processes,
    vote_file,
)
from measure import measure, warm_up_broker
from messages import VOTE
from producers import PerfTest
from report import Measurement, Results
from subjects import FLOOR, NAIVE, OURS, Settings, Subject, before, collector

TOPIC = "votes"
PERF_TEST_RATE = 300_000
"""The approximate rate of kafka-producer-perf-test, from which the number of its records follows."""


def main() -> int:
    """Runs the benchmark; returns 0 if it passed."""
    parser = argument_parser(__doc__.partition("\n")[0], rounds=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="approximate length of one measurement")
    parser.add_argument("--in-flight", type=int, default=64, help="votes in flight, a multiple of 4")
    parser.add_argument("--worker-threads", type=int, default=2, help="runtime threads of every service")
    parser.add_argument(
        "--collector", action="store_true", help="also measure the OpenTelemetry Collector (compiles it the first time)"
    )
    parser.add_argument(
        "--before",
        type=programs_directory,
        metavar="DIR",
        help="also measure the programs of another version in this directory",
    )
    arguments = parser.parse_args()
    run = datetime.now(UTC).strftime("bench-%Y%m%dT%H%M%SZ")
    directory = ROOT / "results" / run
    directory.mkdir(parents=True)
    try:
        versions = [OURS, *([before(arguments.before)] if arguments.before else [])]
        peers = [NAIVE, *([collector(build_collector())] if arguments.collector else [])]
        with lab_servers(arguments.programs, ("kafka",), directory / "lab") as endpoints:
            settings = Settings(arguments.programs, endpoints["kafka"], TOPIC, arguments.worker_threads, directory)
            kafka_command = server_processes(directory / "lab")["kafka"]["command"]
            measurements = list(_rounds(settings, versions, peers, producers.class_path(kafka_command), arguments))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1

    parameters = {
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "in_flight": arguments.in_flight,
        "worker_threads": arguments.worker_threads,
        "vote": VOTE,
    }
    document = report.document(run, parameters, measurements)
    results = Results(measurements)
    tables = [report.rate_table(results), report.cost_table(results), report.bulk_table(results)]
    if arguments.before:
        tables.append(report.before_table(results))
    text = "\n".join([*tables, targets.lines(report.targets(results))])
    (directory / "bench.json").write_text(json.dumps(document, indent=2) + "\n")
    (directory / "bench.md").write_text(text)
    print(f"\n{text}\nMedians of {arguments.rounds} rounds. Details: {directory / 'bench.json'}")
    return 0 if document["passed"] else 1


def _rounds(
    settings: Settings, versions: list[Subject], peers: list[Subject], class_path: str, arguments: argparse.Namespace
) -> Iterator[Measurement]:
    votes = vote_file()[: cases.BATCH]
    perf_test = PerfTest(class_path, producers.mean_record_bytes(votes))
    warm_up_broker(settings, arguments.in_flight)
    for number in range(1, arguments.rounds + 1):
        for measured in _round(number, settings, versions, peers, perf_test, arguments):
            print(
                f"round {number}  {measured.case:15} {measured.subject:10} {measured.votes_per_second:9,.0f} votes/s",
                flush=True,
            )
            yield measured


def _round(
    number: int,
    settings: Settings,
    versions: list[Subject],
    peers: list[Subject],
    perf_test: PerfTest,
    arguments: argparse.Namespace,
) -> Iterator[Measurement]:
    seconds, in_flight = arguments.seconds, arguments.in_flight
    log_records = {case.name: case for case in cases.log_records(in_flight)}
    order = _alternating([*versions, *peers], number)
    for case in cases.single_votes(in_flight):
        for subject in (*order, FLOOR):
            if subject.name != report.COLLECTOR:
                yield measure(subject, case, number, settings, seconds)
            elif case.name in log_records:
                yield measure(subject, log_records[case.name], number, settings, seconds)
    yield producers.measure_librdkafka(settings, VOTE, in_flight, number, seconds)
    for case in cases.bulk(vote_file()[: cases.BATCH]):
        for subject in _alternating(versions, number):
            yield measure(subject, case, number, settings, seconds)
    yield from perf_test.measure(settings, number, seconds, PERF_TEST_RATE)


def _alternating(subjects: list[Subject], number: int) -> list[Subject]:
    """Returns the subjects in the order of a round: reversed in every second one."""
    return subjects if number % 2 else subjects[::-1]


if __name__ == "__main__":
    sys.exit(main())
