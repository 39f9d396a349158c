"""Writes an SBOM in CycloneDX: what an image holds, from the records of those who put it there.

`crates PROGRAM METADATA` reads what cargo says of the program's dependencies, `packages NAME DIRECTORY` what pip left
in a directory. `--files` adds the Debian packages that these files belong to. A tool for each ecosystem would take
longer to compile than the programs, and none knows them all.
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote


def crates(program: str, metadata: dict) -> tuple[dict, list[dict]]:
    """The program, and every crate that is linked into it.

    Args:
        program: name of a member of the workspace.
        metadata: the answer of `cargo metadata --format-version 1`.
    """
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    members = set(metadata["workspace_members"])
    root = next(key for key in members if packages[key]["name"] == program)
    linked, open_ids = set(), [root]
    while open_ids:
        key = open_ids.pop()
        if key in linked:
            continue
        linked.add(key)
        open_ids += [
            dependency["pkg"]
            for dependency in nodes[key]["deps"]
            # Neither tests' nor build scripts' dependencies are in the program. A kind of null is a normal one.
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
        # Cargo still accepts the old way to write OR.
        component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    return component


def packages(directory: Path) -> list[dict]:
    """Every Python package that is installed in a directory."""
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
    """The Debian packages that files belong to; a file that belongs to none is passed over."""
    names = set()
    for file in files:
        # With merged /usr a library is recorded under one of two names.
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
    """The whole SBOM. It carries no time and no serial number: the same image has the same one."""
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
