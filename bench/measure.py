"""One measurement of the benchmark: a new process, a warm-up, and a fixed number of votes."""

import cases
import h2load
from cases import Case
from common import BenchError, run_command
from report import Measurement
from subjects import OURS, Settings, Subject, running

BROKER_WARM_UP_VOTES = 60_000


def warm_up_broker(settings: Settings, in_flight: int) -> None:
    """Sends votes until the broker is warm: a fresh JVM is several times slower than the same broker a minute later.

    Uses our service, because it creates the topic with the partitions that all services write to.
    """
    for case in cases.single_votes(in_flight):
        with running(OURS, case.service, settings) as service:
            h2load.send(case, service.address, BROKER_WARM_UP_VOTES)


def measure(subject: Subject, case: Case, number: int, settings: Settings, seconds: float) -> Measurement:
    """Measures one subject on one protocol, in a new process.

    Args:
        subject: the service.
        case: the protocol.
        number: the number of the round.
        settings: the settings of all subjects.
        seconds: the approximate length.

    Raises:
        BenchError: a vote failed, or Kafka does not have exactly the acknowledged votes.
    """
    with running(subject, case.service, settings) as service:
        # Warm up broker connections, allocator and caches. The rate of the warm-up gives the number of votes for
        # `seconds`.
        h2load.send(case, service.address, case.whole_requests(case.warm_up_votes / 5))
        warm_up_votes = case.whole_requests(case.warm_up_votes)
        warm_up = h2load.send(case, service.address, warm_up_votes)
        votes = case.whole_requests(warm_up_votes / warm_up.seconds * seconds)

        records_before, usage_before = count_records(settings), service.usage()
        result = h2load.send(case, service.address, votes)
        usage, records = service.usage(), count_records(settings) - records_before
    expected = votes if subject.writes else 0
    if records != expected:
        raise BenchError(f"{subject.name}, {case.name}: {expected} votes acknowledged, but {records} in Kafka")
    return Measurement(
        case=case.name,
        subject=subject.name,
        round=number,
        votes=votes,
        votes_per_second=votes / result.seconds,
        cpu_seconds_per_million=(usage.cpu_seconds - usage_before.cpu_seconds) / votes * 1e6,
        peak_rss_bytes=usage.peak_rss_bytes,
    )


def count_records(settings: Settings) -> int:
    """Returns the number of records ever written to the topic."""
    command = [settings.programs / "count-records", "--kafka-brokers", settings.brokers, "--topic", settings.topic]
    return int(run_command(command))
