#!/usr/bin/env bash
# Builds a web page and provides Node for it: the viewer's page (viewer/web), or that in DIRECTORY.
#   scripts/web.sh [--in DIRECTORY] install      install the npm packages if package-lock.json has changed
#   scripts/web.sh [--in DIRECTORY] build        build the page if its sources have changed, or copy it from another checkout's
#                                                build of the same sources
#   scripts/web.sh [--in DIRECTORY] run ARGS...  npm run ARGS
#   scripts/web.sh [--in DIRECTORY] sbom         print the SBOM of the packages in package-lock.json
# Vite needs Node 20.19 or 22.12, and Debian 12 has 18. If no such Node is installed, this installs one from PyPI into the
# cache.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

web=viewer/web
if [ "${1:-}" = --in ]; then web="$2"; shift 2; fi
readonly web
# The inputs of the build. A page need not have all of them.
readonly sources=(src public scripts server index.html vite.config.ts tsconfig.json package-lock.json)

node_is_recent() {
    [ "$(node --print '
        const [major, minor] = process.versions.node.split(".").map(Number);
        major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)' 2>/dev/null)" = true ]
}

provide_node() {
    if node_is_recent && command -v npm >/dev/null; then return; fi
    install_python_environment venv-node scripts/requirements-node.txt
    PATH="$cache/venv-node/bin:$PATH"
    node_is_recent || die "the Node in $cache/venv-node is too old: remove this directory and run this again"
}

install_web_packages() {
    local stamp
    stamp="$(sha256sum <"$web/package-lock.json") $(node --version)"
    if [ "$(cat "$web/node_modules/.installed" 2>/dev/null)" = "$stamp" ]; then return; fi
    say "installing the packages of $web"
    (cd "$web" && npm ci --silent --prefer-offline --cache "$cache/npm")
    printf '%s\n' "$stamp" >"$web/node_modules/.installed"
}

build_page() {
    local stamp existing=() source copies copy
    for source in "${sources[@]}"; do
        if [ -e "$web/$source" ]; then existing+=("$source"); fi
    done
    stamp="$(cd "$web" && find "${existing[@]}" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)"
    if [ "$(cat "$web/node_modules/.built" 2>/dev/null)" = "$stamp" ] && [ -e "$web/dist/index.html" ]; then return; fi
    copies="$cache/pages/${web//\//-}"
    copy="$copies/${stamp%% *}"
    mkdir -p "$copies"
    exec 9>"$copies.lock"
    flock 9
    if [ -d "$copy" ]; then
        rm -rf "$web/dist"
        cp --recursive "$copy" "$web/dist"
    else
        install_web_packages
        say "building the page of $web"
        (cd "$web" && npm run --silent build -- --logLevel warn)
        # Only the newest is kept. It gets its name when it is complete.
        rm -rf "$copies"
        mkdir "$copies"
        cp --recursive "$web/dist" "$copies/.new"
        mv "$copies/.new" "$copy"
    fi
    exec 9>&-
    mkdir -p "$web/node_modules"
    printf '%s\n' "$stamp" >"$web/node_modules/.built"
}

command="${1:-}"
shift || true
provide_node
case "$command" in
    install) install_web_packages ;;
    build) build_page ;;
    run) install_web_packages; cd "$web"; npm run --silent "$@" ;;
    # Some packages ask for an older version of another one than the lock file has. The SBOM is of the lock file.
    sbom) cd "$web"; npm sbom --sbom-format cyclonedx --package-lock-only --legacy-peer-deps ;;
    *) die "unknown command '$command': install, build, run or sbom" ;;
esac
