"""The ledger: one JSON line for every vote sent, whatever became of it."""

import json
from dataclasses import dataclass
from pathlib import Path

from dualpath_locust.sequence import VotePath


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one vote.

    Attributes:
        vote_id: the id in the receipt; None without a receipt.
        route: the route that answered (`rest`, `grpc`, `bridge`); None where none did.
        ok: True if there is a receipt, which means that the vote is in Kafka.
        status: the HTTP status, the gRPC status name, or what happened instead of an answer.
        latency_us: from the call to the whole answer, microseconds.
    """

    vote_id: str | None
    route: str | None
    ok: bool
    status: str
    latency_us: int


class Ledger:
    """Counts the votes of this process and, given a file, writes one line for each.

    Each line is one write: after a crash or Ctrl-C the file holds every vote whose outcome was known, and several
    worker processes on one machine can append to the same file.
    """

    def __init__(self, path: Path | None, *, truncate: bool) -> None:
        """Opens the ledger.

        Args:
            path: the file; None only counts.
            truncate: start a new file; a worker process appends to the one that its master started.

        Raises:
            OSError: the file cannot be written.
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
            path: how the vote was sent.
            sent_at_us: microseconds since the Unix epoch.
            outcome: what came of it.
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
            self._file.write(json.dumps(line).encode() + b"\n")
