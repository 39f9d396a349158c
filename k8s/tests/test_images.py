"""The Dockerfile has a target for every program of the project."""

import re

from conftest import K8S

PROGRAMS = {"ingest-rest", "ingest-grpc", "consumer", "viewer"}


def test_every_program_has_a_target_that_starts_it() -> None:
    dockerfile = (K8S.parent / "Dockerfile").read_text()
    stages = re.split(r"^FROM ", dockerfile, flags=re.MULTILINE)
    targets = {stage.split()[2]: stage for stage in stages if stage.startswith("program AS ")}
    assert targets.keys() == PROGRAMS
    for name, stage in targets.items():
        assert f'ENTRYPOINT ["/usr/local/bin/{name}"]' in stage, name


def test_build_script_builds_every_image() -> None:
    script = (K8S / "images" / "build.sh").read_text()
    (names,) = re.findall(r"\|\| set -- (.+)", script)
    assert set(names.split()) == PROGRAMS | {"locust"}
