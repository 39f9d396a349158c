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

    def __init__(self, ledger: Ledger) -> None:
        """Starts to send.

        Args:
            ledger: gets the votes when the voter stops.
        """
        self._ledger, self._load = ledger, Load()
        self._address = kube.cluster_ip("ingress")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    @property
    def acknowledged(self) -> list[str]:
        """The ids of the votes with a receipt so far."""
        return [vote["vote_id"] for vote in list(self._load.entries) if vote["ok"]]

    def stop(self) -> None:
        """Stops and adds the votes to the ledger. Has no effect the second time."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._thread.join()
            self._ledger.add(self._load)

    # `contextlib.closing` calls it.
    close = stop

    def _send(self) -> None:
        while not self._stopped.wait(PAUSE_S):
            vote_id = str(uuid.uuid4())
            try:
                _, answer, route = post(self._address, "/v1/votes", {**VOTE, "vote_id": vote_id}, {})
                self._load.entries.append(entry(answer, route))
            except (OSError, HTTPException) as error:
                failed = {"vote_id": vote_id, "route": None, "ok": False, "path": "direct", "status": str(error)}
                self._load.entries.append(failed)
