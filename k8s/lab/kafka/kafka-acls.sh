#!/bin/sh
# Replaces the script of this name in Kafka's distribution; Maven repositories have only the jars.
set -eu
# shellcheck disable=SC2086 # word splitting of the options is intended
exec java ${KAFKA_HEAP_OPTS:-} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp '/opt/kafka/libs/*' org.apache.kafka.tools.AclCommand "$@"
