"""A fake Ingress: HTTP and gRPC on two free ports, which it prints as one JSON line.

It rejects a vote for the band `rejected` and answers any other vote with a receipt after `DELAY_S`. `GET /receipts`
returns all receipts as a list of [vote_id, route].

    fake_service.py DELAY_S [CERTIFICATE KEY]     with a certificate and its key (PEM), both ports have TLS
"""

import json
import ssl
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path

import grpc

from dualpath_locust.pb import votes_pb2, votes_pb2_grpc

DELAY_S = float(sys.argv[1])
CERTIFICATE, KEY = map(Path, sys.argv[2:4]) if sys.argv[2:] else (None, None)
SPLIT = cycle(("rest", "bridge"))
RECEIPTS: list[tuple[str, str]] = []


def receipt(route: str) -> dict[str, str | int]:
    """Returns a receipt after the delay."""
    time.sleep(DELAY_S)
    vote_id = str(uuid.uuid4())
    RECEIPTS.append((vote_id, route))
    return {"vote_id": vote_id, "route": route, "partition": 0, "offset": len(RECEIPTS)}


class HttpHandler(BaseHTTPRequestHandler):
    """`POST /v1/votes`, `POST /rest/v1/votes` and `GET /receipts`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Receives a vote."""
        vote = json.loads(self.rfile.read(int(self.headers["content-length"])))
        route = {"/v1/votes": next(SPLIT), "/rest/v1/votes": "rest"}[self.path]
        if vote["name"] == "rejected":
            self._answer(503, {"title": "Kafka unavailable"}, route)
        else:
            self._answer(202, receipt(route), route)

    def do_GET(self) -> None:
        """Returns the receipts."""
        self._answer(200, RECEIPTS, "none")

    def log_message(self, *_: object) -> None:
        """Logs nothing."""

    def _answer(self, status: int, document: object, route: str) -> None:
        body = json.dumps(document).encode()
        head = f"HTTP/1.1 {status} X\r\nx-ingest-route: {route}\r\ncontent-length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)


class VoteServicer(votes_pb2_grpc.VoteServiceServicer):
    """`CastVote`."""

    def CastVote(self, request: votes_pb2.Vote, context: grpc.ServicerContext) -> votes_pb2.Receipt:  # noqa: N802
        """Receives a vote."""
        if request.name == "rejected":
            context.abort(grpc.StatusCode.UNAVAILABLE, "Kafka unavailable")
        return votes_pb2.Receipt(**receipt("grpc"))


def main() -> None:
    """Serves until it is killed."""
    http_server = ThreadingHTTPServer(("127.0.0.1", 0), HttpHandler)
    http_server.daemon_threads = True
    grpc_server = grpc.server(ThreadPoolExecutor(32))
    votes_pb2_grpc.add_VoteServiceServicer_to_server(VoteServicer(), grpc_server)
    address = "127.0.0.1:0"
    if CERTIFICATE:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, KEY)
        # Each connection does its handshake on its own thread.
        http_server.socket = context.wrap_socket(http_server.socket, server_side=True, do_handshake_on_connect=False)
        identity = (KEY.read_bytes(), CERTIFICATE.read_bytes())
        grpc_port = grpc_server.add_secure_port(address, grpc.ssl_server_credentials([identity]))
    else:
        grpc_port = grpc_server.add_insecure_port(address)
    grpc_server.start()
    threading.Thread(target=http_server.serve_forever).start()
    print(json.dumps({"http": http_server.server_port, "grpc": grpc_port}), flush=True)
    grpc_server.wait_for_termination()


if __name__ == "__main__":
    main()
