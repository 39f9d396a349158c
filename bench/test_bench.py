"""Tests of the parser of h2load's output and of the report."""

import pytest

import h2load
import report
from common import BenchError
from subjects import free_addresses

SUMMARY = """
finished in 873.50ms, 11448.20 req/s, 1.05MB/s
requests: 10000 total, 10000 started, 10000 done, 10000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 9998 2xx, 0 3xx, 0 4xx, 2 5xx
traffic: 3.14MB (3296397) total, 114.44KB (117191) headers (space savings 95.76%), 1.99MB (2089014) data
"""
MIB = 1024 * 1024


def test_summary_is_parsed() -> None:
    assert h2load.parse(SUMMARY) == h2load.LoadResult(seconds=0.8735, succeeded=9998, body_bytes=2089014)


def test_output_without_summary_is_an_error() -> None:
    with pytest.raises(BenchError, match="no summary"):
        h2load.parse("could not connect")


def test_every_case_has_the_same_number_of_votes_in_flight() -> None:
    assert {case.connections * case.streams for case in h2load.cases(64)} == {64}


def test_grpc_body_is_one_framed_vote() -> None:
    body = h2load.cases(64)[2].body
    assert body[:5] == b"\0" + (len(body) - 5).to_bytes(4, "big")
    assert body[5:].startswith(b"\x0a\x0bAlux Nahual\x12")


def measurements(ours: list[float], naive: list[float], peak_mib: int = 20) -> list[report.Measurement]:
    return [
        report.Measurement("gRPC", subject, number, 1000, rate, 30.0, peak_mib * MIB)
        for subject, rates in (("ours", ours), ("naive", naive), ("floor", naive))
        for number, rate in enumerate(rates, start=1)
    ]


def test_summary_has_medians_and_ratios() -> None:
    (summary,) = report.summarise(measurements(ours=[30, 10, 20], naive=[20, 10, 10]))
    assert summary.votes_per_second == {"ours": 20, "naive": 10, "floor": 10}
    assert summary.ratio == 2
    assert summary.paired_ratios == [1.5, 1, 2]
    assert summary.failures() == []


def test_lower_rate_than_naive_is_a_failure() -> None:
    (summary,) = report.summarise(measurements(ours=[99.9], naive=[100]))
    assert [failure.partition(":")[0] for failure in summary.failures()] == ["gRPC"]


def test_memory_above_the_limit_is_a_failure() -> None:
    assert report.summarise(measurements([1], [1], peak_mib=64))[0].failures() == []
    (failure,) = report.summarise(measurements([1], [1], peak_mib=65))[0].failures()
    assert "65.0 MiB" in failure


def test_table_has_one_aligned_row_per_protocol() -> None:
    lines = report.markdown(report.summarise(measurements([20_000], [10_000]))).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].startswith("| gRPC | ")
    assert [cell.strip() for cell in lines[2].split("|")][2:5] == ["20,000", "10,000", "2.00"]


def test_free_addresses_are_distinct() -> None:
    addresses = free_addresses(200)
    assert len(set(addresses)) == 200
