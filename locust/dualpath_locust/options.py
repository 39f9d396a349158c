"""The options that this package adds to locust's command line."""

import argparse
import ssl
from pathlib import Path

from locust.argument_parser import LocustArgumentParser

from dualpath_locust import clients
from dualpath_locust.host import check_grpc_target
from dualpath_locust.sequence import parse_mix

SHIPPED_VOTES = Path(__file__).parents[1] / "votes" / "bandas_guatemala.json"
STOP_TIMEOUT_S = clients.TIMEOUT_S + 5


def add_options(parser: LocustArgumentParser) -> None:
    """Adds the options, and sets a stop timeout that is long enough for the votes in flight.

    The values must be text or numbers, because a locust master sends them to its workers as a message.
    """
    parser.add_argument(
        "--votes-file",
        default=str(SHIPPED_VOTES),
        env_var="LOCUST_VOTES_FILE",
        include_in_web_ui=False,
        help="File of votes, repeated from the start: JSON or CSV, in UTF-8 or UTF-16. Default: %(default)s",
    )
    parser.add_argument(
        "--mix",
        type=_mix,
        default="split=2,grpc=1",
        env_var="LOCUST_MIX",
        include_in_web_ui=False,
        help="Weights by which a MixedUser chooses the path of a vote: split, grpc or rest. Default: %(default)s",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        env_var="LOCUST_SEED",
        include_in_web_ui=False,
        help="Random seed of --mix: the same seed gives the same votes on the same paths. Default: %(default)s",
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
        help="Address of native gRPC, without TLS unless there is --ca. Default: host, port and TLS of --host",
    )
    parser.add_argument(
        "--ca",
        type=_certificates,
        metavar="PATH",
        env_var="LOCUST_CA",
        include_in_web_ui=False,
        help="File with the CAs that sign the certificate of an https host (PEM). Default: HTTP verifies nothing, "
        "gRPC trusts public CAs",
    )
    parser.add_argument(
        "--token-file",
        type=_token_file,
        metavar="PATH",
        env_var="LOCUST_TOKEN_FILE",
        include_in_web_ui=False,
        help="File with the bearer token that each vote carries. Default: none",
    )
    parser.add_argument(
        "--ledger",
        metavar="PATH",
        env_var="LOCUST_LEDGER",
        include_in_web_ui=False,
        help="File for the ledger: one JSON line for every vote sent. Default: none",
    )
    parser.set_defaults(stop_timeout=STOP_TIMEOUT_S)


def _mix(text: str) -> str:
    try:
        parse_mix(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _certificates(text: str) -> str:
    try:
        ssl.create_default_context(cafile=text)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"not a file with certificates (PEM): {text!r}: {error}") from error
    return text


def _token_file(text: str) -> str:
    try:
        clients.read_authorization(text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"not a file with a token: {text!r}: {error}") from error
    return text


def _milliseconds(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"not a number of milliseconds: {text!r}")
    return int(text)


def _grpc_target(text: str) -> str:
    try:
        check_grpc_target(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
