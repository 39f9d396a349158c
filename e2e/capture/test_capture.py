"""What can be read from the traffic of a secured stack: no vote, no token and no password."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMESPACE = ["unshare", "--map-root-user", "--net"]
VOTES = [
    {"name": "Banda Capturada", "album": "Album Capturado", "year": 1999, "rank": 9.5},
    {"name": "Banda Grabada", "album": "Album Grabado", "year": 2001, "rank": 8},
]


def _can_make_namespaces() -> bool:
    return (
        subprocess.run(
            [*NAMESPACE, "true"], capture_output=True, check=False
        ).returncode
        == 0
    )


@pytest.mark.skipif(
    not _can_make_namespaces(), reason="this user may not make network namespaces"
)
def test_traffic_of_a_secured_demo_shows_no_vote_and_no_secret(tmp_path: Path) -> None:
    root = _checkout_with_own_results(tmp_path / "checkout")
    votes, output = tmp_path / "votes.json", tmp_path / "found.json"
    votes.write_text(json.dumps(VOTES))
    recorder = [sys.executable, str(Path(__file__).with_name("record_demo.py"))]
    arguments = [
        str(ROOT / "target/release/lab"),
        str(votes),
        str(tmp_path / "state"),
        str(output),
    ]
    run = subprocess.run(
        [*NAMESPACE, *recorder, *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr

    found = json.loads(output.read_text())
    assert found["dropped"] * 100 <= found["packets"], (
        "the kernel dropped too many packets to trust the recording"
    )
    assert {
        "client.token",
        "bridge.token",
        "kafka-ingest.password",
        "mongodb-members.key",
    } <= set(found["secrets"])
    # The plain text shows that the recording sees what is not encrypted.
    assert [entry["needle"] for entry in found["found"]] == ["plain text"], found
    assert found["plain_port"] in found["found"][0]["ports"]


def _checkout_with_own_results(root: Path) -> Path:
    """A view of this checkout in which the demo can write its report without replacing that of the user."""
    root.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in {"results", ".git", ".lab"}:
            (root / entry.name).symlink_to(entry)
    return root
