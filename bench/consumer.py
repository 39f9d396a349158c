"""Measures how fast the consumer counts and logs votes, beside bare inserts of the same documents into MongoDB.

    cargo build --release && python3 bench/consumer.py

Starts Kafka, Redis and MongoDB with `lab`, and fills the topic with votes. Drains that are not measured warm Kafka up.
In a round, one consumer counts and logs all votes, starting with empty stores. `bare-insert` inserts the documents of
the log into an empty collection with the same options and indexes. Rounds alternate the order. At the end, the
benchmark measures the time from the receipt of a vote until the vote is counted. Exits with 1 if a count is wrong or a
required target is missed.
"""

import argparse
import json
import math
import re
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import cases
import consumer_report
import counting_delay
import drain
import h2load
import targets
from common import ROOT, BenchError, argument_parser, lab_servers, run_command, server_processes, vote_file
from consumer_report import Bare, Round
from counting_delay import Delays
from drain import Drain, Stack
from measure import count_records
from redis_client import Redis
from subjects import OURS, Settings, running

TOPIC = "votes"
CONNECTIONS = 6
"""The inserts in flight of `bare-insert`: as many as the topic has partitions."""
SMALL_BATCH = 500
"""The documents of an insert of an application without a backlog; `Round.bare_500` names it."""
WARM_UP_VOTES = 6_000_000
"""Votes that a consumer reads before the first round. A new Kafka server compiles its code while it serves, on the same
processors: its compiler took 7 % of their time, and the consumer's rate rose by a tenth over the first millions."""


def main() -> int:
    """Runs the benchmark; returns 0 if it passed."""
    arguments = _arguments()
    run = datetime.now(UTC).strftime("bench-consumer-%Y%m%dT%H%M%SZ")
    directory = ROOT / "results" / run
    directory.mkdir(parents=True)
    try:
        with lab_servers(arguments.programs, ("kafka", "redis", "mongodb"), directory / "lab") as endpoints:
            mongodb_pid = server_processes(directory / "lab")["mongodb"]["pid"]
            stack = Stack(arguments.programs, endpoints, directory, _consumer_options(arguments), mongodb_pid)
            rounds, delays = _measure(stack, arguments)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    settings = {name: str(value) for name, value in vars(arguments).items() if name != "programs"}
    reached = consumer_report.targets(rounds, delays)
    document = {
        "run": run,
        "settings": settings,
        "rounds": [{**asdict(one), "ratio": one.ratio, "ratio_500": one.ratio_500} for one in rounds],
        "delays_ms": asdict(delays) if delays else None,
        "targets": [{**asdict(target), "is_met": target.is_met} for target in reached],
    }
    (directory / "bench.json").write_text(json.dumps(document, indent=2) + "\n")
    report = f"{consumer_report.table(rounds)}\n{consumer_report.delay_lines(delays)}\n{targets.lines(reached)}"
    (directory / "bench.md").write_text(report)
    print(f"\n{report}\nDetails: {directory / 'bench.json'}")
    return 0 if targets.passed(reached) else 1


def _arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__.partition("\n")[0], rounds=3)
    parser.add_argument("--votes", type=int, default=1_000_000, help="votes in the topic, a multiple of 1,000")
    parser.add_argument("--batch-size", type=int, help="largest batch of the consumer (default: that of the consumer)")
    parser.add_argument("--consumer-options", default="", help="more options of the consumer, in quotes")
    parser.add_argument("--rate", type=int, default=1_000, help="votes per second while the delay is measured")
    parser.add_argument("--seconds", type=int, default=30, help="length of the measurement of the delay; 0: none")
    arguments = parser.parse_args()
    if arguments.votes < cases.BATCH or arguments.votes % cases.BATCH:
        parser.error("--votes must be a multiple of 1,000")
    if arguments.batch_size is None:
        arguments.batch_size = _default_batch_size(arguments.programs)
    return arguments


def _default_batch_size(programs: Path) -> int:
    """Reads the default of the consumer from its help, so that both always insert batches of the same size."""
    text = run_command([programs / "consumer", "run", "--help"])
    found = re.search(r"--batch-max-records\b.*?\[default: (\d+)\]", text, re.DOTALL)
    if not found:
        raise BenchError("`consumer run --help` does not show a default of --batch-max-records")
    return int(found[1])


def _consumer_options(arguments: argparse.Namespace) -> list[str]:
    return ["--batch-max-records", str(arguments.batch_size), *shlex.split(arguments.consumer_options)]


def _measure(stack: Stack, arguments: argparse.Namespace) -> tuple[list[Round], Delays | None]:
    """Returns the rounds, and the delays unless their measurement is switched off."""
    settings = Settings(stack.programs, stack.endpoints["kafka"], TOPIC, 2, stack.directory)
    _fill(settings, arguments.votes)
    _warm_up(stack, arguments.votes)
    rounds = []
    for number in range(1, arguments.rounds + 1):
        # The inserts need a log to copy, so the first round starts with the consumer.
        if number % 2:
            drained = _drain(stack, arguments.votes)
            bare, bare_500 = _both_bare(stack, arguments)
        else:
            bare, bare_500 = _both_bare(stack, arguments)
            drained = _drain(stack, arguments.votes)
        rounds.append(Round(drained, bare, bare_500))
        print(
            f"round {number}  consumer {drained.votes_per_second:9,.0f} votes/s  "
            f"bare {bare.documents_per_second:9,.0f} documents/s  ratio {rounds[-1].ratio:.2f}  "
            f"bare by 500 {bare_500.documents_per_second:9,.0f} documents/s  ratio {rounds[-1].ratio_500:.2f}",
            flush=True,
        )
    if arguments.seconds == 0:
        return rounds, None
    with running(OURS, "rest", settings) as rest, drain.running_consumer(stack):
        delays = counting_delay.measure(
            stack.endpoints["redis"], rest.address, vote_file(), arguments.rate, arguments.seconds
        )
    return rounds, delays


def _fill(settings: Settings, votes: int) -> None:
    """Fills the topic by batches. Each batch has the same votes, but the service gives each vote its own id."""
    case, *_ = cases.bulk(vote_file()[: cases.BATCH])
    with running(OURS, case.service, settings) as rest:
        h2load.send(case, rest.address, votes)
    records = count_records(settings)
    if records != votes:
        raise BenchError(f"{votes} votes sent, but {records} in Kafka")


def _warm_up(stack: Stack, votes: int) -> None:
    drains = math.ceil(WARM_UP_VOTES / votes)
    for number in range(1, drains + 1):
        print(f"warm-up {number} of {drains}: {_drain(stack, votes).votes_per_second:9,.0f} votes/s", flush=True)


def _drain(stack: Stack, votes: int) -> Drain:
    run_command(_bare_insert(stack, "reset"))
    Redis(stack.endpoints["redis"]).command("FLUSHALL")
    measured = drain.measure(stack, votes)
    logged = int(run_command(_bare_insert(stack, "count")))
    if logged != votes:
        raise BenchError(f"{votes} votes counted, but {logged} logged")
    return measured


def _both_bare(stack: Stack, arguments: argparse.Namespace) -> tuple[Bare, Bare]:
    return _bare(stack, arguments, arguments.batch_size), _bare(stack, arguments, SMALL_BATCH)


def _bare(stack: Stack, arguments: argparse.Namespace, batch_size: int) -> Bare:
    options = ["--connections", str(CONNECTIONS), "--batch-size", str(batch_size)]
    report = json.loads(run_command([*_bare_insert(stack, "insert"), *options]))
    if report["documents"] != arguments.votes:
        raise BenchError(f"{arguments.votes} documents in the log, but {report['documents']} inserted")
    seconds = sum(part["seconds"] for part in report["parts"])
    cpu_seconds = sum(part["mongodb_cpu_seconds"] for part in report["parts"])
    return Bare(arguments.votes / seconds, cpu_seconds / arguments.votes * 1e6)


def _bare_insert(stack: Stack, command: str) -> list[str]:
    return [str(stack.programs / "bare-insert"), command, "--mongodb-uri", stack.endpoints["mongodb"]]


if __name__ == "__main__":
    sys.exit(main())
