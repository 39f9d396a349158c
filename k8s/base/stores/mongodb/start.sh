#!/bin/sh
# Writes the certificate with its key into one file, and a key for the replica set. Then starts MongoDB.
set -eu
umask 077
cat /etc/mongodb-tls/tls.crt /etc/mongodb-tls/tls.key >/tmp/server.pem
head -c 64 /dev/urandom | base64 -w 0 >/tmp/key
exec mongod --config /etc/mongodb-config/mongod.conf
