#!/bin/sh
# Writes the files that MongoDB wants in a form of its own, then starts it.
set -eu
umask 077
cat /etc/mongodb-tls/tls.crt /etc/mongodb-tls/tls.key >/tmp/server.pem
head -c 64 /dev/urandom | base64 -w 0 >/tmp/key
exec mongod --config /etc/mongodb-config/mongod.conf
