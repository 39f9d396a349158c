"""Writes the SBOM (software bill of materials) of an image in CycloneDX format.

`crates PROGRAM METADATA` lists the program's crates from the output of `cargo metadata`. `packages NAME DIRECTORY`
lists the Python packages installed in a directory. `--files` adds the Debian packages that own these files. No single
existing tool covers all three, and compiling one tool per ecosystem would take longer than compiling the programs.
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote


def crates(program: str, metadata: dict) -> tuple[dict, list[dict]]:
    """Returns the program and every crate that is linked into it.

    Args:
        program: name of a member of the workspace.
        metadata: the output of `cargo metadata --format-version 1`.
    """
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    members = set(metadata["workspace_members"])
    root = next(key for key in members if packages[key]["name"] == program)
    linked, pending = set(), [root]
    while pending:
        key = pending.pop()
        if key in linked:
            continue
        linked.add(key)
        pending += [
            dependency["pkg"]
            for dependency in nodes[key]["deps"]
            # Dependencies of tests and build scripts are not linked. A normal dependency has the kind null.
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
        ]
    components = [_crate(packages[key]) for key in linked if key != root]
    return _crate(packages[root]), sorted(components, key=lambda component: component["purl"])


def _crate(package: dict) -> dict:
    component = {
        "type": "library",
        "name": package["name"],
        "version": package["version"],
        "purl": f"pkg:cargo/{package['name']}@{quote(package['version'])}",
    }
    if package.get("license"):
        # Cargo still accepts "/" as an old spelling of OR.
        component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    return component


def packages(directory: Path) -> list[dict]:
    """Returns every Python package that is installed in a directory."""
    found = [
        {
            "type": "library",
            "name": distribution.name,
            "version": distribution.version,
            "purl": f"pkg:pypi/{distribution.name.lower()}@{quote(distribution.version)}",
        }
        for distribution in importlib.metadata.distributions(path=[str(directory)])
    ]
    return sorted(found, key=lambda component: component["purl"])


def debian(files: list[str]) -> list[dict]:
    """Returns the Debian packages that own the files; files without an owner are skipped."""
    names = set()
    for file in files:
        # On a merged-/usr system dpkg records a library under one of two paths.
        for name in (file, file.removeprefix("/usr")):
            search = subprocess.run(["dpkg-query", "--search", name], capture_output=True, text=True, check=False)
            names.update(line.rsplit(": ", 1)[0] for line in search.stdout.splitlines())
    found = []
    for name in sorted(names):
        query = ["dpkg-query", "--show", "--showformat=${Package} ${Version} ${Architecture}", name]
        package, version, architecture = subprocess.run(
            query, capture_output=True, text=True, check=True
        ).stdout.split()
        purl = f"pkg:deb/debian/{package}@{quote(version)}?arch={architecture}"
        found.append({"type": "library", "name": package, "version": version, "purl": purl})
    return found


def document(application: dict, components: list[dict]) -> dict:
    """Returns the SBOM. It has no timestamp and no serial number, so that equal images have equal SBOMs."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**application, "type": "application"}},
        "components": components,
    }


def main() -> None:
    """Prints the SBOM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=["crates", "packages"])
    parser.add_argument("name")
    parser.add_argument("path", type=Path)
    parser.add_argument("--files", nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.source == "crates":
        application, components = crates(arguments.name, json.loads(arguments.path.read_text()))
    else:
        application, components = {"name": arguments.name}, packages(arguments.path)
    json.dump(document(application, components + debian(arguments.files)), sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
