"""Tests of exporter.py and sbom.py."""

import pytest

from exporter import ANNOTATION, exposition, weight
from sbom import crates, document

PACKAGES = [
    {"id": "a", "name": "service", "version": "0.1.0", "license": "Apache-2.0"},
    {"id": "b", "name": "linked", "version": "1.0.0", "license": "MIT/Apache-2.0"},
    {"id": "c", "name": "deep", "version": "2.0.0+zstd.1", "license": None},
    {"id": "d", "name": "for-tests", "version": "3.0.0", "license": "MIT"},
    {"id": "e", "name": "of-another", "version": "4.0.0", "license": "MIT"},
]


def dependency(key: str, kind: str | None) -> dict:
    return {"pkg": key, "dep_kinds": [{"kind": kind}]}


def metadata() -> dict:
    nodes = [
        {"id": "a", "deps": [dependency("b", None), dependency("d", "dev")]},
        {"id": "b", "deps": [dependency("c", None), dependency("d", "build")]},
        *({"id": key, "deps": []} for key in "cde"),
    ]
    return {"packages": PACKAGES, "workspace_members": ["a"], "resolve": {"nodes": nodes}}


def test_sbom_lists_exactly_the_linked_crates() -> None:
    application, components = crates("service", metadata())
    assert application["version"] == "0.1.0"
    assert [component["purl"] for component in components] == [
        "pkg:cargo/deep@2.0.0%2Bzstd.1",
        "pkg:cargo/linked@1.0.0",
    ]
    assert components[1]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert document(application, components)["metadata"]["component"]["type"] == "application"


@pytest.mark.parametrize(("annotations", "percent"), [({ANNOTATION: "30"}, 30), ({}, 0), ({ANNOTATION: "0"}, 0)])
def test_weight_comes_from_the_annotation(annotations: dict, percent: float) -> None:
    assert weight({"metadata": {"annotations": annotations}}) == percent


def test_unknown_weight_gives_no_sample() -> None:
    assert "ingress_split_weight_percent 30\n" in exposition(30.0)
    assert not [line for line in exposition(None).splitlines() if not line.startswith("#")]
