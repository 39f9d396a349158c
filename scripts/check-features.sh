#!/usr/bin/env bash
# Checks that the commands of the project compile no dependency for two sets of features: what `scripts/setup.sh` builds for
# the demo is a part of what `scripts/setup.sh --dev` builds for the tests. Run it after `make setup-dev`.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

# Prints the libraries and macros that a build consists of. The hash in a file's name depends on features and profile.
libraries() {
    cargo build --release --locked --quiet --workspace --message-format=json "$@" \
        | grep --only-matching '[^/"]*\.\(rmeta\|so\)"' | sort --unique
}

demo="$(libraries --examples "${stack_programs[@]/#/--bin=}")"
tests="$(libraries --all-targets)"
only_demo="$(comm -23 <(echo "$demo") <(echo "$tests"))"
if [ -n "$only_demo" ]; then
    echo "check-features: the demo and the tests use other features of these libraries, so they are compiled twice:" >&2
    sed 's/"$//; s/^/  /' <<<"$only_demo" >&2
    exit 1
fi
