"""Addresses: the base URL and the gRPC target that follow from `--host` and `--grpc-target`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import SplitResult, urlsplit

from dualpath_locust.sequence import VotePath

DEFAULT_HOST = "http://127.0.0.1:8000"
VOTES = "/v1/votes"
REST_PREFIXES = ("/rest", "/rust", "/wasm")
BRIDGE_PREFIX = "/grpc"
ENDPOINT = re.compile(
    r"/(v1/votes(:batch)?|insert|send_data|openapi\.json|votes\.v1\.VoteService(/.*)?|confproto\.getInfo(/.*)?)$"
)
USER_INFO = re.compile(r"^([^/]*//)?.*@")
BAD_SCHEME = re.compile(r"^['\"]?(?:(https?):?[/\\]*|/+)?(?P<rest>[^'\"]*)", re.IGNORECASE)
HOST_NAME = re.compile(r"[\w.-]+")
PORTS = range(1, 65536)


class HostError(ValueError):
    """`--host` is invalid, or a path cannot use it. The message says what to type."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The addresses of one user.

    Attributes:
        base_url: URL of the HTTP server, without a slash at the end.
        url_paths: path below the base URL, for each path of a vote that uses HTTP.
        grpc: `host:port` of the gRPC server; None if no path uses gRPC.
        grpc_has_tls: whether the gRPC server uses TLS.
    """

    base_url: str
    url_paths: dict[VotePath, str]
    grpc: str | None
    grpc_has_tls: bool


def find_targets(
    host: str, paths: Iterable[VotePath], grpc_target: str | None = None, *, grpc_target_has_tls: bool = False
) -> Targets:
    """Returns the addresses for votes on `paths`.

    Args:
        host: an `http://` or `https://` URL, which can have user and password, port and a path prefix.
        paths: the paths of the votes.
        grpc_target: `host:port` of a gRPC server; None for that of `host`.
        grpc_target_has_tls: whether `grpc_target` uses TLS if `host` does.

    Raises:
        HostError: the URL is invalid, or one of the paths cannot use it.
    """
    url = _parse(host.strip())
    url_paths = {path: _url_path(url, path) for path in paths if path is not VotePath.GRPC}
    grpc = (grpc_target or _grpc_target(url)) if VotePath.GRPC in paths else None
    grpc_has_tls = url.scheme == "https" and (grpc_target is None or grpc_target_has_tls)
    return Targets(url.geturl(), url_paths, grpc, grpc_has_tls)


def check_grpc_target(text: str) -> None:
    """Checks a value of `--grpc-target`.

    Raises:
        ValueError: it is not HOST:PORT.
    """
    if "/" in text:
        address = text.partition("://")[2] or text
        raise ValueError(f"not HOST:PORT: {text!r}: type {address.partition('/')[0]}")
    name, _, port = text.rpartition(":")
    if not name or not re.fullmatch("[0-9]+", port) or re.search(r"\s", name):
        raise ValueError(f"not HOST:PORT: {text!r}")
    if int(port) not in PORTS:
        raise ValueError(f"not HOST:PORT: {text!r}: the port must be from 1 to 65535")
    if ":" in name and not (name.startswith("[") and name.endswith("]")):
        raise ValueError(f"not HOST:PORT: {text!r}: an IPv6 address needs brackets: type [{name}]:{port}")


def _parse(host: str) -> SplitResult:
    """Returns the normalised URL: lower-case scheme and name, no slash at the end."""
    if re.search(r"\s", host):
        raise _error(host, "remove the blank")
    if "://" not in host or host[0] in "'\"":
        raise _error(host, f"not a URL: {_type_host(_guess(host))}")
    try:
        url = urlsplit(host)
        port = url.port
    except ValueError as error:
        raise _authority_error(host) from error
    if url.scheme not in ("http", "https"):
        raise _scheme_error(host, url)
    if not url.hostname:
        raise _error(host, f"the name of the host is missing: {_type_host(DEFAULT_HOST)}")
    if ":" not in url.hostname and not HOST_NAME.fullmatch(url.hostname):
        raise _error(host, f"{url.hostname!r} is not the name of a host: {_type_host(DEFAULT_HOST)}")
    if port == 0:
        raise _authority_error(host)
    if bool(url.username) != bool(url.password):
        raise _error(host, "write USER:PASSWORD before the @, or nothing")

    path = url.path.rstrip("/")
    base_path = ENDPOINT.sub("", path)
    if base_path != path or url.query or url.fragment:
        base = url._replace(path=base_path, query="", fragment="").geturl()
        raise _error(host, f"not a base URL, to which {VOTES} can be added: {_type_host(base)}")
    user_info, at, _ = url.netloc.rpartition("@")
    # An empty port is the default port.
    address = _name(url) + (f":{port}" if port else "")
    return url._replace(netloc=user_info + at + address, path=path)


def _url_path(url: SplitResult, path: VotePath) -> str:
    if path is VotePath.SPLIT or url.path.endswith(REST_PREFIXES):
        return VOTES
    if url.path.endswith(BRIDGE_PREFIX):
        base = url._replace(path=url.path.removesuffix(BRIDGE_PREFIX)).geturl()
        message = f"the path rest (RestUser, --mix) needs {REST_PREFIXES[0]}, not {BRIDGE_PREFIX}: {_type_host(base)}"
        raise _error(url.geturl(), message)
    return REST_PREFIXES[0] + VOTES


def _grpc_target(url: SplitResult) -> str:
    default_port = 443 if url.scheme == "https" else 80
    return f"{_name(url)}:{url.port or default_port}"


def _name(url: SplitResult) -> str:
    return f"[{url.hostname}]" if ":" in url.hostname else url.hostname


def _guess(host: str) -> str:
    """Returns the URL that someone meant who typed an address without a correct scheme."""
    scheme, rest = BAD_SCHEME.match(host).groups()
    if "://" in rest:
        return rest
    authority, slash, path = rest.partition("/")
    if not authority or re.fullmatch(":?[0-9]+", authority):
        authority = f"127.0.0.1:{authority.lstrip(':') or 8000}"
    elif authority.count(":") > 1 and _is_ipv6(authority):
        authority = f"[{authority}]"
    return f"{scheme or 'http'}://{authority}{slash}{path}".rstrip("/")


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def _scheme_error(host: str, url: SplitResult) -> HostError:
    if url.scheme.startswith("grpc"):
        target = url.netloc.rpartition("@")[2]
        message = f"the URL of the HTTP server is needed: {_type_host(DEFAULT_HOST)} --grpc-target {target}"
    else:
        message = f"the scheme must be http or https: {_type_host(url._replace(scheme='http').geturl())}"
    return _error(host, message)


def _authority_error(host: str) -> HostError:
    authority = host.partition("://")[2].partition("/")[0]
    if "[" in authority or authority.count(":") > 1:
        return _error(
            host, "an IPv6 address needs brackets, such as http://[::1]:8000, and a port must be from 1 to 65535"
        )
    return _error(host, "the port must be a number from 1 to 65535")


def _type_host(url: str) -> str:
    return f"type --host {_redacted(url)}"


def _error(host: str, message: str) -> HostError:
    return HostError(f"--host {_redacted(host)}: {message}")


def _redacted(url: str) -> str:
    return USER_INFO.sub(r"\1***@", url)
