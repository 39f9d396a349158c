#!/usr/bin/env bash
# Compiles the OpenTelemetry Collector and Jaeger from Go modules into the cache. Takes about 10 minutes the first time, and
# no time if both are there. Prints the directory of the programs.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/common.sh

readonly collector=0.165.0 jaeger=1.76.0
readonly bin="$cache/traces/collector-$collector-jaeger-$jaeger"
readonly work="$bin.new"

# The components are in traces/collector-builder.yaml.
build_collector() {
    [ -x "$bin/otelcol" ] && return
    say "compiling the OpenTelemetry Collector" >&2
    GOBIN="$work" go install "go.opentelemetry.io/collector/cmd/builder@v$collector"
    sed "s|OUTPUT_PATH|$work/otelcol-module|; s|VERSION|$collector|" traces/collector-builder.yaml >"$work/builder.yaml"
    "$work/builder" --config "$work/builder.yaml" >"$work/builder.log" 2>&1 || { tail "$work/builder.log" >&2; die "the builder failed"; }
    mv "$work/otelcol-module/otelcol" "$bin/otelcol"
}

# As a dependency of an empty module, because `go install` refuses a module with replace directives.
build_jaeger() {
    [ -x "$bin/jaeger" ] && return
    say "compiling Jaeger" >&2
    mkdir -p "$work/jaeger-module"
    (
        cd "$work/jaeger-module"
        printf 'module traces\n\ngo 1.24\n\nrequire github.com/jaegertracing/jaeger v%s\n' "$jaeger" >go.mod
        printf '//go:build tools\n\npackage tools\n\nimport _ "github.com/jaegertracing/jaeger/cmd/jaeger"\n' >tools.go
        GOFLAGS=-mod=mod go mod tidy >tidy.log 2>&1 || { tail tidy.log >&2; die "go mod tidy failed"; }
        GOFLAGS=-mod=mod go build -trimpath -ldflags '-s -w' -o "$bin/jaeger.new" github.com/jaegertracing/jaeger/cmd/jaeger
    )
    mv "$bin/jaeger.new" "$bin/jaeger"
}

command -v go >/dev/null || die "Go is missing: install Go 1.24 or newer, then run this again"
mkdir -p "$bin" "$work"
build_collector
build_jaeger
rm -rf "$work"
printf '%s\n' "$bin"
