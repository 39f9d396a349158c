#!/usr/bin/env bash
# Replaces the pictures of the docs by those of the last runs: `make pictures` runs the tests, the demo and the comparison
# that they show.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

# take_picture PAGE WIDTH HEIGHT PICTURE: takes a picture of the upper part of a page.
take_picture() {
    [ -f "$1" ] || die "$1 is missing: run make pictures"
    "${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --disable-lcd-text --hide-scrollbars \
        --window-size="$2,$3" --screenshot="$4" "file://$(realpath "$1")" 2>/dev/null
}

install_packages pngquant
readonly viewer=viewer/web/test-results/screenshots boards=grafana/preview/test-results/pictures
# The name ends with the time.
comparison="$(find results -maxdepth 1 -name 'compare-quick-*' | sort | tail --lines=1)"

cp "$viewer/logs-live.png" docs/viewer-logs.png
cp "$viewer/compare-light.png" docs/viewer-compare.png
cp "$boards/dualpath-latency-first-screen.png" docs/board.png
cp "$boards"/dualpath-{latency,tallies,pipeline}.png grafana/preview/pictures/
take_picture results/latest/report.html 1100 1160 docs/demo-report.png
take_picture "$comparison/report.html" 1100 750 docs/verdict.png
# With 256 colours, they take a third of the space.
pngquant --force --ext .png 256 docs/*.png grafana/preview/pictures/*.png
