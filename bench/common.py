"""Code that the benchmark and the comparison of load generators share: options, servers, commands."""

import argparse
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class BenchError(RuntimeError):
    """The measurement is invalid."""


def argument_parser(description: str, *, rounds: int) -> argparse.ArgumentParser:
    """Returns a parser with the options `--rounds` and `--programs`.

    Args:
        description: the first line of `--help`.
        rounds: the default of `--rounds`.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help="number of rounds")
    default = str(ROOT / "target" / "release")
    parser.add_argument("--programs", type=programs_directory, default=default, help="directory of the binaries")
    return parser


def programs_directory(text: str) -> Path:
    """Returns the directory of a command line, which has the binaries of the services.

    Raises:
        argparse.ArgumentTypeError: it has none.
    """
    for name in ("ingest-rest", "ingest-grpc"):
        if not Path(text, name).is_file():
            raise argparse.ArgumentTypeError(
                f"no program {name} in {text}: compile it with `cargo build --release`, then give target/release"
            )
    return Path(text)


@contextmanager
def lab_servers(programs: Path, names: Sequence[str], state_directory: Path) -> Iterator[dict[str, str]]:
    """Starts servers on free ports with `lab up`; yields their endpoints by name, and stops the servers at the end.

    Args:
        programs: the directory of the binaries.
        names: the servers, such as `kafka` or `rest`.
        state_directory: the directory for data and logs.

    Raises:
        BenchError: the servers did not start.
    """
    command = [programs / "lab", "up", "--only", ",".join(names), "--free-ports", "--until-stdin-closes"]
    command += ["--state-dir", state_directory]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as lab:  # noqa: S603
        endpoints = lab.stdout.readline()
        if not endpoints:
            raise BenchError(f"lab did not start {', '.join(names)}: see its messages above")
        yield json.loads(endpoints)
        lab.stdin.close()


def server_processes(state_directory: Path) -> dict[str, dict[str, Any]]:
    """Returns the processes of a running stack by name, with `pid` and `command`, from the state that `lab` keeps."""
    state = json.loads((state_directory / "state.json").read_text())
    return {process["name"]: process for process in state["processes"]}


def vote_file() -> list[dict[str, object]]:
    """Returns the votes that Locust sends, too."""
    return json.loads((ROOT / "locust" / "votes" / "bandas_guatemala.json").read_text("utf-8"))


def build_collector() -> Path:
    """Compiles the OpenTelemetry Collector if needed; returns the path of the program.

    Raises:
        BenchError: it does not compile.
    """
    command = [ROOT / "traces" / "build.sh", "otelcol"]
    build = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own script
    if build.returncode != 0:
        raise BenchError("the collector was not built: see the messages above")
    return Path(build.stdout.strip())


def run_command(command: Sequence[str | Path]) -> str:
    """Runs a command and returns its standard output.

    Raises:
        BenchError: the exit code is not 0.
    """
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if result.returncode != 0:
        raise BenchError(f"{command[0]} failed: {result.stderr or result.stdout}")
    return result.stdout


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown, aligned for a terminal. The first row has the heads; the first column is text."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    ]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "".join(f"| {' | '.join(line)} |\n" for line in (lines[0], rule, *lines[1:]))
