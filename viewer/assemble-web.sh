#!/usr/bin/env bash
# Copies the built page into /image. Runs in a build stage of the Dockerfile. Uses the page in /prebuilt if there is one,
# or builds it.
set -euo pipefail
cd "$(dirname "$0")/web"
readonly prebuilt=/prebuilt/viewer-web page=/image/usr/share/viewer/web

if [ ! -d "$prebuilt" ]; then
    npm ci --no-audit --no-fund
    npm run build
    mkdir -p "$(dirname "$prebuilt")"
    cp -r dist "$prebuilt"
fi
mkdir -p "$(dirname "$page")"
cp -r "$prebuilt" "$page"
chmod -R u=rwX,go=rX "$page"
