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
from common import ROOT, BenchError, argument_parser, lab_servers
from measure import measure, warm_up_broker
from subjects import FLOOR, NAIVE, OURS, Settings

TOPIC = "votes"


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
    warm_up_broker(settings, arguments.in_flight)
    for number in range(1, arguments.rounds + 1):
        order = (OURS, NAIVE, FLOOR) if number % 2 else (NAIVE, OURS, FLOOR)
        for case in h2load.cases(arguments.in_flight):
            for subject in order:
                measured = measure(subject, case, number, settings, arguments.seconds)
                print(f"round {number}  {case.name:15} {subject.name:6} {measured.votes_per_second:9,.0f} votes/s")
                yield measured


if __name__ == "__main__":
    sys.exit(main())
