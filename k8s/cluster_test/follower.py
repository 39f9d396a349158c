"""A follower of the viewer's log: a client of server-sent events that resumes like a browser."""

import http.client
import json
import socket
import threading
from contextlib import suppress

# The viewer sends at least a comment more often than this.
SILENCE_S = 40


class Follower:
    """An open stream, and the votes that it received."""

    def __init__(self, address: str, port: int, host: str, last_event_id: str | None = None) -> None:
        """Opens the stream and waits until it receives all new votes.

        Args:
            address: the address of the proxy.
            port: its port.
            host: the host name of the viewer.
            last_event_id: the position at which an earlier stream ended.
        """
        self.votes: list[str] = []
        self.events: list[str] = []
        self.last_event_id = last_event_id
        self._ready, self._ended = threading.Event(), threading.Event()
        self._connection = http.client.HTTPConnection(address, port, timeout=SILENCE_S)
        headers = {"Host": host, "Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        self._connection.request("GET", "/api/logs/stream", headers=headers)
        self._response = self._connection.getresponse()
        if self._response.status != http.HTTPStatus.OK:
            raise OSError(f"the stream was refused: {self._response.status} {self._response.read(300)!r}")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        if not self._ready.wait(SILENCE_S):
            raise OSError("the stream is open, but has no event `ready`")

    @property
    def is_open(self) -> bool:
        """Whether the stream still runs."""
        return not self._ended.is_set()

    def wait(self) -> None:
        """Waits until the other side ends the stream."""
        self._thread.join()

    def close(self) -> None:
        """Closes the connection, as a browser does when its page is closed. Has no effect the second time."""
        if self._connection.sock:
            with suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(SILENCE_S)
        self._connection.close()

    def _read(self) -> None:
        try:
            self._parse()
        except (OSError, http.client.HTTPException, ValueError):
            # The connection was closed, by this side or by the other.
            pass
        finally:
            self._ended.set()

    def _parse(self) -> None:
        fields: dict[str, str] = {}
        while line := self._response.readline():
            text = line.decode().rstrip("\r\n")
            if text:
                name, _, value = text.partition(":")
                fields[name] = value.removeprefix(" ")
                continue
            # A browser keeps the position only of complete events, and an event without a name or data is a comment.
            self._dispatch(fields)
            fields = {}

    def _dispatch(self, fields: dict[str, str]) -> None:
        if "event" in fields:
            self.events.append(fields["event"])
        if fields.get("event") == "votes":
            self.votes += [vote["vote_id"] for vote in json.loads(fields["data"])["votes"]]
        self.last_event_id = fields.get("id") or self.last_event_id
        if fields.get("event") == "ready":
            self._ready.set()
