"""Redis and MongoDB with TLS and users: the settings of the overlays, and the rights of the users on real servers."""

import hashlib
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from store_servers import START_TIMEOUT_S, Store, context, load_shell

from cluster_test import redis_client

from conftest import K8S, Overlay, config, containers_of, errors, name_of, pod_of, references, rendered, tool
from tls_secrets import client_context, content, names, secrets

ROOT = K8S.parent
OWNER_READS = 0o400
MOUNT = "/etc/stores-login"
# The Secrets of the stores that each workload may use, and no other.
SECRETS = {
    "redis": {"redis-tls", "redis-consumer", "redis-viewer", "redis-grafana"},
    "mongodb": {"mongodb-tls", "mongodb-consumer", "mongodb-viewer"},
    "consumer": {"redis-tls", "redis-consumer", "mongodb-tls", "mongodb-consumer"},
    "viewer": {"redis-tls", "redis-viewer", "mongodb-tls", "mongodb-viewer"},
    "grafana": {"redis-tls", "redis-grafana"},
}
# Who may connect.
CLIENTS = {"redis": {"consumer", "viewer", "grafana"}, "mongodb": {"consumer", "viewer"}}
REDIS_PASSWORDS = {"consumer": "of-the-consumer", "viewer": "of-the-viewer", "grafana": "of-grafana"}
MONGODB_PASSWORDS = {"consumer": "of-the-consumer", "viewer": "of-the-viewer"}
UNAUTHORIZED, AUTHENTICATION_FAILED = "(13)", "(18)"


@pytest.fixture(params=["kind", "lab", "lab-lag"])
def overlay(request: pytest.FixtureRequest) -> Overlay:
    """Every overlay with the stores inside the cluster."""
    return rendered(request.param)


def test_redis_has_only_a_port_with_tls_and_no_user_without_a_password(overlay: Overlay) -> None:
    lines = config(overlay, "redis")["redis.conf"].splitlines()
    settings = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    assert (settings["port"], settings["tls-port"]) == ("0", "6379")
    assert settings["aclfile"] == "/tmp/users.acl"  # noqa: S108
    assert settings["tls-cert-file"] == "/etc/redis-tls/tls.crt"
    assert "requirepass" not in settings


def test_mongodb_has_only_a_port_with_tls_and_requires_a_user(overlay: Overlay) -> None:
    settings = yaml.safe_load(config(overlay, "mongodb")["mongod.conf"])
    assert settings["net"]["tls"]["mode"] == "requireTLS"
    assert settings["security"]["authorization"] == "enabled"
    (container,) = containers_of(overlay.named("StatefulSet", "mongodb"))
    script = config(overlay, "mongodb")["start.sh"]
    assert container["command"] == ["/bin/sh", "/etc/mongodb-config/start.sh"]
    assert settings["net"]["tls"]["certificateKeyFile"] in script
    assert settings["security"]["keyFile"] in script
    assert container["lifecycle"]["postStart"]["exec"]["command"] == ["/bin/sh", "/etc/mongodb-config/users.sh"]


@pytest.mark.parametrize("name", ["redis", "mongodb"])
def test_files_of_a_store_are_readable_only_by_it_and_not_on_a_disk(overlay: Overlay, name: str) -> None:
    pod = pod_of(overlay.named("StatefulSet", name))
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["tls"]["secret"] == {"secretName": f"{name}-tls", "defaultMode": OWNER_READS}
    users = volumes["users"]["projected"]
    assert users["defaultMode"] == OWNER_READS
    for source in users["sources"]:
        (item,) = source["secret"]["items"]
        assert (source["secret"]["name"], item["key"]) == (f"{name}-{item['path']}", "password")
    assert volumes["tmp"]["emptyDir"]["medium"] == "Memory"


def test_each_workload_has_only_the_secrets_of_its_own_users(overlay: Overlay) -> None:
    for workload in overlay.workloads():
        secrets_of_pod = {name for kind, name in references(pod_of(workload)) if kind == "Secret"}
        used = {name for name in secrets_of_pod if name.startswith(("redis-", "mongodb-"))}
        assert used == SECRETS.get(workload["metadata"]["name"], set()), name_of(workload)


@pytest.mark.parametrize("name", ["consumer", "viewer"])
def test_programs_verify_the_stores_and_log_in_as_their_users(overlay: Overlay, name: str) -> None:
    pod = pod_of(overlay.named("Deployment", name))
    (container,) = pod["containers"]
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    (volume,) = (found["projected"] for found in pod["volumes"] if found["name"] == "stores-login")
    (mount,) = (found for found in container["volumeMounts"] if found["name"] == "stores-login")
    assert (mount["mountPath"], mount["readOnly"], volume["defaultMode"]) == (MOUNT, True, OWNER_READS)
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsUser"]
    files = {
        f"{MOUNT}/{item['path']}": (source["secret"]["name"], item["key"])
        for source in volume["sources"]
        for item in source["secret"]["items"]
    }
    redis, mongodb = urlsplit(variables["REDIS_URL"]), urlsplit(variables["MONGODB_URI"])
    options = parse_qs(mongodb.query)
    assert (redis.scheme, redis.username, redis.password) == ("rediss", name, None)
    assert (mongodb.username, mongodb.password) == (name, None)
    assert (options["tls"], options["authSource"], options["replicaSet"]) == (["true"], ["votes"], ["rs0"])
    assert redis.hostname in names(secrets()["redis-tls"])
    assert mongodb.hostname in names(secrets()["mongodb-tls"])
    assert files == {
        variables["REDIS_CA"]: ("redis-tls", "ca.crt"),
        variables["REDIS_PASSWORD_FILE"]: (f"redis-{name}", "password"),
        options["tlsCAFile"][0]: ("mongodb-tls", "ca.crt"),
        variables["MONGODB_PASSWORD_FILE"]: (f"mongodb-{name}", "password"),
    }


def test_only_the_programs_that_use_a_store_reach_it(overlay: Overlay) -> None:
    for name, clients in CLIENTS.items():
        (rule,) = overlay.named("NetworkPolicy", name)["spec"]["ingress"]
        (source,) = rule["from"]
        assert set(source["podSelector"]["matchExpressions"][0]["values"]) == clients
        for policy in overlay.of("NetworkPolicy"):
            reaches = f"'app.kubernetes.io/name': '{name}'" in str(policy["spec"].get("egress"))
            assert reaches == (policy["metadata"]["name"] in clients), name_of(policy)


def test_grafana_reads_redis_by_tls_as_its_own_user() -> None:
    overlay = rendered("kind")
    (container,) = pod_of(overlay.named("Deployment", "grafana"))["containers"]
    variables = {variable["name"]: variable for variable in container["env"]}
    assert urlsplit(variables["REDIS_URL"]["value"]).hostname in names(secrets()["redis-tls"])
    references = {name: variables[name]["valueFrom"]["secretKeyRef"] for name in ("REDIS_CA", "REDIS_PASSWORD")}
    assert references == {
        "REDIS_CA": {"name": "redis-tls", "key": "ca.crt"},
        "REDIS_PASSWORD": {"name": "redis-grafana", "key": "password"},
    }
    sources = yaml.safe_load(config(overlay, "grafana-datasources")["dualpath.yml"])
    expected = yaml.safe_load((ROOT / "grafana/provisioning/datasources/dualpath.yml").read_text())
    (redis,) = (source for source in expected["datasources"] if source["name"] == "Redis")
    redis["jsonData"] |= {"tlsAuth": True, "acl": True, "user": "grafana"}
    redis["secureJsonData"]["tlsCACert"] = "${REDIS_CA}"
    assert sources == expected


def test_cert_manager_makes_the_certificates_of_the_stores() -> None:
    # No overlay has cert-manager and these stores.
    command = [tool("kustomize"), "build", str(K8S / "components/tls-cert-manager-stores")]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert errors(text) == []
    made = {found["spec"]["secretName"]: found["spec"] for found in yaml.safe_load_all(text)}
    assert {name: set(spec["dnsNames"]) for name, spec in made.items()} == {
        name: names(secrets()[name]) for name in ("redis-tls", "mongodb-tls")
    }
    assert made["mongodb-tls"]["usages"] == ["server auth", "client auth"]
    for name, spec in made.items():
        assert spec["issuerRef"] == {"name": "dualpath-ca", "kind": "Issuer"}, name


def test_mongodb_may_connect_to_itself() -> None:
    # It does so to build an index, and verifies the purpose of the certificate.
    command = ["openssl", "x509", "-noout", "-ext", "extendedKeyUsage"]
    certificate = content(secrets()["mongodb-tls"], "tls.crt")
    text = subprocess.run(command, input=certificate, check=True, capture_output=True).stdout.decode()
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in text


def access_control_list(directory: Path) -> dict[str, str]:
    """Returns the rights of each user in the list that users.sh writes."""
    redis = Store("redis", directory, REDIS_PASSWORDS)
    assert redis.script("users.sh").wait(START_TIMEOUT_S) == 0, redis.log("users.sh")
    lines = (directory / "tmp/users.acl").read_text().splitlines()
    assert lines[0] == "user default off"
    matches = [re.fullmatch(r"user (\w+) on #([0-9a-f]{64}) resetchannels (.+)", line) for line in lines[1:]]
    digests = {match.group(1): match.group(2) for match in matches}
    for user, password in REDIS_PASSWORDS.items():
        assert digests[user] == hashlib.sha256(password.encode()).hexdigest()
    assert (directory / "tmp/users.acl").stat().st_mode & 0o077 == 0
    return {match.group(1): match.group(3) for match in matches}


def test_users_of_redis_have_the_rights_of_the_one_machine_stack(tmp_path: Path) -> None:
    source = (ROOT / "lab/src/launch/users.rs").read_text()

    def commands(constant: str) -> list[str]:
        return re.search(rf'const {constant}: &str = "([^"]+)";', source).group(1).replace("\\\n", " ").split()

    rights = {user: text.split() for user, text in access_control_list(tmp_path / "redis").items()}
    assert rights.keys() == {"admin", *REDIS_PASSWORDS}
    assert rights["consumer"] == ["~{votes}:*", *commands("CONSUMER_COMMANDS")]
    assert rights["viewer"] == ["%R~{votes}:*", *commands("VIEWER_COMMANDS")]
    used = set(re.findall(r'"command": "(\w+)"', (ROOT / "grafana/dashboards/dualpath-tallies.json").read_text()))
    assert rights["grafana"][0] == "%R~{votes}:*"
    assert set(rights["grafana"][1:]) == {"+ping"} | {f"+{command}" for command in used}


@pytest.mark.parametrize("password", [None, "", "\n"])
def test_redis_does_not_start_with_a_user_without_a_password(tmp_path: Path, password: str | None) -> None:
    store = Store("redis", tmp_path / "redis", REDIS_PASSWORDS)
    file = store.directory / "users/viewer"
    file.unlink()
    if password is not None:
        file.write_text(password)
    assert store.script("start.sh").wait(START_TIMEOUT_S) == 1


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A running Redis with the settings of base/stores."""
    store = Store("redis", tmp_path_factory.mktemp("redis") / "pod", REDIS_PASSWORDS)
    with store.running():
        yield store


def execute(redis: Store, user: str, *command: str) -> str:
    """Runs a command as a user."""
    password = (redis.directory / "tmp/admin").read_text() if user == "admin" else REDIS_PASSWORDS[user]
    (answer,) = redis_client.run((user, password), list(command), address=redis.address, context=client_context())
    return answer


def test_redis_answers_only_by_tls_and_after_a_login(redis: Store) -> None:
    assert not redis_client.answers_without_tls(redis.address)
    (answer,) = redis_client.run(None, ["GET", "{votes}:total"], address=redis.address, context=client_context())
    assert answer.startswith("-NOAUTH")
    with pytest.raises(redis_client.RedisError, match="WRONGPASS"):
        redis_client.run(("viewer", "wrong"), address=redis.address, context=client_context())
    with pytest.raises(redis_client.RedisError, match="WRONGPASS"):
        redis_client.run(("default", ""), address=redis.address, context=client_context())
    other = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        redis_client.run(None, address=redis.address, context=other)


def test_consumer_writes_votes_and_administers_nothing_in_redis(redis: Store) -> None:
    assert execute(redis, "consumer", "SET", "{votes}:total", "7") == "OK"
    for command in ("SET other 1", "CONFIG GET maxmemory", "ACL LIST", "KEYS *", "FLUSHALL", "INFO", "SHUTDOWN"):
        assert execute(redis, "consumer", *command.split()).startswith("-NOPERM"), command


@pytest.mark.parametrize("user", ["viewer", "grafana"])
def test_readers_change_nothing_in_redis(redis: Store, user: str) -> None:
    execute(redis, "consumer", "SET", "{votes}:total", "7")
    assert execute(redis, user, "GET", "{votes}:total") == "7"
    assert execute(redis, user, "GET", "other").startswith("-NOPERM")
    for command in ("SET {votes}:total 8", "DEL {votes}:total", "HSET {votes}:route a 1", "EVAL return 0", "INFO"):
        assert execute(redis, user, *command.split()).startswith("-NOPERM"), command


def test_administrator_of_redis_may_do_everything(redis: Store) -> None:
    assert "maxmemory" in execute(redis, "admin", "CONFIG", "GET", "maxmemory")


@pytest.fixture(scope="module")
def mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A running MongoDB with the settings of base/stores."""
    store = Store("mongodb", tmp_path_factory.mktemp("mongodb") / "pod", MONGODB_PASSWORDS)
    with store.running():
        yield store


SHELL = load_shell()


def command(mongodb: Store, user: str | None, database: str, document: dict, password: str | None = None) -> dict:
    """Runs a command as a user, or without a login."""
    client = SHELL.Client(*mongodb.address, context())
    if user == "admin":
        client.auth("admin", user, (mongodb.directory / "data/db/admin-password").read_text())
    elif user:
        client.auth("votes", user, password or MONGODB_PASSWORDS[user])
    return client.run_command(database, document)


INSERT = {"insert": "of_the_test", "documents": [{"x": 1}]}
FIND = {"find": "of_the_test"}


def refusal(*arguments: object) -> str:
    """Runs a command that MongoDB must refuse; returns the message."""
    with pytest.raises(SHELL.ShellError) as error:
        command(*arguments)
    return str(error.value)


def test_mongodb_answers_only_by_tls_and_after_a_login(mongodb: Store) -> None:
    with socket.create_connection(mongodb.address, 5) as plain:
        body = b"\0\0\0\0\0" + SHELL.encode({"ping": 1, "$db": "admin"})
        plain.sendall((len(body) + 16).to_bytes(4, "little") + bytes(8) + (2013).to_bytes(4, "little") + body)
        assert plain.recv(100) == b""
    assert command(mongodb, None, "admin", {"ping": 1})["ok"] == 1
    assert refusal(mongodb, None, "votes", FIND).endswith(UNAUTHORIZED)
    assert refusal(mongodb, "viewer", "votes", FIND, "wrong").endswith(AUTHENTICATION_FAILED)
    # Nobody can be the first user any more.
    creation = {"createUser": "other", "pwd": "x", "roles": ["root"]}
    assert refusal(mongodb, None, "admin", creation).endswith(UNAUTHORIZED)


def test_consumer_writes_votes_and_administers_nothing_in_mongodb(mongodb: Store) -> None:
    assert command(mongodb, "consumer", "votes", INSERT)["ok"] == 1
    creation = {"createUser": "other", "pwd": "x", "roles": []}
    for database, document in (
        ("votes", creation),
        ("other", INSERT),
        ("admin", {"getParameter": "*"}),
        ("admin", {"replSetGetStatus": 1}),
        ("admin", {"shutdown": 1}),
    ):
        assert refusal(mongodb, "consumer", database, document).endswith(UNAUTHORIZED), document


def test_viewer_changes_nothing_in_mongodb(mongodb: Store) -> None:
    assert command(mongodb, "viewer", "votes", FIND)["ok"] == 1
    for document in (INSERT, {"drop": "of_the_test"}, {"createIndexes": "of_the_test", "indexes": []}):
        assert refusal(mongodb, "viewer", "votes", document).endswith(UNAUTHORIZED), document


def test_restarts_keep_votes_and_change_passwords(tmp_path: Path) -> None:
    mongodb = Store("mongodb", tmp_path / "pod", MONGODB_PASSWORDS)
    with mongodb.running():
        command(mongodb, "consumer", "votes", INSERT)
    mongodb.set_passwords({"viewer": "new"})
    with mongodb.running():
        assert command(mongodb, "viewer", "votes", {"count": "of_the_test"}, "new")["n"] == 1
        assert refusal(mongodb, "viewer", "votes", FIND).endswith(AUTHENTICATION_FAILED)
        assert command(mongodb, "admin", "admin", {"replSetGetStatus": 1})["ok"] == 1


def test_start_ends_the_preparation_that_an_earlier_one_began(tmp_path: Path) -> None:
    mongodb = Store("mongodb", tmp_path / "pod", MONGODB_PASSWORDS)
    script = mongodb.directory / "config/users.sh"
    complete = script.read_text()
    script.write_text(complete.replace("retry ensure_admin", "exit"))
    with mongodb.running():
        script.write_text(complete)
    with mongodb.running():
        assert command(mongodb, "consumer", "votes", INSERT)["ok"] == 1


def test_script_makes_a_password_for_every_user() -> None:
    command = [str(K8S / "components/stores-login/make-passwords.sh")]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    made = {found["metadata"]["name"]: found["stringData"]["password"] for found in yaml.safe_load_all(text) if found}
    assert made.keys() == {name for used in SECRETS.values() for name in used if not name.endswith("-tls")}
    assert len(set(made.values())) == len(made)
