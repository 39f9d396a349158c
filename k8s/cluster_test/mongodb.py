"""Users of the MongoDB in the cluster: `consumer` may write the log, `viewer` may only read it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from cluster_test import kube

# The lab overlay with users, and the Secret with their URIs.
OVERLAY = Path(__file__).parents[1] / "lab/mongodb-users"
SECRET = OVERLAY / "stores-secret.env"
DATABASE, COLLECTION = "votes", "logs"
# MongoDB's error codes.
USER_EXISTS, UNAUTHORIZED = 51_003, 13
TIMEOUT_MS = 10_000
READY_WITHIN_S = 180


@dataclass(frozen=True)
class User:
    """A user of the lab's MongoDB."""

    name: str
    password: str

    @classmethod
    def of(cls, variable: str) -> "User":
        """Returns the user in the URI with this name in the Secret."""
        uris = dict(line.split("=", 1) for line in SECRET.read_text().splitlines())
        parts = urlsplit(uris[variable])
        return cls(parts.username or "", parts.password or "")


def connect(user: User | None = None) -> MongoClient:
    """Connects to MongoDB, as this user or as none. Connections are opened by the first operation."""
    (pod,) = kube.pods("mongodb")
    credentials = {"username": user.name, "password": user.password, "authSource": DATABASE} if user else {}
    return MongoClient(
        pod["status"]["podIP"],
        directConnection=True,
        serverSelectionTimeoutMS=TIMEOUT_MS,
        timeoutMS=TIMEOUT_MS,
        **credentials,
    )


@contextmanager
def with_users() -> Iterator[None]:
    """Creates the users and requires them during the block. Restores the lab overlay at its end."""
    _create_users()
    try:
        kube.kubectl("apply", "--kustomize", str(OVERLAY))
        kube.wait_until("readiness with users in MongoDB", kube.all_ready, READY_WITHIN_S)
        yield
    finally:
        kube.kubectl("delete", "networkpolicy", "mongodb-from-knative", "--ignore-not-found")
        kube.kubectl("apply", "--kustomize", str(kube.OVERLAYS / "lab"))
        kube.wait_until("readiness without users in MongoDB", kube.all_ready, READY_WITHIN_S)


def _create_users() -> None:
    """Creates the users while MongoDB still accepts everyone; the viewer's own command creates the viewer."""
    consumer, viewer = User.of("MONGODB_URI"), User.of("VIEWER_MONGODB_URI")
    settings = {"pwd": consumer.password, "roles": [{"role": "readWrite", "db": DATABASE}]}
    with connect() as client:
        try:
            client[DATABASE].command("createUser", consumer.name, **settings)
        except OperationFailure as error:
            if error.code != USER_EXISTS:
                raise kube.ClusterError(f"creating the user {consumer.name}: {error}") from error
            client[DATABASE].command("updateUser", consumer.name, **settings)
    uri = "mongodb://mongodb-0.mongodb:27017/?directConnection=true"
    command = ["viewer", "create-user", f"--admin-uri={uri}", f"--user={viewer.name}"]
    kube.kubectl("exec", "deployment/viewer", "--stdin", "--", *command, stdin=viewer.password)


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
        names: the operations; default: all that need more than the role `read`.
    """
    with connect(user) as client:
        database = client[DATABASE]
        log = database[COLLECTION]
        operations: dict[str, Callable[[], object]] = {
            "insert": lambda: database["of_the_test"].insert_one({"_id": "of-the-test"}),
            "update": lambda: log.update_one({"_id": "no-vote"}, {"$set": {"rank": "0"}}),
            "delete": lambda: log.delete_one({"_id": "no-vote"}),
            "create an index": lambda: log.create_index("of_the_test"),
            "create a user": lambda: database.command(
                "createUser", "of-the-test", roles=[], pwd=user and user.password
            ),
            "read": log.find_one,
        }
        chosen = names or tuple(name for name in operations if name != "read")
        return {name: _is_unauthorized(operations[name]) for name in chosen}


def _is_unauthorized(operation: Callable[[], object]) -> bool:
    try:
        operation()
    except OperationFailure as error:
        return error.code == UNAUTHORIZED
    return False
