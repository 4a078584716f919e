"""A simulator for every test, and AWS's own clients for it in both protocols of AppStream and GameLift."""

import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

import boto3
import botocore
import botocore.config
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("WINDLASS_SIMULATOR", str(ROOT / "target/debug/windlass-simulator"))
ACCOUNT = "123456789012"
KEYS = {"AWS_ACCESS_KEY_ID": f"AKIA{ACCOUNT}SIMU", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
# Fleets in these tests really start: fast enough to wait for.
FLAGS = ["--start", "200ms", "--stop", "100ms", "--scale", "200ms", "--scale-in", "100ms"]
# Instances too; each of these is waited for by its effect.
FLAGS += ["--instance-start", "200ms", "--instance-stop", "100ms", "--instance-delete", "100ms"]
FLAGS += ["--address-lag", "50ms", "--small-change", "50ms", "--host-key-lag", "50ms", "--windows-password", "400ms"]


class Simulator:
    """A running `windlass-simulator` and its admin routes."""

    def __init__(self, *flags):
        command = [BINARY, "--listen", "127.0.0.1:0", *FLAGS, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        assert first.startswith("listening on http://"), first
        self.url = first.removeprefix("listening on ").strip()

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=10)

    def admin(self, method, path, body=None):
        """Calls an admin route; returns its JSON, or the status when it has none."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"} if data else {}
        request = urllib.request.Request(self.url + "/_sim" + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read()
                return json.loads(text) if text else answer.status
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture
def simulator():
    server = Simulator()
    yield server
    server.close()


@pytest.fixture
def simulator_with():
    servers = []

    def start(*flags):
        servers.append(Simulator(*flags))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session", params=["smithy-rpc-v2-cbor", "json"])
def models(request, tmp_path_factory):
    """A folder with botocore's models of AppStream and GameLift, cut down to one of their two protocols."""
    folder = tmp_path_factory.mktemp("models")
    for version in [pathlib.Path("appstream/2016-12-01"), pathlib.Path("gamelift/2015-10-01")]:
        source = pathlib.Path(botocore.__file__).parent / "data" / version
        with gzip.open(source / "service-2.json.gz") as file:
            model = json.load(file)
        assert request.param in model["metadata"]["protocols"]
        model["metadata"].update(protocol=request.param, protocols=[request.param])
        (folder / version).mkdir(parents=True)
        (folder / version / "service-2.json").write_text(json.dumps(model))
    return request.param, folder


@pytest.fixture
def client(models, monkeypatch):
    """Makes boto3 clients: `client(simulator, "appstream")`."""
    protocol, folder = models
    monkeypatch.setenv("AWS_DATA_PATH", str(folder))
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)

    def make(simulator, service="appstream", region="us-east-1", **keys):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=5)
        session = boto3.session.Session()
        made = session.client(service, region_name=region, endpoint_url=simulator.url, config=config, **keys)
        if service in ("appstream", "gamelift"):
            assert made.meta.service_model.resolved_protocol == protocol
            if protocol == "json":
                hold_to_model(made)
        return made

    return make


@pytest.fixture
def lightsail(simulator, monkeypatch):
    """A boto3 client for Lightsail, which has one protocol."""
    return lightsail_client(simulator, monkeypatch)


@pytest.fixture
def lightsail_of(monkeypatch):
    """Makes boto3 clients for Lightsail: `lightsail_of(simulator)`."""
    return lambda simulator, **options: lightsail_client(simulator, monkeypatch, **options)


def unmodelled(shape, value, path=""):
    """Paths of what an answer has and AWS's model has not, or has in another type."""
    if value is None:
        return [f"{path}: null"]
    match shape.type_name:
        case "structure":
            if not isinstance(value, dict):
                return [f"{path}: not a structure"]
            found = [f"{path}.{name}" for name in value if name not in shape.members]
            found += [f"{path}.{name}: required" for name in shape.required_members if name not in value]
            known = [name for name in value if name in shape.members]
            return found + [one for name in known for one in unmodelled(shape.members[name], value[name], f"{path}.{name}")]
        case "list":
            if not isinstance(value, list):
                return [f"{path}: not a list"]
            return [one for at, item in enumerate(value) for one in unmodelled(shape.member, item, f"{path}[{at}]")]
        case "map":
            return [one for name, item in value.items() for one in unmodelled(shape.value, item, f"{path}.{name}")]
        case "string":
            return [] if isinstance(value, str) else [f"{path}: not a string"]
        case "boolean":
            return [] if isinstance(value, bool) else [f"{path}: not a boolean"]
        case "integer" | "long":
            return [] if isinstance(value, int) and not isinstance(value, bool) else [f"{path}: not a whole number"]
        case "float" | "double" | "timestamp":
            return [] if isinstance(value, int | float) and not isinstance(value, bool) else [f"{path}: not a number"]
        case other:
            return [f"{path}: a {other}, which nobody compares"]


def hold_to_model(client):
    """Fails the test when an answer over JSON has a member that AWS's model does not have."""

    def compare(operation_model, response_dict, **_):
        if response_dict["status_code"] == 200 and operation_model.output_shape is not None:
            found = unmodelled(operation_model.output_shape, json.loads(response_dict["body"] or b"{}"))
            assert found == [], f"{operation_model.name}: {found}"

    client.meta.events.register("before-parse", compare)
    return client


def lightsail_client(simulator, monkeypatch, region="us-east-1"):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=5)
    session = boto3.session.Session()
    return hold_to_model(session.client("lightsail", region_name=region, endpoint_url=simulator.url, config=config))


@pytest.fixture
def aws(models, tmp_path):
    """Runs the aws CLI: `aws(simulator, "appstream", "describe-fleets")` returns its JSON."""
    return runner(tmp_path, AWS_DATA_PATH=str(models[1]))


@pytest.fixture
def aws_lightsail(simulator, tmp_path):
    """Runs the aws CLI for Lightsail: `aws_lightsail("get-instances")` returns its JSON."""
    run = runner(tmp_path)
    return lambda *arguments, **options: run(simulator, "lightsail", *arguments, **options)


def runner(tmp_path, **more):
    script = shutil.which("aws", path=str(pathlib.Path(sys.executable).parent))
    assert script, "the aws CLI is not in the environment of this Python"
    nowhere = str(tmp_path / "none")
    env = {
        **KEYS,
        "PATH": os.environ["PATH"],
        **more,
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
    }

    def run(simulator, *arguments, fails=False):
        command = [sys.executable, script, "--endpoint-url", simulator.url, "--output", "json", *arguments]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        if fails:
            assert done.returncode != 0, done.stdout
            return done.stderr.strip()
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run
