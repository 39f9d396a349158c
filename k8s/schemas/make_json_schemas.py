"""Writes JSON schemas for kubeconform from Kubernetes' OpenAPI document and from CRDs.

`make_json_schemas.py SWAGGER CRDS OUT` writes one file per kind: OUT/<group>/<kind>_<version>.json. The schemas are
stricter than an API server: an unknown field is an error, whereas an API server drops it silently.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

GROUPS = {
    "",
    "apps",
    "autoscaling",
    "batch",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
}
REF = "#/definitions/"
KEPT_KEYWORDS = {
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "not",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "type",
}


def strict(schema: dict) -> dict:
    """Converts a schema to JSON Schema without descriptions; objects with listed properties allow no others."""
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["string", "integer"]}
    result = {key: value for key, value in schema.items() if key in KEPT_KEYWORDS}
    # Kubernetes' own formats, such as int32, add nothing to the type.
    result.pop("format", None)
    if "properties" in result:
        result["properties"] = {name: strict(inner) for name, inner in result["properties"].items()}
        allows_unknown_fields = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in result
        if not allows_unknown_fields and "type" in result:
            result["additionalProperties"] = False
    for key in ("items", "additionalProperties", "not"):
        if isinstance(result.get(key), dict):
            result[key] = strict(result[key])
    for key in ("oneOf", "anyOf", "allOf"):
        if key in result:
            result[key] = [strict(inner) for inner in result[key]]
    if schema.get("nullable") and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    return result


def references(schema: object) -> Iterator[str]:
    """Yields the names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(REF)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def built_in_kinds(swagger: dict) -> Iterator[tuple[str, str, str, dict]]:
    """Yields group, version, kind and schema of each built-in kind."""
    definitions = {name: strict(schema) for name, schema in swagger["definitions"].items()}
    for name, schema in swagger["definitions"].items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            if kind["group"] not in GROUPS or kind["kind"].endswith(("List", "Options", "Event")):
                continue
            used, pending = {}, [name]
            while pending:
                reference = pending.pop()
                if reference not in used:
                    used[reference] = definitions[reference]
                    pending += references(definitions[reference])
            yield kind["group"], kind["version"], kind["kind"], {"$ref": REF + name, "definitions": used}


def custom_kinds(crd: dict) -> Iterator[tuple[str, str, str, dict]]:
    """Yields group, version, kind and schema of each served version of a CRD."""
    spec = crd["spec"]
    for version in spec["versions"]:
        if version["served"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            # CRDs do not describe these fields; the API server validates them.
            schema["properties"] |= {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
            }
            yield spec["group"], version["name"], spec["names"]["kind"], schema


def main(swagger: str, crds: str, out: str) -> None:
    """Writes the schema files."""
    schemas = list(built_in_kinds(json.loads(Path(swagger).read_text())))
    for file in sorted(Path(crds).glob("*.yaml")):
        for crd in yaml.load_all(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            # The Gateway API's files also contain an admission policy.
            if crd["kind"] == "CustomResourceDefinition":
                schemas += custom_kinds(crd)
    for group, version, kind, schema in schemas:
        # The core group has no name; its schemas are in the directory `v1`.
        folder = Path(out) / (group or version)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{kind.lower()}_{version}.json").write_text(json.dumps(schema, separators=(",", ":")))


if __name__ == "__main__":
    main(*sys.argv[1:])
