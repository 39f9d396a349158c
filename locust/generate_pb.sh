#!/bin/sh
# Generates the Python code of proto/votes/v1/votes.proto.
#
#   generate_pb.sh [DIR]     default: the directory of the committed code
set -eu
cd "$(dirname "$0")"
out=${1:-.}
# With this virtual path the generated files import each other as modules of the package.
exec "${PYTHON:-python3}" -m grpc_tools.protoc -I dualpath_locust/pb=../proto/votes/v1 \
    --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" dualpath_locust/pb/votes.proto
