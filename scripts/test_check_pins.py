"""Tests of the check of pins: what it accepts, and that it names what is not pinned."""

import json

import pytest

from check_pins import cargo_lock, package_lock, requirements, script

HASH = f"--hash=sha256:{'a' * 64}"


def test_pinned_requirements_with_hashes_are_accepted() -> None:
    text = f"# comment\nsix==1.16.0 \\\n    {HASH} \\\n    {HASH}\n    # via x\n\na[b]==2 {HASH}  # comment\n"
    assert requirements(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "six==1.16.0",
        f"six>=1.16.0 {HASH}",
        f"six {HASH}",
        f"six==1.* {HASH}",
        f"six==1 {HASH[:-1]}",
        "-r other.txt",
        "./local",
    ],
)
def test_requirement_without_version_or_hash_is_named(line: str) -> None:
    (fault,) = requirements(f"good==1 \\\n    {HASH}\n{line}\n")
    assert line[:40] in fault


def test_npm_package_without_integrity_is_named() -> None:
    lock = {"packages": {"": {}, "node_modules/a": {"integrity": "sha512-x"}, "node_modules/b": {"version": "1"}}}
    assert package_lock(json.dumps(lock)) == ["no integrity: node_modules/b"]


def test_crate_without_checksum_is_named() -> None:
    own = '[[package]]\nname = "own"\nversion = "1"\n'
    source = 'source = "registry+https://example"\n'
    good = f'[[package]]\nname = "good"\nversion = "1"\n{source}checksum = "x"\n'
    bad = f'[[package]]\nname = "bad"\nversion = "1"\n{source}'
    assert cargo_lock(own + good + bad) == ['no checksum: "bad"']


@pytest.mark.parametrize(
    "line",
    [
        "pip install six",
        '"$venv/bin/pip" install --quiet six',
        "npm install",
        "npx vite",
        "cargo install x",
        "go install example.org/x",
    ],
)
def test_installation_without_a_check_is_named(line: str) -> None:
    assert len(script(f"# {line}\n{line}\n")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "python3 -m pip install --require-hashes --requirement a.txt",
        "npm ci --silent",
        "cargo install --locked x",
        'go install "example.org/x@v$version"',
        'go install -ldflags x \\\n    "example.org/x@v$version"',
    ],
)
def test_checked_installation_is_accepted(line: str) -> None:
    assert script(line) == []
