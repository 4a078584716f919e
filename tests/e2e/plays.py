"""The steps, in their order. Each says in a line what was seen, or fails."""

import collections
import contextlib
import os
import pathlib
import subprocess
import tempfile
import time

import bed
import objects
from bed import GRANTS, KINDS, NAMESPACE, STRANGERS, TAKEOVER, TEAM, aws, broken, delete, get, helm, install, kubectl, leader, pods, rename
from bed import rollout, told, until, writes

table = []


def step(title, *needs):
    def play(body):
        missing = [name for name in needs if not os.environ.get(name)]
        if missing:
            table.append((title, f"left out: {', '.join(missing)} not given"))
            return
        print(f"--- {title}", flush=True)
        table.append((title, body()))
        print(f"    {table[-1][1]}", flush=True)

    return play


def play():
    ours = not kubectl("get", "crd", "--ignore-not-found", bed.FLEET.split("/")[0])
    begin()
    lives()
    leader_goes()
    leader_cannot()
    upgrades()
    nodes()
    end()
    if ours:
        without_definitions()
    last()


@contextlib.contextmanager
def charts_of(commit):
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "-C", bed.ROOT, "archive", commit, "charts"], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], check=True, input=archive)
        yield pathlib.Path(folder) / "charts"


def begin():
    for namespace in (NAMESPACE, TEAM, STRANGERS):
        bed.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    kubectl("label", "--overwrite", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    earlier = os.environ.get("FROM_IMAGE") and os.environ.get("FROM")

    @step(f"install with two replicas{f', as {earlier} was' if earlier else ''}")
    def _():
        if earlier:
            with charts_of(earlier) as charts:
                took = install(charts=charts, image=os.environ["FROM_IMAGE"])
        else:
            took = install()
        rollout()
        nodes = {pod["spec"]["nodeName"] for pod in pods()}
        assert len(nodes) == 2, f"both replicas are on {nodes}"
        return f"{took:.1f} s until both are ready, one on each of two nodes, under the restricted standard"

    @step("a fleet from nothing to Ready, by the words of the chart's notes")
    def _():
        notes = [line.strip() for line in helm("get", "notes", "windlass").splitlines()]
        for line in notes:
            if line.startswith(("kubectl get crd", f"kubectl -n {NAMESPACE} rollout")):
                kubectl(*line.split()[1:])
        assert "kubectl apply -f examples/fleet-on-demand.yaml" in notes, notes
        wait = next(line for line in notes if line.startswith("kubectl wait")).replace("30m", "3m")
        began = time.monotonic()
        kubectl("-n", TEAM, "apply", "-f", "-", text=objects.FLEET)
        kubectl("-n", TEAM, *wait.split()[1:])
        return f"{time.monotonic() - began:.1f} s, of which AWS takes 3 s"

    @step("a stack, an image builder and an instance")
    def _():
        began = time.monotonic()
        bed.apply(*objects.beside_the_fleet())
        all_ready()
        assert aws("/stacks/office")["fleet"] == "office", aws("/stacks/office")
        return f"{time.monotonic() - began:.1f} s until all are Ready"

    @step("an edit, nothing broken")
    def _():
        return f"AWS has it after {rename('calm'):.2f} s"

    if earlier:

        @step(f"upgrade from {earlier} to this version, under edits")
        def _():
            before = get("-n", TEAM, KINDS)["items"]
            words = under_edits("new version", install)
            all_ready()
            after = get("-n", TEAM, KINDS)["items"]
            assert [item["status"]["arn"] for item in before] == [item["status"]["arn"] for item in after]
            return words + "; all objects stand for what they stood for"

    @step("helm test", "TEST_IMAGE")
    def _():
        said = helm("test", "windlass")
        assert "Succeeded" in said, said
        return "passed"

    @step("both replicas serve")
    def _():
        leads = sorted(int(bed.figure(pod, "windlass_leader")) for pod in pods())
        assert leads == [0, 1], leads
        assert all(bed.ask(pod, "/readyz") and bed.ask(pod, "/livez") for pod in pods())
        sizes = ", ".join(f"{bed.figure(pod, 'process_resident_memory_bytes') / 2**20:.1f} MiB" for pod in pods())
        return f"/readyz, /livez and /metrics; one leads; resident: {sizes}"


def all_ready():
    kubectl("-n", TEAM, "wait", "--for=condition=Ready", "--timeout=180s", KINDS, "--all")


def lives():
    @step("a grant on the instance")
    def _():
        began = time.monotonic()
        bed.apply(objects.grant("fix", "2h"))
        found, took = until("its Secret", lambda: bed.secret("fix"))
        kubectl("-n", TEAM, "wait", "--for=condition=Ready", "--timeout=60s", f"{GRANTS}/fix")
        assert {"ssh-privatekey", "ssh-privatekey-cert.pub", "ssh_config", "known_hosts"} <= set(found["data"]), found["data"].keys()
        return f"its Secret is there after {time.monotonic() - began:.1f} s" if took else ""

    @step("a grant ends")
    def _():
        bed.apply(objects.grant("brief", "1m"))
        until("its Secret", lambda: bed.secret("brief"))
        late = bed.gone_late("brief", bed.ends("brief"))
        kubectl("-n", TEAM, "wait", "--for=condition=Ended", "--timeout=20s", f"{GRANTS}/brief")
        assert late < 5, late
        return f"its Secret is gone {late:.1f} s after the end"

    @step("an Account: who may do what")
    def _():
        made = len(writes())
        bed.apply(objects.account(["LightsailInstance"]), objects.machine("theirs", STRANGERS))
        until("it is refused", lambda: stalled("-n", STRANGERS, bed.INSTANCES, "theirs") == "NotAllowed", 30)
        kubectl("-n", STRANGERS, "delete", f"{bed.INSTANCES}/theirs", "--timeout=60s")
        all_ready()
        key = bed.secret("fix")["metadata"]["uid"]
        bed.apply(objects.account([]))
        _, took = until("the Secret is gone", lambda: bed.secret("fix") is None, 30)
        bed.apply(objects.account(["LightsailInstance"]))
        until("the Secret is back", lambda: bed.secret("fix")["metadata"]["uid"] != key)
        assert len(writes()) == made, writes()[made:]
        return f"a namespace that it does not name is refused; a grant that it allows no more loses its Secret after {took:.1f} s; no write to AWS"


def stalled(*what):
    conditions = get(*what)["status"]["conditions"]
    return next(condition["reason"] for condition in conditions if condition["type"] == "Stalled" and condition["status"] == "True")


def leader_goes():
    @step("leader deleted")
    def _():
        delete(leader(), "--wait=false")
        took = rename("deleted")
        rollout()
        assert took < TAKEOVER, took
        return f"an edit is in AWS after {took:.1f} s (the lease is given back)"

    @step("leader's node drained")
    def _():
        drained = leader()
        # The one on the other node is ready: the budget lets this one go at once.
        command = ["drain", drained["spec"]["nodeName"], "--pod-selector=app.kubernetes.io/name=windlass", "--timeout=60s"]
        with bed.beside(lambda: kubectl(*command)):
            until("it is told to go", lambda: drained["metadata"]["name"] not in [pod["metadata"]["name"] for pod in pods()])
            took = rename("drained")
        kubectl("uncordon", drained["spec"]["nodeName"])
        rollout()
        assert took < TAKEOVER, took
        # So that the replicas are on two nodes again.
        delete(next(pod for pod in pods() if pod["metadata"]["name"] != leader()["metadata"]["name"]))
        rollout()
        return f"an edit is in AWS after {took:.1f} s"

    @step("leader killed", "KILL")
    def _():
        took = broken("KILL", leader(), "killed")
        rollout()
        return f"an edit is in AWS after {took:.1f} s"


def leader_cannot():
    @step("leader frozen past its lease, then thawed", "FREEZE", "THAW")
    def _():
        frozen = leader()
        took = broken("FREEZE", frozen, "frozen")
        made = len(writes())
        # Long enough for a kubelet to see that it does not answer; short of its restart.
        told("THAW", frozen)
        time.sleep(5)
        assert len(writes()) == made, f"the thawed one wrote {writes()[made:]}"
        assert leader()["metadata"]["name"] != frozen["metadata"]["name"], "the thawed one leads"
        rename("thawed")
        rollout()
        return f"an edit is in AWS after {took:.1f} s; the thawed one wrote nothing"

    @step("leader cut from the network while a grant ends, then healed", "CUT", "HEAL")
    def _():
        bed.apply(objects.grant("cut", "1m"))
        until("its Secret", lambda: bed.secret("cut"))
        end = bed.ends("cut")
        # Cut so shortly before the end that nobody leads at the end.
        time.sleep(max(0, end - time.time() - 2))
        alone = leader()
        took = broken("CUT", alone, "cut")
        late = bed.gone_late("cut", end)
        made = len(writes())
        told("HEAL", alone)
        time.sleep(5)
        assert len(writes()) == made, f"the healed one wrote {writes()[made:]}"
        rename("healed")
        rollout()
        assert late < TAKEOVER, late
        return f"an edit is in AWS after {took:.1f} s, the grant's Secret gone {late:.1f} s after its end; the healed one wrote nothing"

    @step("leader frozen for good", "FREEZE")
    def _():
        frozen = leader()["metadata"]["name"]
        before, began = bed.restarts()[frozen], time.monotonic()
        took = broken("FREEZE", leader(), "frozen for good")
        until("the kubelet restarts it", lambda: bed.restarts()[frozen] == before + 1)
        back = time.monotonic() - began
        rollout()
        return f"an edit is in AWS after {took:.1f} s; the kubelet restarts the frozen one after {back:.0f} s"

    @step("the API server away for longer than the lease", "API_DOWN")
    def _():
        before, made, began = bed.restarts(), len(writes()), time.monotonic()
        told("API_DOWN", leader())
        until("the API server is back", lambda: kubectl("get", "--raw", "/readyz") == "ok")
        away = time.monotonic() - began
        assert away > 15, f"it was away for {away:.0f} s only"
        assert len(writes()) == made, f"somebody wrote {writes()[made:]}"
        took = rename("after the API server")
        rollout()
        assert bed.restarts() == before, f"a replica was restarted: {before} became {bed.restarts()}"
        return f"away for {away:.0f} s, nobody was restarted; an edit made at its return is in AWS after {took:.1f} s"


def under_edits(word, change):
    """Makes a change while the fleet is edited, one edit after the other: each is sent once, and nothing else is."""
    made, edits, slowest = len(writes()), 0, 0.0
    with bed.beside(change) as done:
        while not done.is_set() or edits < 5:
            edits += 1
            slowest = max(slowest, rename(f"{word} {edits}"))
    rollout()
    sent = writes()[made:]
    assert sent == ["UpdateFleet"] * edits, sent
    return f"{edits} edits, {len(sent)} UpdateFleet, nothing twice and nothing else; the slowest was in AWS after {slowest:.1f} s"


def upgrades():
    @step("rolling upgrade under edits")
    def _():
        key = bed.secret("fix")["metadata"]["uid"]
        words = under_edits("upgrade", lambda: install("--set", "objectMetrics=true,logLevel=debug"))
        assert bed.secret("fix")["metadata"]["uid"] == key, "the grant's Secret was made again"
        return words


def nodes():
    @step("the leader's node lost", "LOSE", "JOIN", "LOSE_NODE")
    def _():
        # The leader goes to that node: the other one takes over when it is deleted.
        while leader()["spec"]["nodeName"] != os.environ["LOSE_NODE"]:
            delete(leader())
            rename("moved")
            rename("there")
            rollout()
        lost = leader()
        # The spread is a wish, not a must: where the other node was away for a moment, both are on this one.
        for pod in pods():
            if pod["metadata"]["name"] != lost["metadata"]["name"] and pod["spec"]["nodeName"] == os.environ["LOSE_NODE"]:
                delete(pod)
                rollout()
        took = broken("LOSE", lost, "lost")
        told("JOIN", lost)
        rollout()
        return f"an edit is in AWS after {took:.1f} s"


def end():
    @step("uninstall with all objects there, and a grant that ends meanwhile")
    def _():
        bed.apply(objects.grant("orphaned", "1m"))
        until("its Secret", lambda: bed.secret("orphaned"))
        made, over = len(writes()), bed.ends("orphaned")
        bed.uninstall()
        time.sleep(max(3, over - time.time() + 1))
        assert len(writes()) == made, writes()[made:]
        left = get("-n", TEAM, f"{KINDS},{GRANTS}")["items"]
        assert left and not [item["kind"] for item in left if "deletionTimestamp" in item["metadata"]], left
        began = time.monotonic()
        install()
        until("its Secret is gone", lambda: bed.secret("orphaned") is None)
        took = time.monotonic() - began
        all_ready()
        assert len(writes()) == made, writes()[made:]
        return f"nothing was written to AWS, all objects are there; installed again, the Secret that is over is gone {took:.1f} s after the command"

    @step("delete all objects, and uninstall")
    def _():
        began = time.monotonic()
        # All at once: the fleet waits for the stack.
        kubectl("-n", TEAM, "delete", f"{KINDS},{GRANTS}", "--all", f"--timeout={bed.PATIENCE}s")
        took = time.monotonic() - began
        assert not get("-n", TEAM, "secrets", "-l", "windlass.dev/grant-uid")["items"], "a Secret is left"
        left = [aws(path) for path in ("/fleets", "/stacks", "/builders", "/instances", "/static-ips")]
        assert not any(items for place in left for items in place.values()), left
        kubectl("delete", "accounts.aws.windlass.dev/windlass-e2e")
        bed.uninstall()
        return f"{took:.0f} s until all are gone from AWS and the cluster"


def without_definitions():
    @step("the definitions deleted, and the operator installed without them")
    def _():
        definitions = [item["metadata"]["name"] for item in get("crd")["items"] if item["spec"]["group"].endswith(".windlass.dev")]
        kubectl("delete", "crd", *definitions, "--timeout=60s")
        install(definitions=False)
        # Past the first restart, if one of the probes asked for it.
        time.sleep(45)
        states = [(pod["status"]["phase"], ready(pod)) for pod in pods()]
        assert states == [("Running", False)] * 2 and not any(bed.restarts().values()), (states, bed.restarts())
        logs = [kubectl("-n", NAMESPACE, "logs", pod["metadata"]["name"]) for pod in pods()]
        assert all("the custom resource definitions are not installed" in log for log in logs), logs
        began = time.monotonic()
        bed.define()
        rollout()
        took = time.monotonic() - began
        assert not any(bed.restarts().values()), bed.restarts()
        bed.uninstall()
        return f"both replicas run, are not ready and say so; with them both are ready after {took:.0f} s; no restart"


def ready(pod):
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in pod["status"]["conditions"])


def last():
    @step("what is made once is made once")
    def _():
        counts = collections.Counter(writes())
        once = ["CreateFleet", "CreateStack", "CreateImageBuilder", "CreateInstances", "AllocateStaticIp"]
        once += ["DeleteFleet", "DeleteStack", "DeleteImageBuilder", "DeleteInstance", "ReleaseStaticIp"]
        assert {name: counts[name] for name in once} == dict.fromkeys(once, 1), counts
        return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))

    @step("what a careful operator never does")
    def _():
        violations = aws("/violations")["violations"]
        assert violations == [], violations
        return "was not seen by the simulator"
