"""Makes JSON schemas for kubeconform out of Kubernetes' OpenAPI document and of CRDs.

`make.py SWAGGER CRDS OUT`: a file a kind, as OUT/<group>/<kind>_<version>.json. Unlike an API server's first look they
are strict: a field that no schema names is an error, because there it would be dropped without a word.
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
KEPT = {
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
    """The schema as JSON Schema has it, without words, and closed where it lists its properties."""
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["string", "integer"]}
    made = {key: value for key, value in schema.items() if key in KEPT}
    # Kubernetes' own formats, such as int32, say nothing that the type does not.
    made.pop("format", None)
    if "properties" in made:
        made["properties"] = {name: strict(inner) for name, inner in made["properties"].items()}
        open_object = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in made
        if not open_object and "type" in made:
            made["additionalProperties"] = False
    for key in ("items", "additionalProperties", "not"):
        if isinstance(made.get(key), dict):
            made[key] = strict(made[key])
    for key in ("oneOf", "anyOf", "allOf"):
        if key in made:
            made[key] = [strict(inner) for inner in made[key]]
    if schema.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def references(schema: object) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(REF)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def built_in(swagger: dict) -> Iterator[tuple[str, str, str, dict]]:
    """Group, version, kind and schema of what Kubernetes itself knows."""
    definitions = {name: strict(schema) for name, schema in swagger["definitions"].items()}
    for name, schema in swagger["definitions"].items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            if kind["group"] not in GROUPS or kind["kind"].endswith(("List", "Options", "Event")):
                continue
            needed, open_names = {}, [name]
            while open_names:
                reference = open_names.pop()
                if reference not in needed:
                    needed[reference] = definitions[reference]
                    open_names += references(definitions[reference])
            yield kind["group"], kind["version"], kind["kind"], {"$ref": REF + name, "definitions": needed}


def custom(crd: dict) -> Iterator[tuple[str, str, str, dict]]:
    """Group, version, kind and schema of each version of a CRD."""
    spec = crd["spec"]
    for version in spec["versions"]:
        if version["served"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            # The API server checks these itself, and CRDs do not describe them.
            schema["properties"] |= {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
            }
            yield spec["group"], version["name"], spec["names"]["kind"], schema


def main(swagger: str, crds: str, out: str) -> None:
    """Writes the files."""
    schemas = list(built_in(json.loads(Path(swagger).read_text())))
    for file in sorted(Path(crds).glob("*.yaml")):
        for crd in yaml.load_all(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            # Beside its CRDs the Gateway API has a policy for their upgrades.
            if crd["kind"] == "CustomResourceDefinition":
                schemas += custom(crd)
    for group, version, kind, schema in schemas:
        # kubeconform takes `v1` for the group of the core.
        folder = Path(out) / (group or version)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{kind.lower()}_{version}.json").write_text(json.dumps(schema, separators=(",", ":")))


if __name__ == "__main__":
    main(*sys.argv[1:])
