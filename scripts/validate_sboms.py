"""Validates SBOMs by the schema of CycloneDX, and prints how many components each one has: validate_sboms.py FILE..."""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main() -> int:
    """Returns the exit code: 1 if a file is invalid or lists nothing."""
    invalid = False
    for path in map(Path, sys.argv[1:]):
        text = path.read_text()
        document = json.loads(text)
        version = document.get("specVersion", "1.0")
        error = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(text)
        count = len(document.get("components", []))
        if error or not count:
            invalid = True
            print(f"{path}: {error or 'no components'}", file=sys.stderr)
        else:
            print(f"{path}: CycloneDX {version}, {count} components")
    return int(invalid)


if __name__ == "__main__":
    sys.exit(main())
