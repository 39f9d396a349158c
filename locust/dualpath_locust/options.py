"""What these users add to locust's command line."""

import argparse
from pathlib import Path
from urllib.parse import urlsplit

from locust.argument_parser import LocustArgumentParser

from dualpath_locust import clients
from dualpath_locust.sequence import parse_mix

SHIPPED_VOTES = Path(__file__).parents[1] / "votes" / "bandas_guatemala.json"
STOP_TIMEOUT_S = clients.TIMEOUT_S + 5


def add_options(parser: LocustArgumentParser) -> None:
    """Adds the options, and lets a run end only after the votes in flight have their answers.

    Their values are text and numbers only, because a locust master sends them to its workers as a message.
    """
    parser.add_argument(
        "--votes-file",
        default=str(SHIPPED_VOTES),
        env_var="LOCUST_VOTES_FILE",
        include_in_web_ui=False,
        help="Votes to send in a cycle: a JSON array, JSON lines or CSV. Default: %(default)s",
    )
    parser.add_argument(
        "--mix",
        type=_mix,
        default="split=2,grpc=1",
        env_var="LOCUST_MIX",
        include_in_web_ui=False,
        help="Weights of the paths split, grpc and rest that a MixedUser draws from. Default: %(default)s",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        env_var="LOCUST_SEED",
        include_in_web_ui=False,
        help="Seed of those draws: the same seed gives the same votes on the same paths. Default: %(default)s",
    )
    parser.add_argument(
        "--wait-ms",
        type=_milliseconds,
        default=0,
        env_var="LOCUST_WAIT_MS",
        include_in_web_ui=False,
        help="Milliseconds that a user waits after each vote. Default: %(default)s",
    )
    parser.add_argument(
        "--grpc-target",
        type=_grpc_target,
        metavar="HOST:PORT",
        env_var="LOCUST_GRPC_TARGET",
        include_in_web_ui=False,
        help="Where native gRPC goes. Default: the host and port of --host",
    )
    parser.add_argument(
        "--ledger",
        metavar="PATH",
        env_var="LOCUST_LEDGER",
        include_in_web_ui=False,
        help="File that gets one JSON line for every vote sent. Default: none",
    )
    parser.set_defaults(stop_timeout=STOP_TIMEOUT_S)


def grpc_target(host: str) -> str:
    """The `host:port` of an HTTP base URL.

    Raises:
        ValueError: the URL is not plain `http://`.
    """
    url = urlsplit(host)
    if url.scheme != "http" or not url.hostname:
        raise ValueError(f"no gRPC target in {host!r}: native gRPC is plaintext here, give --grpc-target HOST:PORT")
    # url.netloc would carry user and password along; brackets make an IPv6 address one word.
    name = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{name}:{url.port or 80}"


def _mix(text: str) -> str:
    try:
        parse_mix(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _milliseconds(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"not a number of milliseconds: {text!r}")
    return int(text)


def _grpc_target(text: str) -> str:
    name, _, port = text.rpartition(":")
    if not name or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"not HOST:PORT: {text!r}")
    return text
