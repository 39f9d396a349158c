"""Tests of the benchmark of the consumer: rates, delays, replies of Redis, and the report."""

import io

import pytest

import consumer_report
import targets
from common import BenchError
from consumer_report import Bare, Round
from counting_delay import Applied, Delays, Receipt, delays, quantile
from drain import Drain, Sample, summarise
from redis_client import read_reply
from usage import Usage

MIB = 1024 * 1024


def test_rates_begin_with_the_first_counted_vote() -> None:
    samples = [Sample(0, 0), Sample(5, 0), Sample(6, 50), Sample(7, 90), Sample(9, 100)]
    drain = summarise(samples, 100, Usage(0.5, 20 * MIB), 2)
    assert drain.votes_per_second == 25
    assert drain.tenths[0] == pytest.approx(50)
    assert drain.tenths[-1] == pytest.approx(5)
    assert drain.cpu_seconds_per_million == 5_000
    assert drain.mongodb_cpu_seconds_per_million == 20_000


def test_delay_ends_at_the_first_poll_that_shows_the_vote_as_counted() -> None:
    receipts = [Receipt(0, 7, 0.5, 1.0), Receipt(1, 0, 0.75, 1.0)]
    applied = {0: [Applied(7, 1.1), Applied(8, 1.5), Applied(9, 2.0)], 1: [Applied(5, 1.25)]}
    assert delays(receipts, applied) == Delays(since_receipt=[250, 500], since_sent=[500, 1000])


def test_quantile_is_a_value_of_the_sample() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [quantile(values, share) for share in (0.5, 0.95, 0.99, 1)] == [50, 95, 99, 100]
    assert quantile([3.0], 0.5) == 3


def test_replies_of_redis_are_parsed() -> None:
    stream = io.BytesIO(b"+OK\r\n:7\r\n$-1\r\n*2\r\n$1\r\n0\r\n$4\r\n1234\r\n")
    assert [read_reply(stream) for _ in range(4)] == ["OK", 7, None, ["0", "1234"]]


def test_error_of_redis_is_raised() -> None:
    with pytest.raises(BenchError, match="WRONGTYPE"):
        read_reply(io.BytesIO(b"-WRONGTYPE of a key\r\n"))
    with pytest.raises(BenchError, match="closed"):
        read_reply(io.BytesIO(b""))


def one_round(rate: float, bare: float, last_tenth: float = 90, peak_mib: float = 64, bare_500: float = 50) -> Round:
    drain = Drain(rate, [100, *[95] * 8, last_tenth], 7, 12, int(peak_mib * MIB))
    return Round(drain, Bare(bare, 11), Bare(bare_500, 11))


def test_targets_of_the_consumer_use_medians() -> None:
    rounds = [one_round(80, 100), one_round(10, 100), one_round(90, 100)]
    assert all(target.is_met for target in consumer_report.targets(rounds, Delays([1.0, 50.0], [60.0])))


@pytest.mark.parametrize(
    ("missing", "delay_ms", "name"),
    [
        (one_round(79, 100), 50.0, "consumer / bare inserts of batches as large"),
        (one_round(80, 100, bare_500=101), 50.0, "consumer / bare inserts of 500"),
        (one_round(80, 100, last_tenth=89), 50.0, "last tenth / first tenth"),
        (one_round(80, 100, peak_mib=65), 50.0, "peak MiB"),
        (one_round(80, 100), 50.1, "receipt to count, p99 in ms"),
    ],
)
def test_missed_target_is_named(missing: Round, delay_ms: float, name: str) -> None:
    reached = consumer_report.targets([missing], Delays([delay_ms], [60.0]))
    assert [target.name for target in reached if not target.is_met] == [name]


def test_only_required_targets_decide() -> None:
    missed = targets.at_least("ratio", 0.5, 1, required=False)
    assert targets.passed([missed])
    assert not targets.passed([missed, targets.at_most("peak MiB", 65, 64, required=True)])
    assert "Target met: **no**" in targets.lines([missed])


def test_table_of_the_consumer_has_rounds_and_medians() -> None:
    lines = consumer_report.table([one_round(50, 100), one_round(70, 100), one_round(90, 100)]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [cell.strip() for cell in lines[-1].split("|")][1:9] == [
        *("median", "70", "100", "90", "100", "0.70", "50", "1.40"),
    ]


def test_delays_are_summarised_in_one_line() -> None:
    line = consumer_report.delay_lines(Delays([1.0, 2.0, 3.0, 4.0], [9.0]))
    assert "p50 2.0 ms, p95 4.0 ms, p99 4.0 ms (4 votes)" in line
    assert "Since the vote was sent: p50 9.0 ms" in line
    assert consumer_report.delay_lines(None) == ""
