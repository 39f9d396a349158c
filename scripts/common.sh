# Functions of the set-up scripts. Source this file from the project's root.
# shellcheck shell=bash

# The scripts that source this file use it.
# shellcheck disable=SC2034
readonly cache="${XDG_CACHE_HOME:-$HOME/.cache}/dualpath"
# The programs of the stack: lab, and those that it starts.
# shellcheck disable=SC2034
readonly stack_programs=(lab ingest-grpc ingest-rest consumer viewer)

# Messages go to the file descriptor `setup_messages`, because the output of a step that runs in the background goes to a
# file. On a terminal, a message replaces the line of the compilation's progress.
say() {
    local fd="${setup_messages:-1}" clear=''
    if [ -t "$fd" ]; then clear=$'\r\033[K'; fi
    printf '%ssetup: %s\n' "$clear" "$*" >&"$fd"
}
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else die "root privileges are required for: $*"
    fi
}

# missing_packages PACKAGE...: prints those of the Debian packages that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed \
            || printf '%s\n' "$package"
    done
}

# ask_for_root PACKAGE...: lets sudo ask for the password now if a package is missing, because later the output of a
# compilation would hide the question.
ask_for_root() {
    if [ "$(id -u)" -ne 0 ] && [ -n "$(missing_packages "$@")" ]; then as_root true; fi
}

# install_packages PACKAGE...: installs the missing Debian packages.
install_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    if [ "${#missing[@]}" -gt 0 ]; then
        say "installing ${missing[*]}"
        as_root apt-get update --quiet=2
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
    fi
}

# install_python_environment NAME REQUIREMENTS...: creates a virtual environment in the cache, and recreates it when the
# pinned requirements change. The stamp is written last. The lock allows two checkouts to run this at the same time.
install_python_environment() {
    local venv="$cache/$1" stamp requirements=()
    shift
    stamp="$(cat "$@" | sha256sum)"
    if [ "$(cat "$venv/requirements.sha256" 2>/dev/null)" = "$stamp" ]; then return; fi
    say "installing Python packages from $*"
    mkdir -p "$cache"
    for file in "$@"; do requirements+=(--requirement "$file"); done
    (
        flock 9
        if [ "$(cat "$venv/requirements.sha256" 2>/dev/null)" = "$stamp" ]; then exit; fi
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes "${requirements[@]}"
        printf '%s\n' "$stamp" >"$venv/requirements.sha256"
    ) 9>"$venv.lock"
}
