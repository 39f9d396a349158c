#!/bin/sh
# Stands for the script of this name in Kafka's distribution, which the jars of a Maven repository lack.
set -eu
# shellcheck disable=SC2086 # options are words
exec java ${KAFKA_HEAP_OPTS:-} ${KAFKA_LOG4J_OPTS:-} -cp '/opt/kafka/libs/*' kafka.Kafka "$@"
