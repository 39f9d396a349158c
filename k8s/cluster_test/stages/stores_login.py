"""TLS and logins of Redis and MongoDB: what each user may do, and what it may not."""

import base64
import time
import uuid

from pymongo.errors import PyMongoError

from cluster_test import kube, mongodb, redis_client
from cluster_test.ledger import Ledger
from cluster_test.load import Load
from cluster_test.mongodb import User
from cluster_test.report import Row
from cluster_test.stages.routes import VOTE, entry, post

COUNTED_WITHIN_S = 20
TOTAL = ["GET", "{votes}:total"]
# No command changes a count of votes, if Redis executes it.
OWN_KEY = "{votes}:of-the-test"
WRITES = (["SET", OWN_KEY, "1"], ["DEL", OWN_KEY], ["HDEL", "{votes}:route", "of-the-test"], ["EVAL", "return 1", "0"])
ADMINISTRATION = (
    ["CONFIG", "GET", "maxmemory"], ["ACL", "LIST"], ["CLIENT", "LIST"], ["INFO"], ["KEYS", "*"], ["BGREWRITEAOF"],
    ["SET", "of-the-test", "1", "PX", "1"],
)  # fmt: skip


def logins(ledger: Ledger) -> list[Row]:
    """Uses Redis and MongoDB with and without TLS, and with all users, also beyond their permissions.

    Raises:
        ClusterError: a connection failed.
    """
    try:
        return _logins(ledger)
    except (OSError, PyMongoError) as error:
        raise kube.ClusterError(f"Redis or MongoDB: {error}") from error


def _logins(ledger: Ledger) -> list[Row]:
    viewer, consumer = User.of("viewer"), User.of("consumer")
    redis_viewer, redis_consumer = (_redis_login(name) for name in ("viewer", "consumer"))
    return [
        _vote(ledger, viewer, redis_viewer),
        _without_tls(),
        _wrong_logins(viewer, redis_viewer),
        _read_only(viewer, consumer, redis_viewer, redis_consumer),
        _no_administration(consumer, redis_consumer),
        _administrators(),
    ]


def _redis_login(user: str) -> tuple[str, str]:
    return user, redis_client.password(user)


def _redis_admin() -> tuple[str, str]:
    """Returns the administrator of Redis, with the password that is only inside the pod."""
    return "admin", kube.kubectl("exec", "redis-0", "--", "cat", "/tmp/admin").strip()


def _total(login: tuple[str, str]) -> int:
    (answer,) = redis_client.run(login, TOTAL)
    return int(answer)


def _vote(ledger: Ledger, viewer: User, redis_viewer: tuple[str, str]) -> Row:
    """Sends a vote, and waits until both stores have it. Both have only ports with TLS and a login."""
    before, vote_id = _total(redis_viewer), str(uuid.uuid4())
    _, answer, route = post(kube.cluster_ip("ingress"), "/v1/votes", {**VOTE, "vote_id": vote_id}, {})
    ledger.add(Load([entry(answer, route)]))
    end = time.monotonic() + COUNTED_WITHIN_S
    logged = counted = False
    while not (logged and counted) and time.monotonic() < end:
        time.sleep(0.1)
        logged, counted = mongodb.newest(viewer) == vote_id, _total(redis_viewer) == before + 1
    return Row(
        f"a vote is logged in MongoDB and counted in Redis within {COUNTED_WITHIN_S} s; the users `viewer` read it",
        f"MongoDB: {'logged' if logged else 'not logged'}, Redis: {'counted' if counted else 'not counted'}",
        logged and counted,
    )


def _without_tls() -> Row:
    (port,) = redis_client.run(_redis_admin(), ["CONFIG", "GET", "port"])
    plain = {"Redis": redis_client.answers_without_tls(), "MongoDB": mongodb.answers(encrypted=False)}
    encrypted = {"Redis": bool(redis_client.run(None, ["PING"])[0]), "MongoDB": mongodb.answers(encrypted=True)}
    return Row(
        "Redis and MongoDB answer only by TLS",
        "; ".join(
            f"{store}: without TLS {'an' if plain[store] else 'no'} answer,"
            f" with TLS {'an' if encrypted[store] else 'no'} answer"
            for store in plain
        )
        + f"; Redis' setting of a port without TLS: {port}",
        not any(plain.values()) and all(encrypted.values()) and port == "port 0",
    )


def _wrong_logins(viewer: User, redis_viewer: tuple[str, str]) -> Row:
    """Reads with a wrong password, without a login, and with the right password."""
    wrong = mongodb.error_code(User(viewer.name, f"not {viewer.password}"))
    codes = (wrong, mongodb.error_code(None), mongodb.error_code(viewer))
    try:
        rejected = redis_client.run((redis_viewer[0], f"not {redis_viewer[1]}"), TOTAL)[0]
    except redis_client.RedisError as error:
        rejected = str(error)
    answers = (rejected, redis_client.run(None, TOTAL)[0])
    kinds = [answer.split()[0] for answer in answers]
    # An error of this one would have ended the stage.
    total = _total(redis_viewer)
    return Row(
        "Redis and MongoDB refuse a wrong password, and a client without a login",
        f"Redis: {', '.join(kinds)}; MongoDB: codes {', '.join(str(code) for code in codes[:2])};"
        f" the right passwords read {total} votes and {'the log' if codes[2] is None else 'no log'}",
        kinds == ["-WRONGPASS", "-NOAUTH"] and codes == (mongodb.AUTHENTICATION_FAILED, mongodb.UNAUTHORIZED, None),
    )


def _executed_by_redis(login: tuple[str, str], commands: tuple[list[str], ...]) -> list[str]:
    """Runs commands; returns those that Redis does not refuse for lack of a permission."""
    answers = redis_client.run(login, *commands)
    return [
        " ".join(command) for command, answer in zip(commands, answers, strict=True) if not answer.startswith("-NOPERM")
    ]


def _executed_by_mongodb(user: User, names: tuple[str, ...]) -> list[str]:
    return [name for name, is_refused in mongodb.refused(user, *names).items() if not is_refused]


def _read_only(viewer: User, consumer: User, redis_viewer: tuple[str, str], redis_consumer: tuple[str, str]) -> Row:
    executed = _executed_by_redis(redis_viewer, WRITES) + _executed_by_mongodb(viewer, mongodb.WRITES)
    # The writer executes its own commands; EVAL is not one of them, because its scripts are loaded.
    writes = len(_executed_by_redis(redis_consumer, WRITES)) + len(_executed_by_mongodb(consumer, ("update", "delete")))
    expected = len(WRITES) - 1 + 2
    return Row(
        "Redis and MongoDB refuse every write of the users `viewer`",
        f"of {len(WRITES)} commands and {len(mongodb.WRITES)} operations, executed: {', '.join(executed) or 'none'};"
        f" of the users `consumer`, {writes} of {expected} writes executed",
        not executed and writes == expected,
    )


def _no_administration(consumer: User, redis_consumer: tuple[str, str]) -> Row:
    executed = _executed_by_redis(redis_consumer, ADMINISTRATION)
    executed += _executed_by_mongodb(consumer, mongodb.ADMINISTRATION)
    return Row(
        "Redis and MongoDB refuse administration by the users `consumer`, and Redis other keys",
        f"of {len(ADMINISTRATION)} commands and {len(mongodb.ADMINISTRATION)} operations, executed:"
        f" {', '.join(executed) or 'none'}",
        not executed,
    )


def _administrators() -> Row:
    """Uses the administrators, and searches all Secrets for their passwords."""
    admin = User.admin()
    redis_admin = _redis_admin()
    redis_executed = _executed_by_redis(redis_admin, (["CONFIG", "GET", "maxmemory"], ["ACL", "LIST"]))
    mongodb_executed = _executed_by_mongodb(admin, ("read the replica set",))
    passwords = {admin.password, redis_admin[1]}
    found = [
        item["metadata"]["name"]
        for item in kube.get("secrets")["items"]
        for value in item.get("data", {}).values()
        if base64.b64decode(value).decode() in passwords
    ]
    return Row(
        "the administrators' passwords are only in the pods of Redis and MongoDB",
        f"administration with them: {len(redis_executed)} of 2 commands and {len(mongodb_executed)} of 1 operation"
        f" executed; Secrets with them: {', '.join(found) or 'none'}",
        len(redis_executed) == 2 and len(mongodb_executed) == 1 and not found,
    )
