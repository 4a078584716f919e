"""The cluster of KUBECONFIG, the charts on it, and the simulated AWS, as the plays see them."""

import contextlib
import datetime
import json
import os
import pathlib
import shlex
import subprocess
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "windlass"
# The operator's namespace, that of a team, and that of a team that nobody allows anything.
NAMESPACE, TEAM, STRANGERS = "windlass-e2e", "windlass-e2e-team", "windlass-e2e-strangers"
PODS = ["-n", NAMESPACE, "pods", "-l", "app.kubernetes.io/name=windlass"]
PORT = int(os.environ.get("AWS_PORT", "4600"))
# Full names: other operators may have kinds of the same short ones.
FLEET = "fleets.appstream.windlass.dev/office"
INSTANCES, GRANTS = "instances.lightsail.windlass.dev", "accessgrants.access.windlass.dev"
KINDS = f"fleets.appstream.windlass.dev,stacks.appstream.windlass.dev,imagebuilders.appstream.windlass.dev,{INSTANCES}"
# Deleting takes AWS's lag and the longest request before "it is not there" is believed: about a minute and a half for each kind.
PATIENCE = 240


# The lease's default times: 15 s since the last renewal that was seen, then a retry, and an election.
TAKEOVER = 15 + 2 + 8


def program(name, pattern):
    return os.environ.get(name.upper()) or str(next(iter(sorted(CACHE.glob(pattern))), name))


def run(*command, check=True, text=None):
    done = subprocess.run(command, capture_output=True, text=True, input=text)
    if check and done.returncode != 0:
        raise AssertionError(f"{shlex.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def kubectl(*arguments, **more):
    return run(program("kubectl", "control-plane/*/kubectl"), *arguments, **more)


def helm(*arguments):
    return run(program("helm", "helm/*/helm4"), *arguments, "--namespace", NAMESPACE)


def get(*arguments):
    return json.loads(kubectl("get", *arguments, "-o", "json"))


def apply(*documents):
    kubectl("apply", "--server-side", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))


def aws(path):
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/_sim{path}", timeout=10) as answer:
        return json.load(answer)


def writes():
    """Every write that AWS got, by its operation."""
    return [entry["operation"] for entry in aws("/audit?since=0")["entries"] if entry["mutating"]]


def until(what, so, patience=PATIENCE):
    """What `so` gives once it is true, and how long that took."""
    began = time.monotonic()
    while True:
        try:
            found = so()
        except (AssertionError, OSError, KeyError, TypeError):
            found = None
        if found:
            return found, time.monotonic() - began
        if time.monotonic() - began > patience:
            raise AssertionError(f"waited in vain for {patience} s: {what}")
        time.sleep(0.1)


def rename(name):
    """Edits the fleet, and returns how long it took until AWS had it."""
    kubectl("-n", TEAM, "patch", FLEET, "--type=merge", "-p", json.dumps({"spec": {"displayName": name}}))
    return until(f"AWS has {name!r}", lambda: aws("/fleets/office")["settings"]["DisplayName"] == name)[1]


def pods():
    return [pod for pod in get(*PODS)["items"] if "deletionTimestamp" not in pod["metadata"]]


def leader():
    """The pod that leads."""
    holder = get("-n", NAMESPACE, "lease", "windlass")["spec"].get("holderIdentity", "")
    return {pod["metadata"]["name"]: pod for pod in pods()}[holder.rsplit("_", 1)[0]]


def delete(pod, *more):
    kubectl("-n", NAMESPACE, "delete", "pod", pod["metadata"]["name"], *more)


def restarts():
    return {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods()}


def ask(pod, path):
    """What the pod's own server answers, through the API server."""
    port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
    return kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}:{port}/proxy{path}")


def figure(pod, name):
    line = next(line for line in ask(pod, "/metrics").splitlines() if line.startswith(name + " "))
    return float(line.split()[1])


def rollout():
    kubectl("-n", NAMESPACE, "rollout", "status", "deployment/windlass", "--timeout=180s")
    until("two replicas, one of which leads", lambda: len(pods()) == 2 and leader())


def broken(name, pod, word):
    """Does this to the leader, then edits, and returns how long it took from before it was done until AWS had the edit."""
    began = time.monotonic()
    told(name, pod)
    took = rename(word)
    assert took < TAKEOVER, f"{took:.1f} s until AWS had an edit"
    return time.monotonic() - began


def told(name, pod):
    """Runs the command of this setting for a pod."""
    meant = {"namespace": NAMESPACE, "pod": pod["metadata"]["name"], "node": pod["spec"]["nodeName"]}
    run("sh", "-c", os.environ[name].format(**meant))


@contextlib.contextmanager
def beside(work):
    """Does this in a thread of its own, which has come to a good end when the block ends; the event says that it has ended."""
    ended, failed = threading.Event(), []

    def working():
        try:
            work()
        except AssertionError as error:
            failed.append(error)
        ended.set()

    thread = threading.Thread(target=working)
    thread.start()
    yield ended
    thread.join()
    if failed:
        raise failed[0]


def define(charts=ROOT / "charts"):
    helm("upgrade", "--install", "windlass-crds", str(charts / "windlass-crds"))


def install(*more, charts=ROOT / "charts", image=os.environ.get("IMAGE"), definitions=True):
    """Installs or upgrades both charts, definitions first, and returns how long it took until all was ready.

    Without the definitions nothing is waited for."""
    env = [
        {"name": "AWS_ENDPOINT_URL", "value": f"http://{os.environ['AWS_HOST']}:{PORT}"},
        {"name": "AWS_ACCESS_KEY_ID", "value": "AKIA123456789012OPER"},
        {"name": "AWS_SECRET_ACCESS_KEY", "value": "any-secret-will-do"},
    ]
    egress = [{"ports": [{"port": PORT, "protocol": "TCP"}]}]
    values = ["--set", f"region=us-east-1,secrets.namespaces={{{TEAM}}}", "--set-json", f"env={json.dumps(env)}"]
    values += ["--set-json", f"networkPolicy.extraEgress={json.dumps(egress)}"]
    if image:
        repository, tag = image.rsplit(":", 1)
        values += ["--set", f"image.repository={repository},image.tag={tag}"]
    if os.environ.get("TEST_IMAGE"):
        values += ["--set", f"test.image={os.environ['TEST_IMAGE']}"]
    began = time.monotonic()
    if definitions:
        define(charts)
        more += ("--wait", "--timeout", "3m")
    helm("upgrade", "--install", "windlass", str(charts / "windlass"), *values, *more)
    return time.monotonic() - began


def uninstall():
    helm("uninstall", "windlass", "--wait")
    helm("uninstall", "windlass-crds", "--wait")


def secret(name):
    """The Secret of a grant, or nothing."""
    found = get("-n", TEAM, "secrets", "--field-selector", f"metadata.name={name}")["items"]
    return found[0] if found else None


def ends(grant):
    """When a grant ends, in seconds since 1970; this machine and the cluster are taken to have the same time."""
    text = get("-n", TEAM, GRANTS, grant)["status"]["endsAt"]
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def gone_late(grant, end):
    """Waits until the grant's Secret is gone, and returns how long after the grant's end that was."""
    until(f"the Secret of {grant} is gone", lambda: secret(grant) is None)
    late = time.time() - end
    assert late >= 0, f"the Secret went {-late:.1f} s before its end"
    return late
