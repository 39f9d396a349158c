"""Tests of the benchmark: parsers of the tools' output, requests, and the report."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

import cases
import h2load
import messages
import producers
import report
import subjects
from common import BenchError, argument_parser, programs_directory
from report import (
    BARE_LIBRDKAFKA,
    BEFORE,
    COLLECTOR,
    FLOOR,
    KAFKA_ALONE,
    NAIVE,
    OURS,
    PERF_TEST,
    WARM_PERF_TEST,
    Measurement,
    Results,
)
from subjects import Settings, before, free_addresses
from targets import Target

SUMMARY = """
finished in 873.50ms, 11448.20 req/s, 1.05MB/s
requests: 10000 total, 10000 started, 10000 done, 10000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 9998 2xx, 0 3xx, 0 4xx, 2 5xx
traffic: 3.14MB (3296397) total, 114.44KB (117191) headers (space savings 95.76%), 1.99MB (2089014) data
"""
PERF_TEST_OUTPUT = """Warmup first 200000 records. Steady state results will print after the complete test summary.
1000 records sent, 200.0 records/sec (0.02 MB/sec), 1.0 ms avg latency, 2.0 ms max latency.
600000 records sent, 267141.585040 records/sec (33.12 MB/sec), 389.58 ms avg latency, 521.00 ms max latency.
400000 steady state records sent, 350262.697023 records/sec (43.42 MB/sec), 393.07 ms avg latency.
"""
MIB = 1024 * 1024
VOTES = [{"name": "Bohemia Suburbana", "album": "Sombras en el jardín", "year": 1993, "rank": "5.6"}] * 3


def test_summary_is_parsed() -> None:
    assert h2load.parse(SUMMARY) == h2load.LoadResult(seconds=0.8735, succeeded=9998, body_bytes=2089014)


def test_output_without_summary_is_an_error() -> None:
    with pytest.raises(BenchError, match="no summary"):
        h2load.parse("could not connect")


def test_perf_test_has_the_rate_of_the_run_and_that_after_its_warm_up() -> None:
    assert producers.parse_perf_test(PERF_TEST_OUTPUT) == (267141.585040, 350262.697023)
    with pytest.raises(BenchError, match="no summary"):
        producers.parse_perf_test("600000 records sent, 267141.6 records/sec")


def test_every_case_of_single_votes_has_the_same_number_in_flight() -> None:
    every = [*cases.single_votes(64), *cases.log_records(64)]
    assert {case.connections * case.streams for case in every} == {64}


def test_cases_of_the_collector_have_names_of_cases_of_votes() -> None:
    assert {case.name for case in cases.log_records(64)} < {case.name for case in cases.single_votes(64)}


def test_votes_are_rounded_up_to_whole_requests() -> None:
    batch = replace(cases.bulk(VOTES)[0], votes=1_000, connections=4, streams=2)
    assert [batch.whole_requests(votes) for votes in (0, 1, 8_000, 8_001)] == [8_000, 8_000, 8_000, 16_000]


def fields(message: bytes) -> list[tuple[int, bytes]]:
    """Decodes the fields of a protobuf message whose tags and lengths take one byte. fixed64 is the only other type."""
    found = []
    while message:
        number, wire_type = message[0] >> 3, message[0] & 7
        start, length = (1, 8) if wire_type == 1 else (2, message[1])
        found.append((number, message[start : start + length]))
        message = message[start + length :]
    return found


def test_grpc_body_is_one_framed_vote() -> None:
    body = cases.single_votes(64)[2].body
    assert body[:5] == b"\0" + (len(body) - 5).to_bytes(4, "big")
    assert fields(body[5:]) == [(1, b"Alux Nahual"), (2, b"Alto al fuego"), (3, b"1987"), (4, b"9.5")]


def test_bulk_bodies_have_every_vote() -> None:
    batch, grpc_batch, streams = cases.bulk(VOTES)
    vote = messages.protobuf_vote(VOTES[0])
    assert json.loads(batch.body) == VOTES
    assert fields(grpc_batch.body[5:]) == [(1, vote)] * 3
    assert streams.body == messages.grpc_frame(vote) * 3 * cases.BATCHES_OF_STREAM
    assert [case.votes for case in (batch, grpc_batch, streams)] == [3, 3, 30]


def test_long_fields_have_a_length_of_two_bytes() -> None:
    message = messages.protobuf_vote({**VOTES[0], "name": "x" * 200})
    assert message.startswith(b"\x0a\xc8\x01xxx")


def test_log_record_has_the_fields_of_the_vote() -> None:
    expected = {"name": "Alux Nahual", "album": "Alto al fuego", "year": "1987", "rank": "9.5"}
    record = json.loads(messages.otlp_json(messages.VOTE))["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    values = record["body"]["kvlistValue"]["values"]
    assert {value["key"]: value["value"]["stringValue"] for value in values} == expected

    # ExportLogsServiceRequest > ResourceLogs > ScopeLogs > LogRecord: the time, and the body.
    message = messages.otlp_protobuf(messages.VOTE)
    for number in (1, 2, 2):
        ((found, message),) = fields(message)
        assert found == number
    (time_number, time), (body_number, body) = fields(message)
    assert (time_number, int.from_bytes(time, "little"), body_number) == (1, int(record["timeUnixNano"]), 5)
    ((kind, key_values),) = fields(body)
    assert kind == 6
    pairs = [dict(fields(pair)) for _, pair in fields(key_values)]
    assert {pair[1].decode(): dict(fields(pair[2]))[1].decode() for pair in pairs} == expected


def measurements(
    ours: list[float], naive: list[float], peak_mib: int = 20, cpu: float = 30, collector: float | None = None
) -> list[Measurement]:
    rates = {OURS: ours, NAIVE: naive, FLOOR: naive}
    if collector is not None:
        rates[COLLECTOR] = [collector]
    services = [
        Measurement("gRPC", subject, number, 1000, rate, 16 if subject == FLOOR else cpu, peak_mib * MIB)
        for subject, by_round in rates.items()
        for number, rate in enumerate(by_round, start=1)
    ]
    return [*services, Measurement(KAFKA_ALONE, BARE_LIBRDKAFKA, 1, 1000, 50, 8, MIB)]


def bulk_measurements(ours: float, perf_test: float) -> list[Measurement]:
    perf = [Measurement(KAFKA_ALONE, subject, 1, 1000, perf_test, 0, 0) for subject in (PERF_TEST, WARM_PERF_TEST)]
    return [Measurement("batches, JSON", OURS, 1, 1000, ours, 4, MIB), *perf]


def missed(measured: list[Measurement]) -> list[Target]:
    return [target for target in report.targets(Results(measured)) if not target.is_met]


def test_ratio_is_that_of_the_medians_and_by_round() -> None:
    results = Results(measurements(ours=[30, 10, 20], naive=[20, 10, 10]))
    assert results.ratio("gRPC", NAIVE) == 2
    assert results.paired_ratios("gRPC", NAIVE) == [1.5, 1, 2]


def test_lower_rate_than_naive_fails_the_run() -> None:
    assert report.document("run", {}, measurements(ours=[100], naive=[100]))["passed"]
    assert not report.document("run", {}, measurements(ours=[99.9], naive=[100]))["passed"]


def test_memory_above_the_limit_fails_the_run() -> None:
    assert report.document("run", {}, measurements([1], [1], peak_mib=64))["passed"]
    assert not report.document("run", {}, measurements([1], [1], peak_mib=65))["passed"]


@pytest.mark.parametrize(
    ("measured", "name", "value"),
    [
        (measurements([129], [100]), "gRPC: rate, ours / naive", 1.29),
        (measurements([130], [100], collector=66), "gRPC: rate, ours / Collector", 130 / 66),
        (measurements([130], [100], cpu=31.2), "gRPC: CPU, ours / (floor + librdkafka)", 1.3),
        (bulk_measurements(119, 100), "batches, JSON: rate, ours / perf-test", 1.19),
    ],
)
def test_missed_target_is_named(measured: list[Measurement], name: str, value: float) -> None:
    (target,) = missed(measured)
    assert (target.name, target.value) == (name, pytest.approx(value))
    assert not target.is_required


def test_exact_targets_are_met() -> None:
    assert missed(measurements([130], [100], collector=65)) == []
    assert missed(bulk_measurements(120, 100)) == []


def test_tables_have_one_aligned_row_per_protocol() -> None:
    results = Results([*measurements([20_000], [10_000], collector=8_000), *bulk_measurements(300_000, 200_000)])
    for table, cells in (
        (report.rate_table(results), ["gRPC", "20,000", "10,000", "2.00", "2.00-2.00", "8,000", "2.50"]),
        (report.cost_table(results), ["gRPC", "30.0", "30.0", "30.0", "16.0", "8.0", "1.25"]),
        (report.bulk_table(results), ["batches, JSON", "300,000", "200,000", "1.50", "1.50-1.50", "200,000", "1.50"]),
    ):
        head, _, row = table.splitlines()
        assert len(head) == len(row)
        assert [cell.strip() for cell in row.split("|")][1 : len(cells) + 1] == cells


def test_another_version_is_compared_round_by_round() -> None:
    now = measurements(ours=[20_000, 10_000, 30_000], naive=[1, 1, 1], cpu=30)
    earlier = [replace(one, subject=BEFORE, votes_per_second=20_000) for one in now if one.subject == OURS]
    earlier = [replace(one, cpu_seconds_per_million=20.0 * one.round) for one in earlier]
    head, _, row = report.before_table(Results([*now, *earlier])).splitlines()
    assert len(head) == len(row)
    cells = ["gRPC", "20,000", "20,000", "1.00", "0.50-1.50", "30.00", "40.00", "0.75", "0.50-1.50"]
    assert [cell.strip() for cell in row.split("|")][1:-1] == cells


def test_another_version_starts_from_its_own_directory() -> None:
    settings = Settings(Path("now"), "kafka:9092", "votes", 2, Path("logs"))
    subject = before(Path("earlier"))
    program, *options = subject.command(settings, "rest", "127.0.0.1:1", "127.0.0.1:2")
    assert (subject.name, program) == (BEFORE, "earlier/ingest-rest")
    assert options == subjects.OURS.command(settings, "rest", "127.0.0.1:1", "127.0.0.1:2")[1:]


def test_tables_without_the_collector_have_dashes() -> None:
    results = Results(measurements([20_000], [10_000]))
    assert " - |" in report.rate_table(results)
    assert " - |" in report.cost_table(results)


def test_free_addresses_are_distinct() -> None:
    addresses = free_addresses(200)
    assert len(set(addresses)) == 200


def test_directory_without_programs_is_refused_with_advice(tmp_path: Path) -> None:
    parser = argument_parser("measures", rounds=1)
    (tmp_path / "ingest-rest").touch()
    with pytest.raises(argparse.ArgumentTypeError, match=r"no program ingest-grpc in .*: compile it"):
        programs_directory(str(tmp_path))
    (tmp_path / "ingest-grpc").touch()
    assert parser.parse_args(["--programs", str(tmp_path)]).programs == tmp_path
