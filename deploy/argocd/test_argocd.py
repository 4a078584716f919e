"""The scripts for Argo CD, run by a Lua 5.1 interpreter: health says what kstatus says, and actions change what they should."""

import copy
import itertools
import pathlib

import pytest
import yaml
from lupa.lua51 import LuaRuntime

import generate

HERE = pathlib.Path(__file__).parent
SAMPLES = sorted((HERE / "samples").glob("*.yaml"))


def run(script, obj):
    """What the script returns for the object, as Argo CD calls it."""
    lua = LuaRuntime(unpack_returned_tuples=True)

    def table(value):
        if isinstance(value, dict):
            return lua.table_from({key: table(below) for key, below in value.items()})
        if isinstance(value, list):
            return lua.table_from([table(below) for below in value])
        return value

    def plain(value):
        if type(value).__name__ != "_LuaTable":
            return value
        keys = list(value.keys())
        if keys and all(isinstance(key, int) for key in keys):
            return [plain(value[key]) for key in keys]
        return {key: plain(value[key]) for key in keys}

    lua.globals().obj = table(obj)
    return plain(lua.execute((HERE / script).read_text()))


def kstatus(obj):
    """The rules of sigs.k8s.io/cli-utils/pkg/kstatus for custom resources, as Argo CD's words for them."""
    if "deletionTimestamp" in obj["metadata"]:
        return "Progressing"
    status = obj.get("status", {})
    if status.get("observedGeneration") != obj["metadata"]["generation"]:
        return "Progressing"
    conditions = status.get("conditions", [])
    for condition in conditions:
        if condition["status"] == "True" and condition["type"] in ("Reconciling", "Stalled"):
            return {"Reconciling": "Progressing", "Stalled": "Degraded"}[condition["type"]]
    for condition in conditions:
        if condition["type"] == "Ready":
            return "Healthy" if condition["status"] == "True" else "Progressing"
    return "Healthy"


def test_the_manifest_is_made_from_the_scripts():
    assert (HERE / "argocd-cm.yaml").read_text() == generate.manifest(), "run python3 deploy/argocd/generate.py"


def test_the_manifest_holds_each_script_for_each_kind():
    data = yaml.safe_load((HERE / "argocd-cm.yaml").read_text())["data"]
    kinds = [f"{group}_{kind}" for group, kind, _ in generate.kinds()]
    assert sorted(data) == sorted(f"resource.customizations.{what}.{kind}" for kind in kinds for what in ("health", "actions"))
    for kind in kinds:
        assert data[f"resource.customizations.health.{kind}"].strip() == (HERE / "health.lua").read_text().strip()
        actions = yaml.safe_load(data[f"resource.customizations.actions.{kind}"])
        assert actions["discovery.lua"].strip() == (HERE / "actions/discovery.lua").read_text().strip()
        for action in actions["definitions"]:
            assert action["action.lua"].strip() == (HERE / f"actions/{action['name']}.lua").read_text().strip()


def test_health_is_what_kstatus_says_in_every_combination():
    words = [None, "True", "False", "Unknown"]
    seen = set()
    for order in itertools.permutations(["Ready", "Reconciling", "Stalled"]):
        for states in itertools.product(words, repeat=3):
            for observed, deleted in itertools.product([None, -1, 1, 2], [False, True]):
                conditions = [
                    {"type": name, "status": state, "message": name} for name, state in zip(order, states) if state is not None
                ]
                obj = {"metadata": {"name": "x", "generation": 2}, "spec": {}, "status": {"conditions": conditions}}
                if observed is not None:
                    obj["status"]["observedGeneration"] = observed
                if deleted:
                    obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
                health = run("health.lua", obj)["status"]
                assert health == kstatus(obj), obj
                seen.add(health)
    assert seen == {"Healthy", "Progressing", "Degraded"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_health_of_an_object_as_a_real_api_server_gave_it(path):
    obj = yaml.safe_load(path.read_text())
    health = run("health.lua", obj)
    assert health["status"] == kstatus(obj)
    # The file's name begins with what people should see.
    assert health["status"].lower() == path.stem.split("-")[0]
    assert health["message"]


def test_there_are_samples_of_each_health_of_each_kind():
    kinds = {kind.lower() for _, kind, _ in generate.kinds()}
    there = {path.stem for path in SAMPLES} - {"healthy-ended-accessgrant"}
    assert there == {f"{health}-{kind}" for health in ("healthy", "progressing", "degraded") for kind in kinds}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_an_object_of_any_kind_and_state_progresses_when_it_is_edited_or_deleted(path):
    obj = yaml.safe_load(path.read_text())
    edited, deleted, new = copy.deepcopy(obj), copy.deepcopy(obj), copy.deepcopy(obj)
    edited["metadata"]["generation"] += 1
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    new["status"] = {"observedGeneration": -1}
    for obj in (edited, deleted, new):
        assert run("health.lua", obj)["status"] == kstatus(obj) == "Progressing"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_manifest_offers_an_object_the_actions_that_its_kind_has(path):
    obj = yaml.safe_load(path.read_text())
    group, kind = obj["apiVersion"].split("/")[0], obj["kind"]
    data = yaml.safe_load((HERE / "argocd-cm.yaml").read_text())["data"]
    defined = yaml.safe_load(data[f"resource.customizations.actions.{group}_{kind}"])["definitions"]
    assert set(run("actions/discovery.lua", obj)) == {action["name"] for action in defined}


def test_actions_are_offered_where_they_make_sense():
    for wanted, start, stop in [("Running", True, False), ("Stopped", False, True)]:
        offered = run("actions/discovery.lua", {"metadata": {"name": "x"}, "spec": {"desiredState": wanted}})
        assert offered == {"refresh": {"disabled": False}, "start": {"disabled": start}, "stop": {"disabled": stop}}
    assert run("actions/discovery.lua", {"metadata": {"name": "x"}, "spec": {}}) == {"refresh": {"disabled": False}}


def test_actions_change_one_thing():
    before = yaml.safe_load((HERE / "samples/healthy-fleet.yaml").read_text())
    for action, state in [("start", "Running"), ("stop", "Stopped")]:
        expected = copy.deepcopy(before)
        expected["spec"]["desiredState"] = state
        assert run(f"actions/{action}.lua", before) == expected
    after = run("actions/refresh.lua", before)
    asked = after["metadata"]["annotations"].pop("windlass.dev/reconcile-requested-at")
    assert len(asked) == len("2026-01-01T00:00:00Z")
    before["metadata"].setdefault("annotations", {})
    after["metadata"]["annotations"] = after["metadata"]["annotations"] or {}
    assert after == before
