#!/bin/sh
# Writes the users, repairs the append-only file, then starts Redis.
#
# Redis 7.0 ignores an incomplete transaction at the end of the file after a crash, but keeps it in the file and appends new
# commands. A later start then executes the transaction, and counts are added twice. redis-check-aof removes it. An init
# container would not work, because it does not run again when only the container restarts.
set -eu
/bin/sh /etc/redis-config/users.sh
manifest=/data/appendonlydir/appendonly.aof.manifest
if [ -f "$manifest" ]; then
    echo y | redis-check-aof --fix "$manifest"
fi
exec redis-server /etc/redis-config/redis.conf
