"""The default of --grpc-target."""

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
def test_default_target_is_host_and_port_of_the_url(host: str, target: str) -> None:
    assert grpc_target(host) == target


@pytest.mark.parametrize("host", ["https://votes.example", "votes.example:8000", "http://"])
def test_url_without_plain_http_has_no_default_target(host: str) -> None:
    with pytest.raises(ValueError, match="--grpc-target"):
        grpc_target(host)
