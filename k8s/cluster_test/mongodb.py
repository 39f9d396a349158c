"""The MongoDB in the cluster: connections by TLS, and what its users may do."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from cluster_test import kube, tls

DATABASE, COLLECTION = "votes", "logs"
# The member of the replica set, as it is named in its certificate.
MEMBER = f"mongodb-0.mongodb.{kube.NAMESPACE}.svc.cluster.local:27017"
# MongoDB's error codes.
UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18
TIMEOUT_MS = 10_000
# What needs more than the role `read`, and what needs more than the role `readWrite`.
WRITES = ("insert", "update", "delete", "create an index", "create a user")
ADMINISTRATION = (
    "create a user", "read the settings", "read the replica set", "reload the certificates", "write another database",
)  # fmt: skip


@dataclass(frozen=True)
class User:
    """A user of MongoDB, and the database that has it."""

    name: str
    password: str
    source: str = DATABASE

    @classmethod
    def of(cls, name: str) -> "User":
        """Returns a user of the deployment, with the password in its Secret."""
        return cls(name, kube.secret(f"mongodb-{name}", "password"))

    @classmethod
    def admin(cls) -> "User":
        """Returns the administrator, with the password that is only inside the pod."""
        return cls("admin", kube.kubectl("exec", "mongodb-0", "--", "cat", "/data/db/admin-password").strip(), "admin")


def connect(user: User | None = None, *, encrypted: bool = True) -> MongoClient:
    """Connects to MongoDB, as this user or as none. Connections are opened by the first operation."""
    credentials = {"username": user.name, "password": user.password, "authSource": user.source} if user else {}
    # The address is not in the certificate. The stage `tls` verifies the names.
    options = {"tls": True, "tlsCAFile": str(tls.ca_file()), "tlsAllowInvalidHostnames": True} if encrypted else {}
    return MongoClient(
        kube.address("mongodb"),
        directConnection=True,
        serverSelectionTimeoutMS=TIMEOUT_MS,
        timeoutMS=TIMEOUT_MS,
        **credentials,
        **options,
    )


def answers(*, encrypted: bool) -> bool:
    """Tells whether MongoDB answers a client without a user."""
    try:
        with connect(encrypted=encrypted) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def error_code(user: User | None) -> int | None:
    """Reads the log; returns the code of MongoDB's error, or None if it is readable."""
    try:
        with connect(user) as client:
            client[DATABASE][COLLECTION].find_one()
    except OperationFailure as error:
        return error.code
    return None


def create_reader(name: str) -> User:
    """Creates a user that may only read, by the viewer's own command, and gives it a new password."""
    user = User(name, secrets.token_hex(24))
    uri = (
        f"mongodb://admin@{MEMBER}/?replicaSet=rs0&authSource=admin&tls=true&tlsCAFile=/etc/stores-login/mongodb-ca.crt"
    )
    command = ["viewer", "create-user", f"--admin-uri={uri}", "--mongodb-password-file=/dev/stdin"]
    own = [f"--user={user.name}", f"--password={user.password}"]
    kube.kubectl("exec", "deployment/viewer", "--stdin", "--", *command, *own, stdin=User.admin().password)
    return user


def newest(user: User) -> str:
    """Returns the id of the newest vote that this user can read."""
    with connect(user) as client:
        vote = client[DATABASE][COLLECTION].find_one(sort=[("_id", -1)])
    if not vote:
        raise kube.ClusterError(f"{user.name} finds no vote in MongoDB")
    # The key of a document is the time of reception and the vote's id.
    return str(UUID(bytes=vote["_id"][-16:]))


def follows(user: User, cause: Callable[[], object]) -> bool:
    """Tells whether this user's change stream of the log has an insert after `cause`."""
    with connect(user) as client, client[DATABASE][COLLECTION].watch(max_await_time_ms=1_000) as changes:
        cause()
        for _ in range(TIMEOUT_MS // 1_000):
            if change := changes.try_next():
                return change["operationType"] == "insert"
    return False


def refused(user: User | None, *names: str) -> dict[str, bool]:
    """Tries operations; returns for each whether MongoDB refuses it. An operation that it executes changes no vote.

    Args:
        user: the user, or None for a client without a user.
        names: the operations.
    """
    with connect(user) as client:
        database = client[DATABASE]
        log = database[COLLECTION]
        operations: dict[str, Callable[[], object]] = {
            "insert": lambda: database["of_the_test"].insert_one({"_id": "of-the-test"}),
            "update": lambda: log.update_one({"_id": "no-vote"}, {"$set": {"rank": "0"}}),
            "delete": lambda: log.delete_one({"_id": "no-vote"}),
            "create an index": lambda: log.create_index("of_the_test"),
            "create a user": lambda: database.command("createUser", "of-the-test", roles=[], pwd=secrets.token_hex(24)),
            "read the settings": lambda: client.admin.command("getParameter", "*"),
            "read the replica set": lambda: client.admin.command("replSetGetStatus"),
            "reload the certificates": lambda: client.admin.command("rotateCertificates"),
            "write another database": lambda: client["of_the_test"]["of_the_test"].insert_one({"_id": "of-the-test"}),
            "read": log.find_one,
        }
        return {name: _is_unauthorized(operations[name]) for name in names}


def _is_unauthorized(operation: Callable[[], object]) -> bool:
    try:
        operation()
    except OperationFailure as error:
        return error.code == UNAUTHORIZED
    return False
