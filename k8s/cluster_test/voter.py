"""Sends votes one by one in the background."""

import threading
import uuid
from http.client import HTTPException

from cluster_test import kube
from cluster_test.ledger import Ledger
from cluster_test.load import Load
from cluster_test.stages.routes import VOTE, entry, post

PAUSE_S = 0.25


class Voter:
    """Sends a vote about four times a second through the Ingress until it is stopped."""

    def __init__(self) -> None:
        """Starts to send."""
        self._load = Load()
        self._address = kube.cluster_ip("ingress")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    @property
    def acknowledged(self) -> int:
        """Number of votes with a receipt so far."""
        return sum(vote["ok"] for vote in list(self._load.entries))

    def stop(self, ledger: Ledger) -> list[str]:
        """Stops, adds the votes to the ledger, and returns the ids of those with a receipt."""
        self._stopped.set()
        self._thread.join()
        ledger.add(self._load)
        return [vote["vote_id"] for vote in self._load.entries if vote["ok"]]

    def _send(self) -> None:
        while not self._stopped.wait(PAUSE_S):
            vote_id = str(uuid.uuid4())
            try:
                _, answer, route = post(self._address, "/v1/votes", {**VOTE, "vote_id": vote_id}, {})
                self._load.entries.append(entry(answer, route))
            except (OSError, HTTPException) as error:
                failed = {"vote_id": vote_id, "route": None, "ok": False, "path": "direct", "status": str(error)}
                self._load.entries.append(failed)
