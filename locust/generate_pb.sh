#!/bin/sh
# Writes the Python code of proto/votes/v1/votes.proto to DIR (default: where it is checked in).
set -eu
cd "$(dirname "$0")"
out=${1:-.}
# The virtual path makes the generated files import each other as members of the package.
exec "${PYTHON:-python3}" -m grpc_tools.protoc -I dualpath_locust/pb=../proto/votes/v1 \
    --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" dualpath_locust/pb/votes.proto
