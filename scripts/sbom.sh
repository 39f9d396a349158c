#!/usr/bin/env bash
# Writes SBOMs (CycloneDX, JSON) to results/sbom, and validates them by the schema of CycloneDX. They describe:
#   rust-PROGRAM   the crates that a program links
#   python-NAME    the Python packages of an environment, with their checksums
#   npm-NAME       the npm packages that a page consists of or that build it, with their checksums
# `make sbom` runs this. Each image contains an SBOM of its own (k8s/images), which also lists its Debian packages.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
readonly directory=results/sbom
readonly rust=(ingest-rest ingest-grpc consumer viewer lab compare)
# NAME=FILES
readonly python=(
    "load=locust/requirements.txt"
    "servers=lab/servers/wheels.txt"
    "node=scripts/requirements-node.txt"
    "tests=locust/requirements-dev.txt grafana/requirements.txt"
    "schemathesis=e2e/schemathesis/requirements.txt"
    "cluster-test=k8s/cluster_test/requirements.txt k8s/lab/requirements.txt"
    "sbom=scripts/requirements-sbom.txt"
)
readonly npm=(viewer/web grafana/preview)

install_python_environment venv-sbom scripts/requirements-sbom.txt
rm -rf "$directory"
mkdir -p "$directory"

metadata="$(mktemp)"
trap 'rm -f "$metadata"' EXIT
cargo metadata --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu >"$metadata"
for program in "${rust[@]}"; do
    python3 k8s/images/sbom.py crates "$program" "$metadata" >"$directory/rust-$program.cdx.json"
done
for environment in "${python[@]}"; do
    read -ra files <<<"${environment#*=}"
    cat "${files[@]}" | "$cache/venv-sbom/bin/cyclonedx-py" requirements --output-reproducible \
        --output-file "$directory/python-${environment%%=*}.cdx.json" -
done
for page in "${npm[@]}"; do
    scripts/web.sh --in "$page" sbom >"$directory/npm-${page//\//-}.cdx.json"
done
"$cache/venv-sbom/bin/python" scripts/validate_sboms.py "$directory"/*.json
