"""Throughput of single votes against the naive service and against the floor without Kafka, all in one run.

    python3 bench/bench.py            after: cargo build --release

Starts a real Kafka (`lab`), then one service at a time. A round measures every service on every protocol; rounds
alternate the order of ours and naive. Votes in flight: HTTP/1.1 64 connections, h2c and gRPC 4 connections of 16
streams. Every vote must be acknowledged and be in Kafka. Exit 1 if ours is slower than naive or above 64 MiB.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import h2load
import report
from subjects import FLOOR, NAIVE, OURS, Setting, Subject, running

ROOT = Path(__file__).parents[1]
TOPIC = "votes"
BROKER_WARM_UP_VOTES = 60_000


def main() -> int:
    """Runs the benchmark; the exit code is its verdict."""
    arguments = _arguments()
    run = datetime.now(UTC).strftime("bench-%Y%m%dT%H%M%SZ")
    directory = ROOT / "results" / run
    directory.mkdir(parents=True)
    try:
        with _kafka(arguments.programs, directory) as brokers:
            setting = Setting(arguments.programs, brokers, TOPIC, arguments.worker_threads, directory)
            measurements = list(_rounds(setting, arguments))
    except h2load.BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1

    settings = {
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "in_flight": arguments.in_flight,
        "worker_threads": arguments.worker_threads,
        "vote": h2load.VOTE,
    }
    document = report.document(run, settings, measurements)
    table = report.markdown(report.summarise(measurements))
    (directory / "bench.json").write_text(json.dumps(document, indent=2) + "\n")
    (directory / "bench.md").write_text(table)
    print(f"\n{table}\nMedians of {arguments.rounds} rounds; {directory / 'bench.json'}")
    for failure in document["failures"]:
        print(f"FAILED {failure}")
    return 0 if document["passed"] else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one measurement, about")
    parser.add_argument("--in-flight", type=int, default=64, help="votes in flight, a multiple of 4")
    parser.add_argument("--worker-threads", type=int, default=2, help="runtime threads of every service")
    parser.add_argument("--programs", type=Path, default=ROOT / "target" / "release", help="where the binaries are")
    return parser.parse_args()


@contextmanager
def _kafka(programs: Path, directory: Path) -> Iterator[str]:
    command = [programs / "lab", "up", "--only", "kafka", "--free-ports", "--until-stdin-closes"]
    command += ["--state-dir", directory / "lab"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as lab:  # noqa: S603
        endpoints = lab.stdout.readline()
        if not endpoints:
            raise h2load.BenchError("lab did not start Kafka")
        yield json.loads(endpoints)["kafka"]
        lab.stdin.close()


def _rounds(setting: Setting, arguments: argparse.Namespace) -> Iterator[report.Measurement]:
    # Ours comes first of all: it creates the topic with the partitions that both then write to. These votes do not
    # count: a young JVM serves several times fewer of them than the same broker a minute later.
    for case in h2load.cases(arguments.in_flight):
        with running(OURS, case.half, setting) as service:
            h2load.send(case, service.address, BROKER_WARM_UP_VOTES)
    for number in range(1, arguments.rounds + 1):
        order = (OURS, NAIVE, FLOOR) if number % 2 else (NAIVE, OURS, FLOOR)
        for case in h2load.cases(arguments.in_flight):
            for subject in order:
                measured = _measure(subject, case, number, setting, arguments.seconds)
                print(f"round {number}  {case.name:15} {subject.name:6} {measured.votes_per_second:9,.0f} votes/s")
                yield measured


def _measure(subject: Subject, case: h2load.Case, number: int, setting: Setting, seconds: float) -> report.Measurement:
    with running(subject, case.half, setting) as service:
        # Warm: connections to the brokers, allocator, caches. It also tells how many votes fill the time.
        h2load.send(case, service.address, 2_000)
        warm = h2load.send(case, service.address, 10_000)
        votes = max(1_000, round(10_000 / warm.seconds * seconds))

        records_before, usage_before = _records(setting), service.usage()
        answers = h2load.send(case, service.address, votes)
        usage, records = service.usage(), _records(setting) - records_before
    expected = votes if subject.writes else 0
    if records != expected:
        raise h2load.BenchError(f"{subject.name}, {case.name}: {expected} votes acknowledged, {records} in Kafka")
    return report.Measurement(
        case=case.name,
        subject=subject.name,
        round=number,
        votes=votes,
        votes_per_second=votes / answers.seconds,
        cpu_seconds_per_million=(usage.cpu_seconds - usage_before.cpu_seconds) / votes * 1e6,
        peak_rss_bytes=usage.peak_rss_bytes,
    )


def _records(setting: Setting) -> int:
    command = [setting.programs / "count-records", "--kafka-brokers", setting.brokers, "--topic", setting.topic]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
