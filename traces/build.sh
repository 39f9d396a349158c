#!/usr/bin/env bash
# traces/build.sh PROGRAM...: compiles `otelcol` (the OpenTelemetry Collector) or `jaeger` from Go modules into the cache.
# Takes about five minutes each the first time, and no time if they are there. Prints the path of each program.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/common.sh

readonly collector=0.165.0 jaeger=1.76.0
# A change of its components makes another Collector.
components="$(sha256sum traces/collector-builder.yaml | cut --characters=1-12)"

# The components are in traces/collector-builder.yaml.
build_otelcol() {
    local work="$1" program="$2"
    GOBIN="$work" go install "go.opentelemetry.io/collector/cmd/builder@v$collector"
    sed "s|OUTPUT_PATH|$work/module|; s|VERSION|$collector|" traces/collector-builder.yaml >"$work/builder.yaml"
    "$work/builder" --config "$work/builder.yaml" >"$work/builder.log" 2>&1 || { tail "$work/builder.log" >&2; die "the builder failed"; }
    mv "$work/module/otelcol" "$program"
}

# As a dependency of an empty module, because `go install` refuses a module with replace directives.
build_jaeger() {
    local work="$1" program="$2"
    cd "$work"
    printf 'module traces\n\ngo 1.24\n\nrequire github.com/jaegertracing/jaeger v%s\n' "$jaeger" >go.mod
    printf '//go:build tools\n\npackage tools\n\nimport _ "github.com/jaegertracing/jaeger/cmd/jaeger"\n' >tools.go
    GOFLAGS=-mod=mod go mod tidy >tidy.log 2>&1 || { tail tidy.log >&2; die "go mod tidy failed"; }
    GOFLAGS=-mod=mod go build -trimpath -ldflags '-s -w' -o "$work/jaeger" github.com/jaegertracing/jaeger/cmd/jaeger
    mv "$work/jaeger" "$program"
}

# build NAME VERSION: compiles the program unless it is there. The lock allows two checkouts to run this at the same time.
build() {
    local name="$1" program="$cache/traces/$1-$2"
    mkdir -p "$cache/traces"
    (
        flock 9
        if [ -x "$program" ]; then exit; fi
        command -v go >/dev/null || die "Go is missing: install Go 1.24 or newer, then run this again"
        say "compiling $name (some minutes)" >&2
        work="$(mktemp --directory "$program.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        "build_$name" "$work" "$program" >&2
    ) 9>"$program.lock"
    printf '%s\n' "$program"
}

[ "$#" -gt 0 ] || die "usage: traces/build.sh otelcol|jaeger..."
for name in "$@"; do
    case "$name" in
        otelcol) build otelcol "$collector-$components" ;;
        jaeger) build jaeger "$jaeger" ;;
        *) die "there is no program $name: use otelcol or jaeger" ;;
    esac
done
