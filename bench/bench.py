"""Measures the throughput of single votes: this project, the naive service, and this project without Kafka (floor).

    cargo build --release && python3 bench/bench.py

Starts a real Kafka with `lab`, then one service at a time. A round measures every service on every protocol, and rounds
alternate the order of ours and naive. Votes in flight: HTTP/1.1 64 connections; h2c and gRPC 4 connections with 16
streams each. Every vote must be acknowledged and be in Kafka. Exits with 1 if ours is slower than naive or uses more
than 64 MiB.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import h2load
import report
from common import ROOT, BenchError, argument_parser, lab_servers, run_command
from subjects import FLOOR, NAIVE, OURS, Settings, Subject, running

TOPIC = "votes"
BROKER_WARM_UP_VOTES = 60_000


def main() -> int:
    """Runs the benchmark; returns 0 if it passed."""
    parser = argument_parser(__doc__.partition("\n")[0], rounds=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="approximate length of one measurement")
    parser.add_argument("--in-flight", type=int, default=64, help="votes in flight, a multiple of 4")
    parser.add_argument("--worker-threads", type=int, default=2, help="runtime threads of every service")
    arguments = parser.parse_args()
    run = datetime.now(UTC).strftime("bench-%Y%m%dT%H%M%SZ")
    directory = ROOT / "results" / run
    directory.mkdir(parents=True)
    try:
        with lab_servers(arguments.programs, ("kafka",), directory / "lab") as endpoints:
            settings = Settings(arguments.programs, endpoints["kafka"], TOPIC, arguments.worker_threads, directory)
            measurements = list(_rounds(settings, arguments))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1

    parameters = {
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "in_flight": arguments.in_flight,
        "worker_threads": arguments.worker_threads,
        "vote": h2load.VOTE,
    }
    document = report.document(run, parameters, measurements)
    table = report.markdown(report.summarise(measurements))
    (directory / "bench.json").write_text(json.dumps(document, indent=2) + "\n")
    (directory / "bench.md").write_text(table)
    print(f"\n{table}\nMedians of {arguments.rounds} rounds. Details: {directory / 'bench.json'}")
    for failure in document["failures"]:
        print(f"FAILED {failure}")
    return 0 if document["passed"] else 1


def _rounds(settings: Settings, arguments: argparse.Namespace) -> Iterator[report.Measurement]:
    # Warm up the broker: a fresh JVM is several times slower than the same broker a minute later. Use our service,
    # because it creates the topic with the partitions that all services write to.
    for case in h2load.cases(arguments.in_flight):
        with running(OURS, case.service, settings) as service:
            h2load.send(case, service.address, BROKER_WARM_UP_VOTES)
    for number in range(1, arguments.rounds + 1):
        order = (OURS, NAIVE, FLOOR) if number % 2 else (NAIVE, OURS, FLOOR)
        for case in h2load.cases(arguments.in_flight):
            for subject in order:
                measured = _measure(subject, case, number, settings, arguments.seconds)
                print(f"round {number}  {case.name:15} {subject.name:6} {measured.votes_per_second:9,.0f} votes/s")
                yield measured


def _measure(
    subject: Subject, case: h2load.Case, number: int, settings: Settings, seconds: float
) -> report.Measurement:
    with running(subject, case.service, settings) as service:
        # Warm up broker connections, allocator and caches. The rate of the warm-up gives the number of votes for
        # `seconds`.
        h2load.send(case, service.address, 2_000)
        warm_up = h2load.send(case, service.address, 10_000)
        votes = max(1_000, round(10_000 / warm_up.seconds * seconds))

        records_before, usage_before = _records(settings), service.usage()
        result = h2load.send(case, service.address, votes)
        usage, records = service.usage(), _records(settings) - records_before
    expected = votes if subject.writes else 0
    if records != expected:
        raise BenchError(f"{subject.name}, {case.name}: {expected} votes acknowledged, but {records} in Kafka")
    return report.Measurement(
        case=case.name,
        subject=subject.name,
        round=number,
        votes=votes,
        votes_per_second=votes / result.seconds,
        cpu_seconds_per_million=(usage.cpu_seconds - usage_before.cpu_seconds) / votes * 1e6,
        peak_rss_bytes=usage.peak_rss_bytes,
    )


def _records(settings: Settings) -> int:
    command = [settings.programs / "count-records", "--kafka-brokers", settings.brokers, "--topic", settings.topic]
    return int(run_command(command))


if __name__ == "__main__":
    sys.exit(main())
