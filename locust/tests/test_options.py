"""The gRPC target that follows from the host."""

import pytest

from dualpath_locust.options import grpc_target


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://votes.example", "votes.example:80"),
        ("http://votes.example/prefix", "votes.example:80"),
        ("http://[::1]:8000/", "[::1]:8000"),
    ],
)
def test_target_is_host_and_port(host: str, target: str) -> None:
    assert grpc_target(host) == target


@pytest.mark.parametrize("host", ["https://votes.example", "votes.example:8000", "http://"])
def test_what_is_not_plain_http_has_no_target(host: str) -> None:
    with pytest.raises(ValueError, match="--grpc-target"):
        grpc_target(host)
