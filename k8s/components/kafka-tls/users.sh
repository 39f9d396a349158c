#!/bin/sh
# Creates the users of Kafka with their permissions, which equal those of overlays/gke/users.yaml. Runs after each start of
# the broker, in its container, and does nothing if this script and all passwords are unchanged.
set -eu
umask 077
export KAFKA_HEAP_OPTS='-Xmx96m'
bin=/opt/kafka/bin server=localhost:9095 users=/etc/kafka-users stamp=/var/lib/kafka/users.sha256

# set_password USER: the password is in a file, because other processes can read arguments.
set_password() {
    printf 'SCRAM-SHA-512=iterations=8192,password=%s\n' "$(cat "$users/$1")" >/tmp/password
    "$bin/kafka-configs.sh" --bootstrap-server "$server" --alter --entity-type users --entity-name "$1" \
        --add-config-file /tmp/password
    rm /tmp/password
}

# allow USER OPTION...
allow() {
    user="$1"
    shift
    "$bin/kafka-acls.sh" --bootstrap-server "$server" --add --allow-principal "User:$user" "$@"
}

wanted="$(cat "$0" "$users"/* | sha256sum)"
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit; fi

for name in ingest consumer keda prepare; do set_password "$name"; done
allow ingest --operation Write --operation Describe --topic votes
allow consumer --operation Read --operation Describe --topic votes
allow consumer --operation Read --group votes-consumer
allow consumer --operation Write --operation Read --operation Create --operation Describe --topic votes.dlq
allow keda --operation Describe --topic votes
allow keda --operation Describe --group votes-consumer
# The job prepare-stores creates the topics.
allow prepare --operation Create --operation Describe --topic votes --topic votes.dlq
printf '%s\n' "$wanted" >"$stamp"
