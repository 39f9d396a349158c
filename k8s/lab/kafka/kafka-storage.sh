#!/bin/sh
# Replaces the script of this name in Kafka's distribution; Maven repositories have only the jars.
set -eu
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp '/opt/kafka/libs/*' kafka.tools.StorageTool "$@"
