"""`--host` and `--grpc-target`: the addresses that each path gets, and what the messages say."""

import re

import pytest

from dualpath_locust.host import HostError, check_grpc_target, find_targets
from dualpath_locust.sequence import VotePath

SPLIT, REST, GRPC = VotePath.SPLIT, VotePath.REST, VotePath.GRPC


@pytest.mark.parametrize(
    ("host", "base_url", "grpc"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000///", "http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("  http://127.0.0.1:8000\n", "http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("HTTP://Votes.Example:8000", "http://votes.example:8000", "votes.example:8000"),
        ("http://votes.example", "http://votes.example", "votes.example:80"),
        ("http://votes.example:", "http://votes.example", "votes.example:80"),
        ("http://votes.example/prefix/", "http://votes.example/prefix", "votes.example:80"),
        ("http://127.0.0.1:8000/grpc", "http://127.0.0.1:8000/grpc", "127.0.0.1:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000", "[::1]:8000"),
        ("http://[2001:DB8::1]", "http://[2001:db8::1]", "[2001:db8::1]:80"),
        ("http://ana:s%40creto@votes.example/", "http://ana:s%40creto@votes.example", "votes.example:80"),
    ],
)
def test_url_gives_base_url_and_grpc_target(host: str, base_url: str, grpc: str) -> None:
    targets = find_targets(host, [SPLIT, GRPC])
    assert (targets.base_url, targets.grpc) == (base_url, grpc)
    assert targets.url_paths == {SPLIT: "/v1/votes"}
    assert find_targets(targets.base_url, [SPLIT, GRPC]) == targets


@pytest.mark.parametrize(
    ("host", "url_path"),
    [
        ("http://h", "/rest/v1/votes"),
        ("http://h/prefix", "/rest/v1/votes"),
        ("http://h/rest", "/v1/votes"),
        ("http://h/rest/", "/v1/votes"),
        ("http://h/rust", "/v1/votes"),
        ("http://h/prefix/wasm", "/v1/votes"),
        ("http://h/interest", "/rest/v1/votes"),
    ],
)
def test_prefix_of_the_rest_route_is_not_repeated(host: str, url_path: str) -> None:
    assert find_targets(host, [REST]).url_paths == {REST: url_path}


@pytest.mark.parametrize(
    ("host", "grpc_target", "grpc", "grpc_has_tls"),
    [
        ("https://votes.example/", None, "votes.example:443", True),
        ("https://votes.example:8443/rest", None, "votes.example:8443", True),
        ("https://votes.example", "votes.example:50051", "votes.example:50051", False),
        ("http://votes.example", None, "votes.example:80", False),
    ],
)
def test_grpc_uses_the_tls_of_the_host(host: str, grpc_target: str | None, grpc: str, *, grpc_has_tls: bool) -> None:
    targets = find_targets(host, [GRPC], grpc_target)
    assert (targets.grpc, targets.grpc_has_tls) == (grpc, grpc_has_tls)


def test_grpc_target_can_have_tls_only_if_the_host_does() -> None:
    for host, has_tls in [("https://votes.example", True), ("http://votes.example", False)]:
        targets = find_targets(host, [GRPC], "votes.example:50051", grpc_target_has_tls=True)
        assert (targets.grpc, targets.grpc_has_tls) == ("votes.example:50051", has_tls)


def test_grpc_target_has_precedence() -> None:
    assert find_targets("http://votes.example/", [GRPC], "127.0.0.1:50051").grpc == "127.0.0.1:50051"


@pytest.mark.parametrize("paths", [[SPLIT], [REST], [GRPC], [SPLIT, REST, GRPC]])
@pytest.mark.parametrize(
    ("host", "to_type"),
    [
        ("127.0.0.1:8000", "--host http://127.0.0.1:8000"),
        ("localhost:8000/", "--host http://localhost:8000"),
        ("localhost", "--host http://localhost"),
        ("votes.example/rest", "--host http://votes.example/rest"),
        ("8000", "--host http://127.0.0.1:8000"),
        (":8000", "--host http://127.0.0.1:8000"),
        ("[::1]:8000", "--host http://[::1]:8000"),
        ("::1", "--host http://[::1]"),
        ("//votes.example", "--host http://votes.example"),
        ("http:/votes.example", "--host http://votes.example"),
        ("http:votes.example", "--host http://votes.example"),
        ("https//votes.example", "--host https://votes.example"),
        ("'http://votes.example'", "--host http://votes.example"),
        ("grpc://votes.example:50051", "--grpc-target votes.example:50051"),
        ("GRPCS://votes.example:50051/", "--grpc-target votes.example:50051"),
        ("htp://votes.example:8000", "--host http://votes.example:8000"),
        ("ws://votes.example", "--host http://votes.example"),
        ("http://", "--host http://127.0.0.1:8000"),
        ("http:///v1/votes", "--host http://127.0.0.1:8000"),
        ("http://:8000", "--host http://127.0.0.1:8000"),
        ("http://votes.example:80a", "from 1 to 65535"),
        ("http://votes.example:0", "from 1 to 65535"),
        ("http://votes.example:65536", "from 1 to 65535"),
        ("http://::1:8000", "http://[::1]:8000"),
        ("http://[::1:8000", "http://[::1]:8000"),
        ("http://[votes.example]:8000", "http://[::1]:8000"),
        ("http://votes.example?x=1", "--host http://votes.example"),
        ("http://votes.example/rest#x", "--host http://votes.example/rest"),
        ("http://votes.example/v1/votes", "--host http://votes.example"),
        ("http://votes.example/rest/v1/votes/", "--host http://votes.example/rest"),
        ("http://votes.example/v1/votes:batch", "--host http://votes.example"),
        ("http://votes.example/grpc/insert", "--host http://votes.example/grpc"),
        ("http://votes.example/votes.v1.VoteService/CastVote", "--host http://votes.example"),
        ("http://votes example", "blank"),
        ("http://a.example,http://b.example", "--host http://127.0.0.1:8000"),
        (r"http:\\votes.example", "--host http://votes.example"),
        ("http://votes.example;8000", "--host http://127.0.0.1:8000"),
        ("", "--host http://127.0.0.1:8000"),
    ],
)
def test_message_says_what_to_type(host: str, to_type: str, paths: list[VotePath]) -> None:
    with pytest.raises(HostError) as caught:
        find_targets(host, paths)
    assert str(caught.value).startswith(f"--host {host.strip()}")
    assert to_type in str(caught.value).removeprefix(f"--host {host.strip()}:")
    suggestion = re.search(r"type --host (\S+)", str(caught.value))
    if suggestion:
        find_targets(suggestion[1], [SPLIT])


@pytest.mark.parametrize(
    "host",
    ["ana:s3cret@h:8000", "http://ana:s3/cret@h", "htp://ana:s3cret@h", "http://ana:s3cret@h:0", "http://:s3cret@h"],
)
def test_message_does_not_show_a_password(host: str) -> None:
    with pytest.raises(HostError) as caught:
        find_targets(host, [SPLIT])
    assert "s3" not in str(caught.value)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("host", ["http://ana@votes.example", "http://ana:@votes.example", "http://:x@votes.example"])
def test_user_needs_a_password(host: str) -> None:
    with pytest.raises(HostError, match="USER:PASSWORD"):
        find_targets(host, [SPLIT])


def test_rest_path_cannot_go_to_the_bridge() -> None:
    with pytest.raises(HostError, match="type --host http://h:8000"):
        find_targets("http://h:8000/grpc/", [REST])


@pytest.mark.parametrize("target", ["127.0.0.1:50051", "localhost:1", "[::1]:50051", "votes.example:65535"])
def test_grpc_target_is_host_and_port(target: str) -> None:
    check_grpc_target(target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("localhost", "not HOST:PORT"),
        ("50051", "not HOST:PORT"),
        (":50051", "not HOST:PORT"),
        ("localhost:", "not HOST:PORT"),
        ("localhost:http", "not HOST:PORT"),
        ("localhost:0", "from 1 to 65535"),
        ("localhost:65536", "from 1 to 65535"),
        ("local host:1", "not HOST:PORT"),
        ("grpc://localhost:50051", "type localhost:50051"),
        ("http://localhost:50051/", "type localhost:50051"),
        ("localhost:50051/votes.v1.VoteService", "type localhost:50051"),
        ("::1:50051", "type [::1]:50051"),
    ],
)
def test_message_for_a_grpc_target_says_what_to_type(target: str, message: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT") as caught:
        check_grpc_target(target)
    assert message in str(caught.value)
