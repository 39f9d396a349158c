"""Mends CRDs that Fabric8's generator made: `loosen.py FILE...`.

Where a Java class says `Map<String, Object>`, any value is meant; the generator says that each must be an object. And
of a class with subclasses it knows no field but `type`, which tells them apart.
"""

import sys
from pathlib import Path

import yaml


def loosen(schema: object) -> None:
    """Lets such maps and objects hold anything."""
    if isinstance(schema, list):
        for inner in schema:
            loosen(inner)
    elif isinstance(schema, dict):
        if schema.get("additionalProperties") == {"type": "object"}:
            del schema["additionalProperties"]
            schema["x-kubernetes-preserve-unknown-fields"] = True
        if schema.get("type") == "object" and (schema.get("properties") or {}).keys() == {"type"}:
            schema["x-kubernetes-preserve-unknown-fields"] = True
        for inner in schema.values():
            loosen(inner)


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        crd = yaml.safe_load(file.read_text())
        loosen(crd)
        file.write_text(yaml.safe_dump(crd))
