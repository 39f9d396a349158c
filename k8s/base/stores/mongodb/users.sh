#!/bin/sh
# Initiates the replica set and creates the users of MongoDB, or gives them changed passwords. Runs after each start of
# MongoDB, in its container.
#
# MongoDB accepts the initiation and the first user without a login, if the connection comes from this pod. That user is
# `admin`, which may do everything. Its password is only in the volume of this pod. Passwords have no quotes and no backslashes.
set -eu
umask 077
export HOME=/tmp
member=mongodb-0.mongodb.dualpath.svc.cluster.local:27017 users=/etc/mongodb-users admin=/data/db/admin-password wait_s=60

# run COMMAND...: runs commands of the shell, one a line. They come from a file, because other processes can read arguments.
run() {
    printf '%s\n' "$@" >/tmp/commands.js
    # The certificate has no name for this address.
    mongosh --quiet --host 127.0.0.1 --tls --tlsCAFile /etc/mongodb-tls/ca.crt --tlsAllowInvalidHostnames --file /tmp/commands.js
}

# run_as_admin COMMAND...
run_as_admin() { run "db.getSiblingDB(\"admin\").auth(\"admin\", \"$(cat "$admin")\")" "$@"; }

# retry COMMAND...: repeats it until it succeeds.
retry() {
    end="$(($(date +%s) + wait_s))"
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || exit 1
        sleep 0.5
    done
}

# allow USER ROLE: changes the user, or creates it.
allow() {
    rights="\"pwd\": \"$(cat "$users/$1")\", \"roles\": [{\"role\": \"$2\", \"db\": \"votes\"}]"
    run_as_admin "db.getSiblingDB(\"votes\").runCommand({\"updateUser\": \"$1\", $rights})" ||
        run_as_admin "db.getSiblingDB(\"votes\").runCommand({\"createUser\": \"$1\", $rights})"
}

initiate() {
    run "db.getSiblingDB(\"admin\").runCommand({\"replSetInitiate\": {\"_id\": \"rs0\", \"members\": [{\"_id\": 0, \"host\": \"$member\"}]}})"
}

# Only the primary accepts the new user.
ensure_admin() {
    run_as_admin ||
        run "db.getSiblingDB(\"admin\").runCommand({\"createUser\": \"admin\", \"pwd\": \"$(cat "$admin")\", \"roles\": [\"root\"]})"
}

if [ ! -e "$admin" ]; then
    head -c 24 /dev/urandom | base64 -w 0 >"$admin.new"
    mv "$admin.new" "$admin"
fi
retry run 'db.getSiblingDB("admin").runCommand({"ping": 1})'
# It can be initiated already, if an earlier start ended before `admin` existed.
run_as_admin || initiate || true
retry ensure_admin
retry allow consumer readWrite
retry allow viewer read
rm /tmp/commands.js
