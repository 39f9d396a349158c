"""The client of server-sent events that `make cluster-test` uses."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cluster_test.follower import Follower

EVENTS = (
    "event: ready\ndata: {}\nid: A1\n\n"
    'event: votes\ndata: {"votes":[{"vote_id":"x"},{"vote_id":"y"}],"skipped":0}\nid: A2\n\n'
    ": \nid: A3\n\n"
    # Incomplete: neither its votes nor its position count.
    'event: votes\ndata: {"votes":[{"vote_id":"z"}],"skipped":0}\nid: A4\n'
)


@contextmanager
def server(status: int, body: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Answers one request; yields the port, and the headers of the request once it has arrived."""
    received: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.update(self.headers)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.handle_request)
        thread.start()
        yield http.server_port, received
        thread.join()


def test_follower_collects_votes_and_the_position_of_complete_events() -> None:
    with server(200, EVENTS) as (port, headers):
        with closing(Follower("127.0.0.1", port, "viewer.example", "A0")) as follower:
            follower.wait()
        assert headers["Last-Event-ID"] == "A0"
        assert headers["Host"] == "viewer.example"
    assert follower.votes == ["x", "y"]
    assert follower.events == ["ready", "votes"]
    assert follower.last_event_id == "A3"
    assert not follower.is_open


def test_refused_stream_is_an_error() -> None:
    with server(429, "{}") as (port, _), pytest.raises(OSError, match="429"):
        Follower("127.0.0.1", port, "viewer.example")
