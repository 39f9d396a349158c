"""Whether the comparison's driver sees what h2load and ghz see: the same route, rate and connections, in turn.

    python3 bench/agreement.py            after: cargo build --release

Starts Kafka and the two routes (`lab`). Each round asks every tool for the same load in an order that turns; the table
has the median over the rounds of each percentile, with the least and the most: two tools may differ by what one tool
differs from itself by. h2load and ghz measure from the actual send, the driver from the intended one: at a rate far
below the limit that is the same.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h2load

ROOT = Path(__file__).parents[1]
PERCENTILES = (50, 95, 99)
Latencies = dict[int, float]
"""Milliseconds by percentile."""


@dataclass(frozen=True)
class Load:
    """What each tool is asked for: votes a second, seconds, connections."""

    rate: int
    seconds: int
    connections: int

    @property
    def votes(self) -> int:
        """Votes in all."""
        return self.rate * self.seconds


def main() -> int:
    """Measures and writes the table."""
    arguments = _arguments()
    load = Load(arguments.rate, arguments.seconds, arguments.connections)
    with _routes(arguments.programs) as endpoints:
        cases = h2load.cases(arguments.connections)
        rows = [
            row
            for case in cases
            for row in _rows(case, endpoints[case.half], load, arguments.rounds, arguments.programs)
        ]
    head = ["route", "tool", *(f"p{percentile} ms (least, most)" for percentile in PERCENTILES)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])
    about = (
        f"{load.rate} votes a second for {load.seconds} s on {load.connections} connections; medians of "
        f"{arguments.rounds} rounds, the least and the most.\n"
    )
    print(f"{about}\n{table}")
    if arguments.write:
        arguments.write.write_text(f"{about}\n{table}\n")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds")
    parser.add_argument("--rate", type=int, default=240, help="votes a second")
    parser.add_argument("--seconds", type=int, default=4, help="length of one measurement")
    parser.add_argument("--connections", type=int, default=8, help="connections of each tool")
    parser.add_argument("--programs", type=Path, default=ROOT / "target" / "release", help="where the binaries are")
    parser.add_argument("--write", type=Path, help="also write the table, in Markdown, to this file")
    return parser.parse_args()


@contextmanager
def _routes(programs: Path) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="dualpath-agreement-") as directory:
        command = [programs / "lab", "up", "--only", "kafka,rest,grpc", "--free-ports", "--until-stdin-closes"]
        command += ["--state-dir", Path(directory) / "lab"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as lab:  # noqa: S603
            line = lab.stdout.readline()
            if not line:
                raise h2load.BenchError("lab did not start the routes")
            yield json.loads(line)
            lab.stdin.close()


def _rows(case: h2load.Case, url: str, load: Load, rounds: int, programs: Path) -> list[list[str]]:
    tools: dict[str, Callable[[], Latencies]] = {
        "compare": lambda: _compare(case, url, load, programs),
        "h2load": lambda: _h2load(case, url, load),
    }
    if case.half == "grpc":
        tools["ghz"] = lambda: _ghz(url, load)
    seen: dict[str, list[Latencies]] = {name: [] for name in tools}
    for measure in tools.values():
        measure()  # warm-up
    for number in range(rounds):
        names = list(tools)
        turned = names[number % len(names) :] + names[: number % len(names)]
        for name in turned:
            seen[name].append(tools[name]())
        print(f"{case.name}, round {number + 1} of {rounds}", file=sys.stderr)
    return [[case.name, name, *(_cell(seen[name], percentile) for percentile in PERCENTILES)] for name in tools]


def _cell(rounds: list[Latencies], percentile: int) -> str:
    values = [latencies[percentile] for latencies in rounds]
    return f"{statistics.median(values):.2f} ({min(values):.2f}, {max(values):.2f})"


def _compare(case: h2load.Case, url: str, load: Load, programs: Path) -> Latencies:
    version = "http1" if "--h1" in case.options else "h2c"
    encoding = "grpc" if case.half == "grpc" else "json"
    command = [programs / "compare", "load", url, "--version", version, "--encoding", encoding, "--arrival", "uniform"]
    command += ["--rate", str(load.rate), "--seconds", str(load.seconds), "--connections", str(load.connections)]
    summary = json.loads(_run(command))
    return {percentile: summary[f"p{percentile}_ms"] for percentile in PERCENTILES}


def _h2load(case: h2load.Case, url: str, load: Load) -> Latencies:
    with tempfile.TemporaryDirectory() as directory:
        log, body = Path(directory) / "log", Path(directory) / "body"
        body.write_bytes(case.body)
        per_client = load.rate / load.connections
        command = ["h2load", f"--requests={load.votes}", f"--clients={load.connections}", f"--rps={per_client}"]
        command += [f"--log-file={log}", f"--data={body}", *case.options, f"{url}{case.url_path}"]
        _run(command)
        # A line is: start in µs, HTTP status, µs until the answer.
        lines = [line.split("\t") for line in log.read_text().splitlines()]
    bad = [line for line in lines if line[1] != "200" and line[1] != "202"]
    if bad or len(lines) != load.votes:
        raise h2load.BenchError(f"h2load: {len(bad)} refused, {len(lines)} of {load.votes} answered")
    return _percentiles([int(line[2]) / 1e3 for line in lines])


def _ghz(url: str, load: Load) -> Latencies:
    command = [_tool("ghz"), "--insecure", "--call", "votes.v1.VoteService.CastVote", "--data", json.dumps(h2load.VOTE)]
    command += ["--total", str(load.votes), "--rps", str(load.rate), "--connections", str(load.connections)]
    command += ["--concurrency", str(load.connections), "--format", "json", url.removeprefix("http://")]
    answers = json.loads(_run(command))["details"]
    if any(answer["status"] != "OK" for answer in answers):
        raise h2load.BenchError("ghz: not every vote was acknowledged")
    return _percentiles([answer["latency"] / 1e6 for answer in answers])


def _tool(name: str) -> Path:
    """A tool that `make setup-dev` has put into the cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "dualpath" / "tools" / "bin" / name


def _percentiles(values: list[float]) -> Latencies:
    ascending = sorted(values)
    rank = lambda percentile: max(-(-percentile * len(ascending) // 100), 1) - 1  # noqa: E731 - nearest rank
    return {percentile: ascending[rank(percentile)] for percentile in PERCENTILES}


def _run(command: list) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if result.returncode != 0:
        raise h2load.BenchError(f"{command[0]} failed: {result.stderr or result.stdout}")
    return result.stdout


if __name__ == "__main__":
    try:
        sys.exit(main())
    except h2load.BenchError as error:
        print(f"agreement: {error}", file=sys.stderr)
        sys.exit(1)
