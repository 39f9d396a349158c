"""Set-up of a run, and its exit code."""

import logging
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import gevent
import psutil
from gevent import GreenletExit
from grpc.experimental import gevent as grpc_gevent
from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from dualpath_locust.host import HostError
from dualpath_locust.ledger import Ledger
from dualpath_locust.options import add_options
from dualpath_locust.sequence import Mix, VoteSequence, parse_mix
from dualpath_locust.users import MixedUser, VoteUser
from dualpath_locust.votes import Vote, VoteFileError, read_votes

logger = logging.getLogger(__name__)


@dataclass
class VoteRun:
    """The state that all users of a process share, as `environment.vote_run`."""

    votes: list[Vote]
    mix: Mix
    ledger: Ledger
    sequence: VoteSequence = field(init=False)

    def start(self, seed: str) -> None:
        """Starts the sequence of votes from the beginning. The web UI can start several tests in one process."""
        self.sequence = VoteSequence(self.votes, self.mix, seed)


def install() -> None:
    """Registers the event listeners of this package in locust. A locustfile calls it once."""
    # Without this a gRPC call blocks all users of the process.
    grpc_gevent.init_gevent()
    events.init_command_line_parser.add_listener(_add_options)
    events.init.add_listener(_prepare)
    events.test_start.add_listener(_start)
    events.quitting.add_listener(_finish)


def _add_options(parser: LocustArgumentParser, **_: object) -> None:
    add_options(parser)


def _prepare(environment: Environment, runner: Runner, **_: object) -> None:
    options = environment.parsed_options
    if not options.user_classes:
        environment.user_classes = [MixedUser]
    ledger_path = Path(options.ledger) if options.ledger else None
    try:
        environment.vote_run = VoteRun(
            votes=read_votes(Path(options.votes_file)),
            mix=parse_mix(options.mix),
            ledger=Ledger(ledger_path, truncate=not isinstance(runner, WorkerRunner)),
        )
        _normalise_host(environment)
    except (VoteFileError, HostError, OSError) as error:
        logger.error(error)  # noqa: TRY400 - the message is sufficient, a traceback would hide it
        if not isinstance(runner, WorkerRunner):
            _end_workers()
        sys.exit(2)
    _interrupt_only_main()


def _end_workers() -> None:
    """Ends the worker processes that `--processes` has started.

    Locust ends only those that have ended anyway: it takes "still running" for "ended". A worker that has not reached
    the master yet would try for five minutes.
    """
    for worker in psutil.Process().children():
        worker.kill()


def _interrupt_only_main() -> None:
    # Python raises KeyboardInterrupt in the current greenlet, which is usually a user. Its vote would be interrupted.
    main = gevent.getcurrent()
    gevent.signal_handler(signal.SIGINT, gevent.kill, main, KeyboardInterrupt)


def _normalise_host(environment: Environment) -> None:
    """Checks the host for each class, and removes what a base URL does not have, such as a slash at the end.

    Raises:
        HostError: the host is invalid, or one of the classes cannot use it.
    """
    for user_class in environment.user_classes:
        if issubclass(user_class, VoteUser):
            targets = user_class.find_targets(environment)
            if environment.host:
                environment.host = targets.base_url


def _start(environment: Environment, **_: object) -> None:
    options, runner = environment.parsed_options, environment.runner
    try:
        _normalise_host(environment)
    except HostError as error:
        # The web UI can change the host. End the greenlet that starts the test; the web UI continues to run.
        logger.error(error)  # noqa: TRY400 - the message is sufficient, a traceback would hide it
        raise GreenletExit from error
    # Each worker needs its own seed. Otherwise all workers would choose the same paths at the same time.
    worker = f"/{runner.worker_index}" if isinstance(runner, WorkerRunner) else ""
    environment.vote_run.start(f"{options.seed}{worker}")


def _finish(environment: Environment, **_: object) -> None:
    # After Ctrl-C the users still run. Wait for their last votes before counting.
    environment.runner.stop()
    sent, failed = _totals(environment)
    if failed or not sent:
        logger.error("%d of %d votes failed", failed, sent)
        environment.process_exit_code = 1


def _totals(environment: Environment) -> tuple[int, int]:
    if isinstance(environment.runner, MasterRunner):
        total = environment.stats.total
        return total.num_requests, total.num_failures
    ledger = environment.vote_run.ledger
    return ledger.sent, ledger.failed
