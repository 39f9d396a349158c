#!/usr/bin/env bash
# Builds the project's images from source as dualpath/NAME:VERSION. Needs Docker, and a registry for the base images.
#
#   build.sh [NAME...]     only these images; default: all
set -euo pipefail
cd "$(dirname "$0")/../.."
version="$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)"
[ "$#" -gt 0 ] || set -- ingest-rest ingest-grpc consumer viewer locust
for name in "$@"; do
    if [ "$name" = locust ]; then
        docker build --tag "dualpath/$name:$version" --file locust/Dockerfile .
    else
        docker build --tag "dualpath/$name:$version" --build-arg PROGRAM="$name" --target "$name" .
    fi
done
