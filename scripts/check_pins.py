"""Checks that packages of Python, npm and Cargo have versions and checksums, and that scripts install them with these.

Run it at the root of the repository. It reads the files that Git knows, so a new file of requirements is checked, too.
SECURITY.md lists what checks the other downloads.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

CONTINUED = re.compile(r" *\\\n *")
PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^\s*]+( --hash=sha256:[0-9a-f]{64})+")
# What installs packages in scripts, and what must be in the same line.
INSTALLERS = {
    re.compile(r"\bpip\S* (install|download)\b"): "--require-hashes",
    re.compile(r"\bnpm (install|i|add|update)\b|\bnpx\b"): "npm ci",
    re.compile(r"\bcargo install\b"): "--locked",
    re.compile(r"\bgo install\b"): "@",
}


def requirements(text: str) -> list[str]:
    """Returns what is wrong with the lines of a compiled file of requirements."""
    lines = CONTINUED.sub(" ", text).splitlines()
    return [
        f"not pinned by == and a SHA-256: {line[:60]}"
        for line in (line.split(" #")[0].rstrip() for line in lines if not line.lstrip().startswith("#"))
        if line and not PINNED.fullmatch(line)
    ]


def package_lock(text: str) -> list[str]:
    """Returns the npm packages without a checksum."""
    packages = json.loads(text)["packages"]
    # The package without a name is the page itself.
    return [f"no integrity: {name}" for name, package in packages.items() if name and "integrity" not in package]


def cargo_lock(text: str) -> list[str]:
    """Returns the crates that are neither of this workspace nor have a checksum."""
    packages = [package for package in text.split("[[package]]") if "\nsource = " in package]
    return [f"no checksum: {package.split()[2]}" for package in packages if "\nchecksum = " not in package]


def script(text: str) -> list[str]:
    """Returns the lines that install packages without a check."""
    lines = [line for line in CONTINUED.sub(" ", text).splitlines() if not line.lstrip().startswith("#")]
    return [
        f"{needed} is missing: {line.strip()[:80]}"
        for line in lines
        for installer, needed in INSTALLERS.items()
        if installer.search(line.replace('"', "")) and needed not in line
    ]


CHECKS = {
    re.compile(r"requirements[\w-]*\.txt|wheels\.txt"): requirements,
    re.compile(r"package-lock\.json"): package_lock,
    re.compile(r"Cargo\.lock"): cargo_lock,
    re.compile(r".*\.sh|.*Dockerfile|Makefile|run"): script,
}


def main() -> int:
    """Prints what is wrong. Returns the exit code."""
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines()
    faults = [
        f"{path}: {fault}"
        for path in map(Path, files)
        for name, check in CHECKS.items()
        if name.fullmatch(path.name)
        for fault in check(path.read_text())
    ]
    for fault in faults:
        print(f"check_pins: {fault}", file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
