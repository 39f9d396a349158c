"""The committed generated files are current."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_protobuf_code_is_current(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHON": sys.executable}
    subprocess.run([ROOT / "generate_pb.sh", tmp_path], check=True, env=environment)  # noqa: S603
    fresh = sorted((tmp_path / "dualpath_locust" / "pb").iterdir())
    assert [path.name for path in fresh] == ["votes_pb2.py", "votes_pb2.pyi", "votes_pb2_grpc.py"]
    for path in fresh:
        checked_in = ROOT / "dualpath_locust" / "pb" / path.name
        assert checked_in.read_text() == path.read_text(), f"{path.name} is stale: run locust/generate_pb.sh"


def test_vote_files_are_current(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "votes" / "make_votes.py", tmp_path], check=True)  # noqa: S603
    fresh = sorted(tmp_path.iterdir())
    assert [path.name for path in fresh] == ["bandas_guatemala.json", "catalogue.csv", "example.csv", "example.jsonl"]
    for path in fresh:
        checked_in = ROOT / "votes" / path.name
        assert checked_in.read_text("utf-8") == path.read_text("utf-8"), f"{path.name} is stale: run make_votes.py"
