"""Runs h2load and parses its summary."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cases import Case
from common import BenchError, run_command


@dataclass(frozen=True)
class LoadResult:
    """The summary of h2load: total seconds, number of 2xx responses, total bytes of the response bodies."""

    seconds: float
    succeeded: int
    body_bytes: int


def parse(output: str) -> LoadResult:
    """Parses the summary in h2load's output.

    Raises:
        BenchError: the output has no summary.
    """
    finished = re.search(r"^finished in ([\d.]+)(us|ms|s), ", output, re.MULTILINE)
    statuses = re.search(r"^status codes: (\d+) 2xx", output, re.MULTILINE)
    traffic = re.search(r"^traffic: .* \((\d+)\) data$", output, re.MULTILINE)
    if not (finished and statuses and traffic):
        raise BenchError(f"h2load printed no summary:\n{output}")
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0}[finished[2]]
    return LoadResult(float(finished[1]) * unit, int(statuses[1]), int(traffic[1]))


def send(case: Case, address: str, votes: int) -> LoadResult:
    """Sends votes and waits for all responses. `votes` is a multiple of the votes in a request.

    The number of votes is fixed, not the time: at the end of a fixed time h2load would drop votes in flight that Kafka
    stores anyway.

    Raises:
        BenchError: not every response is a receipt.
    """
    requests = votes // case.votes
    with tempfile.NamedTemporaryFile() as body:
        Path(body.name).write_bytes(case.body)
        command = ["h2load", f"--requests={requests}", f"--clients={case.connections}"]
        command += [f"--max-concurrent-streams={case.streams}", f"--data={body.name}", *case.options]
        result = parse(run_command([*command, f"http://{address}{case.url_path}"]))
    if result.succeeded != requests:
        raise BenchError(f"{case.name}: {requests - result.succeeded} of {requests} requests were not accepted")
    # A gRPC error is HTTP 200 without a body.
    if result.body_bytes < case.answer_bytes * votes:
        raise BenchError(f"{case.name}: {result.body_bytes} bytes are too few for the answers to {votes} votes")
    return result
