"""Compares the latencies that `compare`'s load generator, h2load and ghz measure for the same load.

    python3 bench/agreement.py            after: cargo build --release

Starts Kafka and the two routes with `lab`. In each round every tool sends the same load, and the order of the tools
rotates. The table shows the median, minimum and maximum over the rounds for each percentile. The tools agree if they
differ from each other by no more than a single tool varies between rounds. h2load and ghz measure from the actual send
time, `compare` from the intended send time. At a rate far below the limit both are equal.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h2load
from common import BenchError, argument_parser, lab_servers, run_command

PERCENTILES = (50, 95, 99)
Latencies = dict[int, float]
"""Milliseconds by percentile."""


@dataclass(frozen=True)
class Load:
    """The load that each tool sends: votes per second, seconds, connections."""

    rate: int
    seconds: int
    connections: int

    @property
    def votes(self) -> int:
        """Number of votes in total."""
        return self.rate * self.seconds


def main() -> int:
    """Measures, and writes the table."""
    parser = argument_parser(__doc__.partition("\n")[0], rounds=7)
    parser.add_argument("--rate", type=int, default=240, help="votes per second")
    parser.add_argument("--seconds", type=int, default=4, help="length of one measurement")
    parser.add_argument("--connections", type=int, default=8, help="connections of each tool")
    parser.add_argument("--write", type=Path, help="also write the table, in Markdown, to this file")
    arguments = parser.parse_args()
    load = Load(arguments.rate, arguments.seconds, arguments.connections)
    with (
        tempfile.TemporaryDirectory(prefix="dualpath-agreement-") as directory,
        lab_servers(arguments.programs, ("kafka", "rest", "grpc"), Path(directory) / "lab") as endpoints,
    ):
        rows = [
            row
            for case in h2load.cases(arguments.connections)
            for row in _rows(case, endpoints[case.service], load, arguments.rounds, arguments.programs)
        ]
    head = ["route", "tool", *(f"p{percentile} ms (min, max)" for percentile in PERCENTILES)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])
    summary = (
        f"{load.rate} votes per second for {load.seconds} s on {load.connections} connections; median, minimum and "
        f"maximum of {arguments.rounds} rounds.\n"
    )
    print(f"{summary}\n{table}")
    if arguments.write:
        arguments.write.write_text(f"{summary}\n{table}\n")
    return 0


def _rows(case: h2load.Case, url: str, load: Load, rounds: int, programs: Path) -> list[list[str]]:
    tools: dict[str, Callable[[], Latencies]] = {
        "compare": lambda: _compare(case, url, load, programs),
        "h2load": lambda: _h2load(case, url, load),
    }
    if case.service == "grpc":
        tools["ghz"] = lambda: _ghz(url, load)
    results: dict[str, list[Latencies]] = {name: [] for name in tools}
    for measure in tools.values():
        measure()  # warm-up
    for number in range(rounds):
        names = list(tools)
        rotated = names[number % len(names) :] + names[: number % len(names)]
        for name in rotated:
            results[name].append(tools[name]())
        print(f"{case.name}, round {number + 1} of {rounds}", file=sys.stderr)
    return [[case.name, name, *(_cell(results[name], percentile) for percentile in PERCENTILES)] for name in tools]


def _cell(rounds: list[Latencies], percentile: int) -> str:
    values = [latencies[percentile] for latencies in rounds]
    return f"{statistics.median(values):.2f} ({min(values):.2f}, {max(values):.2f})"


def _compare(case: h2load.Case, url: str, load: Load, programs: Path) -> Latencies:
    version = "http1" if "--h1" in case.options else "h2c"
    encoding = "grpc" if case.service == "grpc" else "json"
    command = [programs / "compare", "load", url, "--version", version, "--encoding", encoding, "--arrival", "uniform"]
    command += ["--rate", str(load.rate), "--seconds", str(load.seconds), "--connections", str(load.connections)]
    summary = json.loads(run_command(command))
    return {percentile: summary[f"p{percentile}_ms"] for percentile in PERCENTILES}


def _h2load(case: h2load.Case, url: str, load: Load) -> Latencies:
    with tempfile.TemporaryDirectory() as directory:
        log, body = Path(directory) / "log", Path(directory) / "body"
        body.write_bytes(case.body)
        per_client = load.rate / load.connections
        command = ["h2load", f"--requests={load.votes}", f"--clients={load.connections}", f"--rps={per_client}"]
        command += [f"--log-file={log}", f"--data={body}", *case.options, f"{url}{case.url_path}"]
        run_command(command)
        # The columns of a line: start in µs, HTTP status, duration in µs.
        lines = [line.split("\t") for line in log.read_text().splitlines()]
    rejected = [line for line in lines if line[1] != "200" and line[1] != "202"]
    if rejected or len(lines) != load.votes:
        raise BenchError(f"h2load: {len(rejected)} votes rejected, {len(lines)} of {load.votes} answered")
    return _percentiles([int(line[2]) / 1e3 for line in lines])


def _ghz(url: str, load: Load) -> Latencies:
    command = [_tool("ghz"), "--insecure", "--call", "votes.v1.VoteService.CastVote", "--data", json.dumps(h2load.VOTE)]
    command += ["--total", str(load.votes), "--rps", str(load.rate), "--connections", str(load.connections)]
    command += ["--concurrency", str(load.connections), "--format", "json", url.removeprefix("http://")]
    calls = json.loads(run_command(command))["details"]
    if any(call["status"] != "OK" for call in calls):
        raise BenchError("ghz: not every vote was acknowledged")
    return _percentiles([call["latency"] / 1e6 for call in calls])


def _tool(name: str) -> Path:
    """Returns the path of a tool that `make setup-dev` installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "dualpath" / "tools" / "bin" / name


def _percentiles(values: list[float]) -> Latencies:
    ascending = sorted(values)
    rank = lambda percentile: max(-(-percentile * len(ascending) // 100), 1) - 1  # noqa: E731 - nearest rank
    return {percentile: ascending[rank(percentile)] for percentile in PERCENTILES}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        print(f"agreement: {error}", file=sys.stderr)
        sys.exit(1)
