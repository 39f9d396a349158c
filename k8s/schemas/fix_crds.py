"""Corrects two errors in CRDs that Fabric8's generator made: `fix_crds.py FILE...`.

A Java `Map<String, Object>` accepts any value, but the generator requires objects. For a class with subclasses the
generator supports no field except the discriminator `type`.
"""

import sys
from pathlib import Path

import yaml


def allow_unknown_fields(schema: object) -> None:
    """Allows any content in these maps and objects."""
    if isinstance(schema, list):
        for inner in schema:
            allow_unknown_fields(inner)
    elif isinstance(schema, dict):
        if schema.get("additionalProperties") == {"type": "object"}:
            del schema["additionalProperties"]
            schema["x-kubernetes-preserve-unknown-fields"] = True
        if schema.get("type") == "object" and (schema.get("properties") or {}).keys() == {"type"}:
            schema["x-kubernetes-preserve-unknown-fields"] = True
        for inner in schema.values():
            allow_unknown_fields(inner)


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        crd = yaml.safe_load(file.read_text())
        allow_unknown_fields(crd)
        file.write_text(yaml.safe_dump(crd))
