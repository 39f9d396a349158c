"""One vote by each route is one complete trace in Jaeger, through a collector."""

import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import requests
from dualpath_locust.pb import votes_pb2, votes_pb2_grpc

from stack import VOTE, Stack, eventually, running
from tracing_servers import TracingServers, tracing_servers

CLIENT_SPAN = "00f067aa0ba902b7"
STAGES = {"decode", "validate", "encode", "publish", "reply"}
# The bridge has validated the vote.
FORWARDED_STAGES = STAGES - {"validate"}


@pytest.fixture(scope="module")
def tracing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TracingServers]:
    with tracing_servers(tmp_path_factory.mktemp("tracing")) as servers:
        yield servers


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"])
def stack(
    request: pytest.FixtureRequest, tracing: TracingServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack whose programs export by one of the two protocols of OTLP."""
    address = tracing.collector_grpc if request.param == "grpc" else tracing.collector_http
    directory: Path = tmp_path_factory.mktemp("stack")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{address}")
        environment.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", request.param)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        with running(directory) as running_stack:
            yield running_stack


def test_vote_by_rest_is_one_trace(stack: Stack, tracing: TracingServers) -> None:
    trace_id = post_vote(f"{stack.endpoints['ingress']}/rest/v1/votes")
    trace = complete_trace(tracing, trace_id)
    assert calls(trace) == {("ingest-rest", "POST /v1/votes"), ("consumer", "process votes")}
    assert stages(trace, "ingest-rest") == STAGES


def test_vote_by_the_bridge_is_one_trace_with_both_hops(stack: Stack, tracing: TracingServers) -> None:
    trace_id = post_vote(f"{stack.endpoints['ingress']}/grpc/v1/votes")
    trace = complete_trace(tracing, trace_id)
    assert calls(trace) == {
        ("bridge", "POST /v1/votes"),
        ("ingest-grpc", "votes.v1.BridgeService/Forward"),
        ("consumer", "process votes"),
    }
    assert stages(trace, "bridge") == STAGES
    assert stages(trace, "ingest-grpc") == FORWARDED_STAGES


def test_vote_by_grpc_is_one_trace(stack: Stack, tracing: TracingServers) -> None:
    trace_id = new_trace_id()
    with grpc.insecure_channel(stack.endpoints["ingress"].removeprefix("http://")) as channel:
        stub = votes_pb2_grpc.VoteServiceStub(channel)
        stub.CastVote(votes_pb2.Vote(**VOTE), metadata=[("traceparent", traceparent(trace_id))], timeout=5)
    trace = complete_trace(tracing, trace_id)
    assert calls(trace) == {("ingest-grpc", "votes.v1.VoteService/CastVote"), ("consumer", "process votes")}
    assert stages(trace, "ingest-grpc") == STAGES


def test_vote_that_the_client_does_not_sample_has_no_trace(stack: Stack, tracing: TracingServers) -> None:
    ignored = new_trace_id()
    url = f"{stack.endpoints['ingress']}/rest/v1/votes"
    requests.post(url, json=VOTE, headers={"traceparent": traceparent(ignored, "00")}, timeout=5).raise_for_status()
    # The spans of a later vote arrive after those of an earlier one.
    complete_trace(tracing, post_vote(url))
    assert tracing.trace(ignored) == []


def new_trace_id() -> str:
    return f"{time.time_ns():032x}"


def traceparent(trace_id: str, flags: str = "01") -> str:
    return f"00-{trace_id}-{CLIENT_SPAN}-{flags}"


def post_vote(url: str) -> str:
    """Sends a sampled vote; returns the id of its trace."""
    trace_id = new_trace_id()
    response = requests.post(url, json=VOTE, headers={"traceparent": traceparent(trace_id)}, timeout=5)
    assert response.status_code == requests.codes.accepted, response.text
    return trace_id


def complete_trace(tracing: TracingServers, trace_id: str) -> list[dict]:
    """Waits until the consumer has applied the vote, and checks that the parent of each span is in the trace."""

    def complete() -> list[dict]:
        spans = tracing.trace(trace_id)
        names = {span["operationName"] for span in spans}
        has_request = any(parent(span) == CLIENT_SPAN for span in spans)
        return spans if has_request and {"process votes", "mongodb", "redis"} <= names else []

    trace = eventually(complete, f"the trace {trace_id}")
    known = {span["spanID"] for span in trace} | {CLIENT_SPAN}
    for span in trace:
        assert parent(span) in known, span
    return trace


def parent(span: dict) -> str | None:
    """Returns the id of the parent in the same trace. A link to the batch is a reference to another trace."""
    same_trace = (ref for ref in span["references"] if ref["traceID"] == span["traceID"])
    return next((ref["spanID"] for ref in same_trace if ref["refType"] == "CHILD_OF"), None)


def kind(span: dict) -> str:
    return next((tag["value"] for tag in span["tags"] if tag["key"] == "span.kind"), "internal")


def calls(trace: list[dict]) -> set[tuple[str, str]]:
    """Returns service and name of the spans that are requests or batches."""
    return {(span["service"], span["operationName"]) for span in trace if kind(span) in {"server", "consumer"}}


def stages(trace: list[dict], service: str) -> set[str]:
    return {span["operationName"] for span in trace if span["service"] == service and kind(span) == "internal"}
