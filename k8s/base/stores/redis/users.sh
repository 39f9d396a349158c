#!/bin/sh
# Writes the access control list of Redis, with digests of the passwords. Redis reads it at its start.
#
# `consumer` and `viewer` have the rights of the same users in lab/src/launch/users.rs. `grafana` may run the commands of the
# dashboards. `admin` may do everything. Its password is only in this pod: each start makes a new one, in /tmp/admin.
set -eu
umask 077
users=/etc/redis-users

# allow USER FILE RIGHTS: FILE has the password.
allow() {
    password="$(cat "$2")"
    [ -n "$password" ] || { echo "$2 is empty" >&2; exit 1; }
    printf 'user %s on #%s resetchannels %s\n' "$1" "$(printf %s "$password" | sha256sum | cut -c 1-64)" "$3"
}

head -c 24 /dev/urandom | base64 -w 0 >/tmp/admin
{
    echo 'user default off'
    allow admin /tmp/admin '~* &* +@all'
    allow consumer "$users/consumer" "~{votes}:* +ping +multi +exec +evalsha +script|load +get +mget +set +del +exists +type +pexpire \
+hget +hmget +hgetall +hset +hdel +hexists +hlen +hscan +zadd +zcard +zrange +zrem +zremrangebyrank"
    # They may only read the keys.
    allow viewer "$users/viewer" '%R~{votes}:* +ping +multi +exec +get +hlen +hgetall +zrevrange'
    allow grafana "$users/grafana" '%R~{votes}:* +ping +get +hgetall +zrange'
} >/tmp/users.acl
