#!/bin/sh
# Stands for the script of this name in Kafka's distribution, which the jars of a Maven repository lack.
set -eu
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp '/opt/kafka/libs/*' kafka.tools.StorageTool "$@"
