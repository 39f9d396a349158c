"""Measures the time from the receipt of a vote until Redis has counted the vote.

A receipt has the partition and the offset of the vote. Redis has the applied offset of each partition: the next offset
to count. A vote is counted as soon as the applied offset is above its offset. Two processes run at the same time: one
sends votes and notes the time of each receipt, the other polls the applied offsets. A vote is noted as counted at the
first poll that shows it, so a result is too long by at most the time between two polls. A sender that gets no CPU time
notes a receipt too late, and its delay is too short. So there is an upper bound, too: the time since the vote was sent.
"""

import asyncio
import bisect
import json
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from common import BenchError
from redis_client import Redis

POLL_INTERVAL_S = 0.001
CONNECTIONS = 32
WARM_UP_S = 2
TIMEOUT_S = 30
"""How long the consumer may take to count the votes after the last receipt."""


@dataclass(frozen=True)
class Receipt:
    """The position of an acknowledged vote; when the vote was sent and when the receipt arrived, in seconds."""

    partition: int
    offset: int
    sent: float
    received: float


@dataclass(frozen=True)
class Applied:
    """The applied offset of a partition, and when it was read, in seconds."""

    offset: int
    seconds: float


@dataclass(frozen=True)
class Delays:
    """The times until votes were counted, in ms, shortest first: since the receipt, and since the vote was sent."""

    since_receipt: list[float]
    since_sent: list[float]


def measure(redis_url: str, address: str, votes: Sequence[Mapping[str, object]], rate: int, seconds: int) -> Delays:
    """Sends votes at a constant rate while a consumer runs.

    Args:
        redis_url: the URL of Redis.
        address: the address of `ingest-rest`.
        votes: the votes that are sent, in rotation.
        rate: votes per second.
        seconds: the length; a warm-up is sent before.

    Raises:
        BenchError: a vote was not accepted, or not every vote was counted exactly once.
    """
    before = Redis(redis_url).total()
    total = rate * (WARM_UP_S + seconds)
    with ProcessPoolExecutor(max_workers=1) as executor:
        polled = executor.submit(poll, redis_url, before + total, WARM_UP_S + seconds + TIMEOUT_S)
        receipts = asyncio.run(_send(address, [json.dumps(vote).encode() for vote in votes], rate, total))
        applied = polled.result()
    counted = Redis(redis_url).total() - before
    if counted != total:
        raise BenchError(f"{total} votes acknowledged, but {counted} counted")
    return delays(receipts[rate * WARM_UP_S :], applied)


def delays(receipts: Sequence[Receipt], applied: Mapping[int, Sequence[Applied]]) -> Delays:
    """Returns the times until an applied offset is above the vote's offset."""
    since_receipt, since_sent = [], []
    for receipt in receipts:
        of_partition = applied[receipt.partition]
        index = bisect.bisect_right(of_partition, receipt.offset, key=lambda one: one.offset)
        counted = of_partition[index].seconds
        since_receipt.append((counted - receipt.received) * 1e3)
        since_sent.append((counted - receipt.sent) * 1e3)
    return Delays(sorted(since_receipt), sorted(since_sent))


def quantile(ascending: Sequence[float], share: float) -> float:
    """Returns the smallest value that is not exceeded by at least this share of the values."""
    return ascending[math.ceil(share * len(ascending)) - 1]


def poll(redis_url: str, expected_total: int, timeout_s: float) -> dict[int, list[Applied]]:
    """Reads the applied offsets until `expected_total` votes are counted; returns the changes by partition.

    Raises:
        BenchError: the votes are not counted within `timeout_s`.
    """
    redis = Redis(redis_url)
    changes: dict[int, list[Applied]] = {}
    deadline = time.monotonic() + timeout_s
    while redis.total() < expected_total:
        for partition, offset in redis.applied_offsets().items():
            of_partition = changes.setdefault(partition, [])
            if not of_partition or of_partition[-1].offset != offset:
                of_partition.append(Applied(offset, time.monotonic()))
        if time.monotonic() > deadline:
            raise BenchError(f"only {redis.total()} of {expected_total} votes were counted")
        time.sleep(POLL_INTERVAL_S)
    for partition, offset in redis.applied_offsets().items():
        changes.setdefault(partition, []).append(Applied(offset, time.monotonic()))
    return changes


async def _send(address: str, bodies: Sequence[bytes], rate: int, total: int) -> list[Receipt]:
    """Sends `total` votes over several connections at fixed times; returns the receipts in the order of these times."""
    receipts: dict[int, Receipt] = {}
    start = time.monotonic() + 0.5

    async def connection(first: int) -> None:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for number in range(first, total, CONNECTIONS):
            await asyncio.sleep(max(0, start + number / rate - time.monotonic()))
            body = bodies[number % len(bodies)]
            sent = time.monotonic()
            writer.write(
                b"POST /v1/votes HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (address.encode(), len(body), body)
            )
            receipts[number] = await _receipt(reader, sent)
        writer.close()

    await asyncio.gather(*(connection(first) for first in range(CONNECTIONS)))
    return [receipt for _, receipt in sorted(receipts.items())]


async def _receipt(reader: asyncio.StreamReader, sent: float) -> Receipt:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    status, *lines = head.splitlines()
    headers = dict(line.split(": ", 1) for line in lines if line)
    body = await reader.readexactly(int(headers["content-length"]))
    received = time.monotonic()
    if status.split()[1] != "202":
        raise BenchError(f"a vote was not accepted: {status}: {body.decode()}")
    receipt = json.loads(body)
    return Receipt(receipt["partition"], receipt["offset"], sent, received)
