"""The ledger: one JSON line for every vote sent, with its outcome."""

import json
from dataclasses import dataclass
from pathlib import Path

from dualpath_locust.sequence import VotePath


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one vote.

    Attributes:
        vote_id: the id in the receipt; None without a receipt.
        route: the route that answered (`rest`, `grpc`, `bridge`); None without an answer.
        ok: True if there is a receipt, which means that the vote is in Kafka.
        status: the HTTP status, the name of the gRPC status, or the error if there was no answer.
        latency_us: microseconds from the call to the complete answer.
        failure: what the client received instead of a receipt, for the analysis of a failed vote.
    """

    vote_id: str | None
    route: str | None
    ok: bool
    status: str
    latency_us: int
    failure: dict[str, object] | None = None


class Ledger:
    """Counts the votes of this process and, if a file is given, writes one line for each.

    Each line is a single unbuffered write. After a crash or Ctrl-C the file has every vote with a known outcome, and
    several worker processes on one machine can append to the same file.
    """

    def __init__(self, path: Path | None, *, truncate: bool) -> None:
        """Opens the ledger.

        Args:
            path: the file; None to count only.
            truncate: True to empty the file first. A worker process appends to the file of its master instead.

        Raises:
            OSError: the file is not writable.
        """
        self.sent = 0
        self.failed = 0
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            if truncate:
                path.write_bytes(b"")
            self._file = path.open("ab", buffering=0)

    def record(self, path: VotePath, sent_at_us: int, outcome: Outcome) -> None:
        """Adds one vote.

        Args:
            path: the path on which the vote was sent.
            sent_at_us: the send time, microseconds since the Unix epoch.
            outcome: the outcome.
        """
        self.sent += 1
        self.failed += not outcome.ok
        if self._file is not None:
            line = {
                "vote_id": outcome.vote_id,
                "route": outcome.route,
                "path": path,
                "sent_at_us": sent_at_us,
                "latency_us": outcome.latency_us,
                "ok": outcome.ok,
                "status": outcome.status,
            }
            if outcome.failure is not None:
                line["failure"] = outcome.failure
            self._file.write(json.dumps(line).encode() + b"\n")
