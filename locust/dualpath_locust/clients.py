"""HTTP and gRPC clients. Both report each request to locust under the name of the route that answered."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import gevent.ssl
import grpc
from locust.contrib.fasthttp import FastHttpSession
from locust.event import EventHook

from dualpath_locust.ledger import Outcome
from dualpath_locust.pb import votes_pb2_grpc
from dualpath_locust.votes import Vote

ROUTE_HEADER = "x-ingest-route"
NO_ROUTE = "no route"
TIMEOUT_S = 10
"""The timeout of both clients, twice the default deadline of the services, so that the service times out first."""

MAX_DETAIL_CHARACTERS = 1000


class RejectedVote(Exception):  # noqa: N818 - locust shows the class name
    """The HTTP response is not a receipt."""


def read_authorization(token_file: str) -> str:
    """Returns the value of the header `Authorization` for the token in a file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it has no token, or one that a header cannot have.
    """
    token = Path(token_file).read_text(encoding="utf-8").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("it must have one token of printable ASCII characters")
    return f"Bearer {token}"


def cast_by_http(session: FastHttpSession, url_path: str, vote: Vote, authorization: str | None) -> Outcome:
    """Posts a vote as JSON.

    Args:
        session: the user's session.
        url_path: path below the host, such as `/v1/votes`.
        vote: the vote.
        authorization: value of the header `Authorization`; None without the header.
    """
    headers = {"Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    with session.post(
        url_path,
        data=vote.body,
        headers=headers,
        name=NO_ROUTE,
        catch_response=True,
    ) as response:
        route = response.headers.get(ROUTE_HEADER) if response.headers else None
        vote_id = _receipt_id(response.content) if 200 <= response.status_code < 300 else None
        ok = route is not None and vote_id is not None
        status = str(response.status_code) if response.status_code else type(response.error).__name__
        if route is not None:
            response.request_meta["name"] = route
        failure: dict[str, object] | None = None
        if not ok:
            detail = (response.text or "")[:MAX_DETAIL_CHARACTERS] if response.status_code else str(response.error)
            failure = {"message": detail, "headers": dict(response.headers.items() if response.headers else ())}
            response.failure(RejectedVote(f"{status}: {detail[:200]}"))
        latency_us = round(response.request_meta["response_time"] * 1000)
    return Outcome(vote_id, route, ok, status, latency_us, failure)


def _receipt_id(body: bytes) -> str | None:
    try:
        receipt = json.loads(body)
    except ValueError:
        return None
    return receipt.get("vote_id") if isinstance(receipt, dict) else None


def ssl_context_factory(ca: str) -> Callable[[str], gevent.ssl.SSLContext]:
    """Returns how the HTTP client verifies a server: by the CAs in the file `ca`, and no others."""

    # The client passes the file of public CAs.
    def create(cafile: str) -> gevent.ssl.SSLContext:
        return gevent.ssl.create_default_context(cafile=ca)

    return create


def grpc_credentials(ca: str | None) -> grpc.ChannelCredentials:
    """Returns how to verify a gRPC server: by the CAs in the file `ca`, or by public CAs."""
    return grpc.ssl_channel_credentials(Path(ca).read_bytes() if ca is not None else None)


class GrpcVoteClient:
    """A gRPC client with its own connection that reports to locust."""

    def __init__(
        self,
        target: str,
        request_event: EventHook,
        credentials: grpc.ChannelCredentials | None,
        authorization: str | None,
    ) -> None:
        """Opens the channel.

        Args:
            target: `host:port`.
            request_event: locust's `events.request`.
            credentials: how to verify the server; None without TLS.
            authorization: value of the metadata `authorization`; None without it.
        """
        # By default all gRPC channels of a process share one connection. Every HTTP user has its own connection, so
        # give every gRPC user its own too. The load on the Ingress is then comparable.
        options = [("grpc.use_local_subchannel_pool", 1)]
        if credentials is None:
            self._channel = grpc.insecure_channel(target, options)
        else:
            self._channel = grpc.secure_channel(target, credentials, options)
        self._cast_vote: Callable = votes_pb2_grpc.VoteServiceStub(self._channel).CastVote
        self._url = f"grpc://{target}/votes.v1.VoteService/CastVote"
        self._request_event = request_event
        self._metadata = None if authorization is None else (("authorization", authorization),)

    def cast(self, vote: Vote) -> Outcome:
        """Sends a vote as a unary call."""
        start_time = time.time()
        started = time.perf_counter()
        receipt, error = None, None
        try:
            receipt = self._cast_vote(vote.message, timeout=TIMEOUT_S, metadata=self._metadata, wait_for_ready=False)
        except grpc.RpcError as rpc_error:
            error = rpc_error
        elapsed_s = time.perf_counter() - started

        if receipt is not None:
            outcome = Outcome(receipt.vote_id, receipt.route, True, "OK", round(elapsed_s * 1e6))
        else:
            route = dict(error.trailing_metadata() or ()).get(ROUTE_HEADER)
            # The debug string has the address of the server, and the HTTP status if the answer was not gRPC.
            failure = {"message": error.details(), "debug": error.debug_error_string()[:MAX_DETAIL_CHARACTERS]}
            outcome = Outcome(None, route, False, error.code().name, round(elapsed_s * 1e6), failure)
        self._request_event.fire(
            request_type="gRPC",
            name=outcome.route or NO_ROUTE,
            response_time=elapsed_s * 1000,
            response_length=receipt.ByteSize() if receipt is not None else 0,
            exception=error,
            context={},
            start_time=start_time,
            url=self._url,
            response=receipt,
        )
        return outcome

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()
