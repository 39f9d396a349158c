"""Measures how fast one consumer counts and logs the votes of a topic."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from common import BenchError
from redis_client import Redis
from subjects import free_addresses, wait_until_ready
from usage import Usage, process_usage

POLL_INTERVAL_S = 0.01
STALL_TIMEOUT_S = 60
"""Longer than the consumer needs to join its group after the last one left."""


@dataclass(frozen=True)
class Stack:
    """The servers, the programs, and the directory for logs.

    Attributes:
        programs: the directory of the binaries.
        endpoints: the addresses of Kafka, Redis and MongoDB.
        directory: the directory for logs.
        consumer_options: additional options of the consumer.
        mongodb_pid: the process id of the MongoDB server.
    """

    programs: Path
    endpoints: dict[str, str]
    directory: Path
    consumer_options: Sequence[str]
    mongodb_pid: int


@dataclass(frozen=True)
class Sample:
    """The number of counted votes at a time in seconds."""

    seconds: float
    counted: int


@dataclass(frozen=True)
class Drain:
    """One run of the consumer over a full topic.

    Attributes:
        votes_per_second: the rate over all votes, from the last moment without a counted vote.
        tenths: the rate over each tenth of the votes.
        cpu_seconds_per_million: CPU seconds of the consumer per million votes.
        mongodb_cpu_seconds_per_million: the same of the MongoDB server.
        peak_rss_bytes: the peak resident set of the consumer.
    """

    votes_per_second: float
    tenths: list[float]
    cpu_seconds_per_million: float
    mongodb_cpu_seconds_per_million: float
    peak_rss_bytes: int


@contextmanager
def running_consumer(stack: Stack) -> Iterator[subprocess.Popen]:
    """Starts a consumer and waits until it is ready; stops it at the end."""
    (admin_address,) = free_addresses(1)
    command = [str(stack.programs / "consumer"), "run", "--admin-addr", admin_address, *stack.consumer_options]
    command += ["--kafka-brokers", stack.endpoints["kafka"], "--redis-url", stack.endpoints["redis"]]
    command += ["--mongodb-uri", stack.endpoints["mongodb"]]
    with (stack.directory / "consumer.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own arguments
    try:
        wait_until_ready("consumer", process, admin_address, admin_address)
        yield process
    finally:
        process.terminate()
        process.wait()


def measure(stack: Stack, votes: int) -> Drain:
    """Counts all votes of the topic with a new consumer. Redis and the log are empty before.

    Raises:
        BenchError: the consumer stalls, or Redis has counted another number of votes.
    """
    redis = Redis(stack.endpoints["redis"])
    server_before = process_usage(stack.mongodb_pid)
    # Before the start: a consumer that is ready may already have counted votes.
    samples = [Sample(time.monotonic(), 0)]
    with running_consumer(stack) as process:
        samples += _samples(redis, votes, process)
        usage, server = process_usage(process.pid), process_usage(stack.mongodb_pid)
    counted = redis.total()
    if counted != votes:
        raise BenchError(f"{votes} votes in Kafka, but {counted} counted in Redis")
    return summarise(samples, votes, usage, server.cpu_seconds - server_before.cpu_seconds)


def summarise(samples: Sequence[Sample], votes: int, usage: Usage, mongodb_cpu_seconds: float) -> Drain:
    """Computes the rates from samples of the number of counted votes.

    Args:
        samples: in order of time; the first one has no counted vote, the last one has all.
        votes: the number of votes.
        usage: the usage of the consumer.
        mongodb_cpu_seconds: the CPU seconds of the MongoDB server.
    """
    bounds = [votes * number // 10 for number in range(11)]
    return Drain(
        votes_per_second=_rate(samples, 0, votes),
        tenths=[_rate(samples, start, end) for start, end in pairwise(bounds)],
        cpu_seconds_per_million=usage.cpu_seconds / votes * 1e6,
        mongodb_cpu_seconds_per_million=mongodb_cpu_seconds / votes * 1e6,
        peak_rss_bytes=usage.peak_rss_bytes,
    )


def _samples(redis: Redis, votes: int, process: subprocess.Popen) -> Iterator[Sample]:
    """Yields samples until every vote is counted."""
    last, last_change = 0, time.monotonic()
    while last < votes:
        counted, now = redis.total(), time.monotonic()
        yield Sample(now, counted)
        if counted != last:
            last, last_change = counted, now
        if process.poll() is not None or now - last_change > STALL_TIMEOUT_S:
            raise BenchError(f"the consumer stopped at {counted} of {votes} votes: see consumer.log")
        time.sleep(POLL_INTERVAL_S)


def _rate(samples: Sequence[Sample], start: int, end: int) -> float:
    return (end - start) / (_time_of(samples, end) - _time_of(samples, start))


def _time_of(samples: Sequence[Sample], count: int) -> float:
    """Returns the time at which `count` votes were counted, by linear interpolation. For 0, the last time with none."""
    before = max(index for index, sample in enumerate(samples) if sample.counted <= count)
    if before == len(samples) - 1 or count == 0:
        return samples[before].seconds
    one, other = samples[before], samples[before + 1]
    share = (count - one.counted) / (other.counted - one.counted)
    return one.seconds + share * (other.seconds - one.seconds)
