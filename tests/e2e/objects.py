"""What the team declares: one object of each kind."""

import pathlib

import bed

FLEET = (pathlib.Path(bed.ROOT) / "examples/fleet-on-demand.yaml").read_text()


def _object(group, kind, name, spec, namespace=bed.TEAM):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{group}.windlass.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def beside_the_fleet():
    """A stack of the fleet `office`, an image builder, and a machine with an address that stays."""
    builder = {"instanceType": "stream.standard.medium", "imageName": "windlass-demo-v1"}
    return [
        _object("appstream", "Stack", "office", {"fleetRef": {"name": "office"}, "displayName": "Office"}),
        _object("appstream", "ImageBuilder", "workshop", builder),
        machine("web", bed.TEAM, staticIp={}),
    ]


def machine(name, namespace, **more):
    spec = {"availabilityZone": "us-east-1a", "blueprintId": "ubuntu_24_04", "bundleId": "nano_3_0", **more}
    return _object("lightsail", "Instance", name, spec, namespace)


def grant(name, duration):
    target = {"instanceRef": {"name": "web"}, "protocol": "ssh"}
    return _object("access", "AccessGrant", name, {"lightsailInstance": target, "duration": duration, "reason": "The end-to-end test."})


def account(targets):
    """Allows the team everything that it does, and grants for these targets."""
    spec = {"default": True, "namespaces": {"names": [bed.TEAM]}, "allow": {"grants": {"targets": targets}}}
    return _object("aws", "Account", "windlass-e2e", spec, None)
