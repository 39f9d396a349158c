#!/bin/sh
# Starts Redis on an append-only file that is whole.
#
# Redis 7.0 ignores a transaction that a crash has left half written, but leaves its beginning in the file, writes on
# behind it, and executes those commands at the start after the next: counts would be added twice. redis-check-aof cuts
# it off. Here and not in an init container, because those do not run again when only the container is restarted.
set -eu
manifest=/data/appendonlydir/appendonly.aof.manifest
if [ -f "$manifest" ]; then
    echo y | redis-check-aof --fix "$manifest"
fi
exec redis-server /etc/redis-config/redis.conf
