"""The user classes. Each user sends one vote after the other on its path."""

import time

from gevent import GreenletExit
from locust import FastHttpUser, task
from locust.env import Environment
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from dualpath_locust.clients import (
    TIMEOUT_S,
    GrpcVoteClient,
    cast_by_http,
    grpc_credentials,
    read_authorization,
    ssl_context_factory,
)
from dualpath_locust.host import DEFAULT_HOST, Targets, find_targets
from dualpath_locust.ledger import Outcome
from dualpath_locust.sequence import VotePath
from dualpath_locust.votes import Vote

INTERRUPTED = "interrupted"


class VoteUser(FastHttpUser):
    """A user with one HTTP connection and, if its path needs it, one gRPC connection."""

    abstract = True
    host = DEFAULT_HOST
    concurrency = 1
    network_timeout = TIMEOUT_S
    connection_timeout = TIMEOUT_S

    path: VotePath | None = None
    """The path of every vote; None to choose one for each vote by `--mix`."""

    def __init__(self, environment: Environment) -> None:
        self._targets = self.find_targets(environment)
        self.host = self._targets.base_url
        self._ca: str | None = environment.parsed_options.ca
        if self._ca is not None:
            self.insecure = False
            self.ssl_context_factory = ssl_context_factory(self._ca)
        token_file: str | None = environment.parsed_options.token_file
        self._authorization = read_authorization(token_file) if token_file is not None else None
        super().__init__(environment)

    @classmethod
    def find_targets(cls, environment: Environment) -> Targets:
        """Returns the addresses for the paths of this class.

        Raises:
            HostError: the host is invalid, or one of the paths cannot use it.
        """
        paths = (cls.path,) if cls.path else tuple(environment.vote_run.mix)
        options = environment.parsed_options
        return find_targets(
            environment.host or cls.host, paths, options.grpc_target, grpc_target_has_tls=options.ca is not None
        )

    def on_start(self) -> None:
        """Opens the gRPC connection."""
        self._grpc_client: GrpcVoteClient | None = None
        if self._targets.grpc is not None:
            credentials = grpc_credentials(self._ca) if self._targets.grpc_has_tls else None
            self._grpc_client = GrpcVoteClient(
                self._targets.grpc, self.environment.events.request, credentials, self._authorization
            )

    def on_stop(self) -> None:
        """Closes the gRPC connection."""
        if self._grpc_client is not None:
            self._grpc_client.close()

    @task
    def cast(self) -> None:
        """Sends one vote and records it in the ledger, even if locust kills the user before the answer."""
        run = self.environment.vote_run
        path = self.path or run.sequence.next_path()
        vote = run.sequence.next_vote()
        sent_at_ns = time.time_ns()
        try:
            outcome = self._send(path, vote)
        except BaseException as error:
            # Unknown outcome: the vote may or may not be in Kafka. Record it as not ok.
            status = INTERRUPTED if isinstance(error, GreenletExit) else type(error).__name__
            outcome = Outcome(None, None, ok=False, status=status, latency_us=(time.time_ns() - sent_at_ns) // 1000)
            raise
        finally:
            run.ledger.record(path, sent_at_ns // 1000, outcome)

    def _send(self, path: VotePath, vote: Vote) -> Outcome:
        if path is VotePath.GRPC:
            return self._grpc_client.cast(vote)
        return cast_by_http(self.client, self._targets.url_paths[path], vote, self._authorization)

    def wait_time(self) -> float:
        """Returns the seconds between two votes."""
        return self.environment.parsed_options.wait_ms / 1000

    def stop(self, force: bool = False) -> bool:
        """Stops the user after the vote in flight.

        Locust kills a user that waits between two votes. With a short wait, the user can send its next vote before the
        kill takes effect, and the kill would interrupt this vote. In the state STOPPING the user sends no vote.
        """
        if not force and self._state == LOCUST_STATE_WAITING:
            self._state = LOCUST_STATE_STOPPING
            return super().stop(force=True)
        return super().stop(force=force)


class SplitUser(VoteUser):
    """Sends JSON to the path that the Ingress splits by weight between `rest` and `bridge`."""

    path = VotePath.SPLIT


class RestUser(VoteUser):
    """Sends JSON to the path of `rest`."""

    path = VotePath.REST


class GrpcUser(VoteUser):
    """Calls CastVote by native gRPC."""

    path = VotePath.GRPC


class MixedUser(VoteUser):
    """Chooses the path of every vote by the weights of `--mix`."""
