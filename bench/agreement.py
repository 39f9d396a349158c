"""Compares the latencies that `compare`'s load generator, h2load, ghz and wrk measure for the same load.

    cargo build --release && python3 bench/agreement.py

Starts Kafka and the two routes with `lab`. A latency depends on the send times: eight connections that send at the
same moment wait for each other, and at the same rate, eight connections in rotation do not. So each tool runs with its
own send times, and then `compare` sends at the recorded times of that tool. Both count from the moment when they send.
In its reports, `compare` counts from the intended time instead, so that a late load generator shows; the last column
has that median. A row `own send times` shows the effect of the send times alone. wrk and one h2load row have no send
times: in a closed loop, each connection sends after its last answer.

Each tool needs time itself, from the arrival of an answer until it notes the time, and this time is part of every
latency. So each pair is also measured against the service without Kafka, where little else is left. The tools agree if
their medians differ by at most 5 % after the difference of their own times is subtracted.
"""

import json
import os
import re
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import cases
from cases import Case
from common import BenchError, argument_parser, lab_servers, run_command
from messages import VOTE
from subjects import FLOOR, Settings, running


@dataclass(frozen=True)
class Load:
    """The load that each tool sends: votes per second, seconds, votes in flight.

    HTTP/1.1 has one connection for each vote in flight, HTTP/2 four for all.
    """

    rate: int
    seconds: int
    in_flight: int

    @property
    def votes(self) -> int:
        """Number of votes in total."""
        return self.rate * self.seconds


def main() -> int:
    """Measures, and writes the table. Exit code 1 if a pair of medians differs by more than the limit."""
    parser = argument_parser(__doc__.partition("\n")[0], rounds=7)
    parser.add_argument("--rate", type=int, default=240, help="votes per second")
    parser.add_argument("--seconds", type=int, default=4, help="length of one measurement")
    parser.add_argument("--in-flight", type=int, default=8, help="unanswered votes of each tool at most")
    parser.add_argument("--write", type=Path, help="also write the table, in Markdown, to this file")
    arguments = parser.parse_args()
    load = Load(arguments.rate, arguments.seconds, arguments.in_flight)
    with (
        tempfile.TemporaryDirectory(prefix="dualpath-agreement-") as directory,
        lab_servers(arguments.programs, ("kafka", "rest", "grpc"), Path(directory) / "lab") as endpoints,
        ExitStack() as without_kafka,
    ):
        settings = Settings(arguments.programs, endpoints["kafka"], "votes", 2, Path(directory))
        floors = {name: without_kafka.enter_context(running(FLOOR, name, settings)) for name in ("rest", "grpc")}
        rows = []
        for case in cases.single_votes(arguments.in_flight):
            target = Target(case, endpoints[case.service], arguments.programs, load)
            floor = replace(target, url=f"http://{floors[case.service].address}")
            for pair in _pairs(target):
                rows.append(_measure(target, floor, pair, arguments.rounds))
                print(" | ".join(rows[-1].cells()), file=sys.stderr)
    table = "\n".join(
        f"| {' | '.join(cells)} |" for cells in [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    )
    summary = (
        f"{load.rate} votes per second for {load.seconds} s, at most {load.in_flight} unanswered; medians in ms over "
        f"{arguments.rounds} rounds.\n"
    )
    print(f"{summary}\n{table}")
    if arguments.write:
        arguments.write.write_text(f"{summary}\n{table}\n")
    return 0 if all(row.agrees() for row in rows if row.pair.is_same_load) else 1


@dataclass(frozen=True)
class Target:
    """A route under load, with the programs that send it."""

    case: Case
    url: str
    programs: Path
    load: Load


@dataclass(frozen=True)
class Sent:
    """One measurement of a tool: latencies in ms, and send times in µs from the first one (empty in a closed loop)."""

    latencies: list[float]
    times: list[int]


@dataclass(frozen=True)
class Medians:
    """Medians of `compare` in ms, from the moment of sending and from the intended time."""

    from_send: float
    from_intended: float


@dataclass(frozen=True)
class Pair:
    """A tool, and how `compare` repeats its load."""

    tool: str
    load: str
    measure: Callable[[Target], Sent]
    repeat: Callable[[Target, Sent], Medians]
    is_same_load: bool = True


@dataclass(frozen=True)
class Row:
    """The medians of a pair over all rounds."""

    case: str
    pair: Pair
    tool_ms: list[float]
    compare_ms: list[Medians]
    own_ms: list[float]
    """The difference of the tools' own times: `compare` minus the tool, without Kafka."""

    def difference(self) -> float:
        """The difference of the medians, as a share of the tool's."""
        return self._difference_ms() / statistics.median(self.tool_ms)

    def remaining(self) -> float:
        """The same without the difference of the tools' own times."""
        return (self._difference_ms() - statistics.median(self.own_ms)) / statistics.median(self.tool_ms)

    def _difference_ms(self) -> float:
        compare_ms = statistics.median(medians.from_send for medians in self.compare_ms)
        return compare_ms - statistics.median(self.tool_ms)

    def agrees(self) -> bool:
        """Whether the medians differ by at most the limit, apart from the tools' own times."""
        return abs(self.remaining()) <= LIMIT

    def cells(self) -> list[str]:
        """The row of the table."""
        verdict = ("yes" if self.agrees() else "**no**") if self.pair.is_same_load else "not compared"
        cell = lambda values: f"{statistics.median(values):.2f} ({min(values):.2f}, {max(values):.2f})"  # noqa: E731
        percent = lambda share: f"{100 * share:+.1f} %"  # noqa: E731
        return [
            self.case,
            self.pair.tool,
            self.pair.load,
            cell(self.tool_ms),
            cell([medians.from_send for medians in self.compare_ms]),
            percent(self.difference()),
            f"{statistics.median(self.own_ms):+.2f} ({min(self.own_ms):+.2f}, {max(self.own_ms):+.2f})",
            percent(self.remaining()) if self.pair.is_same_load else "-",
            verdict,
            cell([medians.from_intended for medians in self.compare_ms]),
        ]


HEAD = [
    "route",
    "tool",
    "load",
    "tool (min, max)",
    "compare (min, max)",
    "difference",
    "own time, compare minus tool",
    "difference apart from that",
    "within 5 %",
    "compare, from the intended time (min, max)",
]
LIMIT = 0.05


def _pairs(target: Target) -> list[Pair]:
    pairs = [
        Pair("h2load", "the send times of h2load", _h2load, _compare_at),
        Pair("h2load", "own send times of each tool", _h2load, lambda target, _: _compare_uniform(target), False),
        Pair("h2load", "closed loop", _h2load_closed, lambda target, _: _compare_closed(target)),
    ]
    if target.case.service == "grpc":
        pairs.append(Pair("ghz", "the send times of ghz", _ghz, _compare_at))
    if "--h1" in target.case.options:
        pairs.append(Pair("wrk", "closed loop", _wrk, lambda target, _: _compare_closed(target)))
    return pairs


def _measure(target: Target, floor: Target, pair: Pair, rounds: int) -> Row:
    tool_ms, compare_ms, own_ms = [], [], []
    pair.measure(target)  # warm-up
    for _ in range(rounds):
        sent = pair.measure(target)
        tool_ms.append(statistics.median(sent.latencies))
        compare_ms.append(pair.repeat(target, sent))
        sent = pair.measure(floor)
        own_ms.append(pair.repeat(floor, sent).from_send - statistics.median(sent.latencies))
    return Row(target.case.name, pair, tool_ms, compare_ms, own_ms)


def _compare(target: Target, *options: str) -> Medians:
    version = "http1" if "--h1" in target.case.options else "h2c"
    encoding = "grpc" if target.case.service == "grpc" else "json"
    connections = str(target.case.connections)
    command = [target.programs / "compare", "load", target.url, "--version", version, "--encoding", encoding]
    command += ["--connections", connections, "--in-flight", str(target.load.in_flight), *options]
    summary = json.loads(run_command(command))
    return Medians(summary["p50_from_send_ms"], summary["p50_ms"])


def _compare_at(target: Target, sent: Sent) -> Medians:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(map(str, sent.times)))
        file.flush()
        return _compare(target, "--send-times", file.name)


def _compare_uniform(target: Target) -> Medians:
    load = target.load
    return _compare(target, "--arrival", "uniform", "--rate", str(load.rate), "--seconds", str(load.seconds))


def _compare_closed(target: Target) -> Medians:
    return _compare(target, "--users", str(target.load.in_flight), "--seconds", str(target.load.seconds))


def _h2load(target: Target) -> Sent:
    per_client = target.load.rate / target.case.connections
    return _run_h2load(target, f"--requests={target.load.votes}", f"--rps={per_client}")


def _h2load_closed(target: Target) -> Sent:
    return Sent(_run_h2load(target, f"--duration={target.load.seconds}").latencies, [])


def _run_h2load(target: Target, *options: str) -> Sent:
    case = target.case
    with tempfile.TemporaryDirectory() as directory:
        log, body = Path(directory) / "log", Path(directory) / "body"
        body.write_bytes(case.body)
        command = ["h2load", f"--clients={case.connections}", f"--max-concurrent-streams={case.streams}", *options]
        command += [f"--log-file={log}", f"--data={body}", *case.options, f"{target.url}{case.url_path}"]
        run_command(command)
        # The columns of a line: start in µs, HTTP status, duration in µs.
        lines = [[int(cell) for cell in line.split("\t")] for line in log.read_text().splitlines()]
    rejected = [status for _, status, _ in lines if status not in (200, 202)]
    if rejected or not lines:
        raise BenchError(f"h2load: {len(rejected)} of {len(lines)} votes rejected")
    first = min(start for start, _, _ in lines)
    return Sent([duration / 1e3 for _, _, duration in lines], [start - first for start, _, _ in lines])


def _ghz(target: Target) -> Sent:
    load = target.load
    command = [_tool("ghz"), "--insecure", "--call", "votes.v1.VoteService.CastVote", "--data", json.dumps(VOTE)]
    command += ["--total", str(load.votes), "--rps", str(load.rate), "--connections", str(target.case.connections)]
    command += ["--concurrency", str(load.in_flight), "--format", "json", target.url.removeprefix("http://")]
    calls = json.loads(run_command(command))["details"]
    if any(call["status"] != "OK" for call in calls):
        raise BenchError("ghz: not every vote was acknowledged")
    starts = [_microseconds(call["timestamp"]) for call in calls]
    return Sent([call["latency"] / 1e6 for call in calls], [start - min(starts) for start in starts])


def _microseconds(timestamp: str) -> int:
    """Reads an RFC 3339 time with nanoseconds."""
    seconds, _, rest = timestamp.partition(".")
    fraction = re.match(r"\d+", rest)
    micros = int((fraction.group() if fraction else "0").ljust(9, "0")[:6])
    whole = datetime.fromisoformat(seconds.removesuffix("Z")).replace(tzinfo=UTC)
    return int(whole.timestamp()) * 1_000_000 + micros


WRK_SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = [[BODY]]
done = function(summary, latency)
  local failed = summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("p50_us %d failed %d\\n", latency:percentile(50), failed))
end
"""


def _wrk(target: Target) -> Sent:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK_SCRIPT.replace("BODY", target.case.body.decode()))
        script.flush()
        command = ["wrk", "--threads", "1", "--connections", str(target.load.in_flight)]
        command += ["--duration", f"{target.load.seconds}s", "--script", script.name]
        output = run_command([*command, f"{target.url}{target.case.url_path}"])
    found = re.search(r"p50_us (\d+) failed (\d+)", output)
    if not found or int(found.group(2)) > 0:
        raise BenchError(f"wrk: not every vote was acknowledged: {output}")
    return Sent([int(found.group(1)) / 1e3], [])


def _tool(name: str) -> Path:
    """Returns the path of a tool that `make setup-dev` installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "dualpath" / "tools" / "bin" / name


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        print(f"agreement: {error}", file=sys.stderr)
        sys.exit(1)
