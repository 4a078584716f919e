"""Writes argocd-cm.yaml: the scripts of this folder for every kind in crds/. Standard output with --print."""

import pathlib
import sys
import textwrap

HERE = pathlib.Path(__file__).parent
CRDS = HERE.parent.parent / "crds"
ACTIONS = ["refresh", "start", "stop"]


def kinds():
    """Group, kind and the definition's text, in the order of the files' names."""
    for path in sorted(CRDS.glob("*.yaml")):
        text = path.read_text()
        group = next(line.split(": ")[1] for line in text.splitlines() if line.startswith("  group: "))
        yield group, _kind(text), text


def _kind(text):
    names = text.split("\n  names:\n", 1)[1]
    return next(line.split(": ")[1] for line in names.splitlines() if line.startswith("    kind: "))


def block(text, by):
    return textwrap.indent(text.rstrip("\n"), " " * by) + "\n"


def manifest():
    out = (
        "# Health and actions of Windlass objects for Argo CD. Made by deploy/argocd/generate.py; do not edit.\n"
        "# kubectl -n argocd patch configmap argocd-cm --type merge --patch-file deploy/argocd/argocd-cm.yaml\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\n  namespace: argocd\ndata:\n"
    )
    for group, kind, text in kinds():
        out += f"  resource.customizations.health.{group}_{kind}: |\n"
        out += block((HERE / "health.lua").read_text(), 4)
        actions = ACTIONS if "\n              desiredState:" in text else ["refresh"]
        out += f"  resource.customizations.actions.{group}_{kind}: |\n"
        out += "    discovery.lua: |\n" + block((HERE / "actions/discovery.lua").read_text(), 6)
        out += "    definitions:\n"
        for action in actions:
            out += f"    - name: {action}\n      action.lua: |\n" + block((HERE / f"actions/{action}.lua").read_text(), 8)
    return out


if __name__ == "__main__":
    if "--print" in sys.argv:
        print(manifest(), end="")
    else:
        (HERE / "argocd-cm.yaml").write_text(manifest())
