#!/usr/bin/env bash
# Builds the project's images from source: dualpath/NAME:VERSION. Needs Docker and a registry for the base images.
# build.sh [NAME...]: only these.
set -euo pipefail
cd "$(dirname "$0")/../.."
version="$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)"
[ "$#" -gt 0 ] || set -- ingest-rest ingest-grpc consumer viewer locust
for name in "$@"; do
    docker build --tag "dualpath/$name:$version" --file "$name/Dockerfile" .
done
