"""boto3 and the aws CLI against GetInstanceAccessDetails: what comes back is looked at by OpenSSH's and Python's own tools."""

import base64
import datetime
import hashlib
import re
import shutil
import subprocess

import pytest

from test_lightsail import invalid, missing, refused, running, wait_for, wait_until

needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


def access(lightsail, name="web", protocol="ssh"):
    return lightsail.get_instance_access_details(instanceName=name, protocol=protocol)["accessDetails"]


def ready(lightsail):
    """The details of a running instance whose address and host keys are known."""
    running(lightsail)
    wait_until(lambda: "publicIpAddress" in lightsail.get_instance(instanceName="web")["instance"], True)
    wait_until(lambda: bool(access(lightsail)["hostKeys"]), True)
    return access(lightsail)


def test_the_members_for_ssh(lightsail):
    details = ready(lightsail)
    instance = lightsail.get_instance(instanceName="web")["instance"]
    assert details["ipAddress"] == instance["publicIpAddress"]
    assert details["ipv6Addresses"] == instance["ipv6Addresses"]
    assert set(details) == {
        "certKey", "expiresAt", "ipAddress", "ipv6Addresses", "privateKey", "protocol", "instanceName", "username", "hostKeys",
    }
    assert (details["protocol"], details["instanceName"], details["username"]) == ("ssh", "web", "ubuntu")
    left = details["expiresAt"] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=9) < left <= datetime.timedelta(minutes=10)
    for key in details["hostKeys"]:
        assert set(key) == {"algorithm", "publicKey", "witnessedAt", "fingerprintSHA1", "fingerprintSHA256"}
        blob = base64.b64decode(key["publicKey"])
        print256 = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        print1 = base64.b64encode(hashlib.sha1(blob).digest()).decode().rstrip("=")
        assert (key["fingerprintSHA256"], key["fingerprintSHA1"]) == (f"SHA256:{print256}", f"SHA1:{print1}")


@needs_ssh_keygen
def test_openssh_reads_the_certificate_and_both_keys(simulator, lightsail, tmp_path):
    details = ready(lightsail)
    (tmp_path / "key").write_text(details["privateKey"])
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "key-cert.pub").write_text(details["certKey"] + "\n")

    def keygen(*arguments):
        done = subprocess.run(["ssh-keygen", *arguments], capture_output=True, text=True, timeout=30, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    shown = keygen("-L", "-f", "key-cert.pub")
    assert "Type: ssh-rsa-cert-v01@openssh.com user certificate" in shown
    assert re.search(r"Signing CA: RSA SHA256:\S+ \(using rsa-sha2-256\)", shown)
    assert re.search(r'Key ID: "\d{19}:[A-Za-z0-9+/=]{24}"', shown) and "Serial: 0\n" in shown
    assert re.search(r"Principals:\s+ubuntu\s+Critical Options: \(none\)", shown), shown
    assert re.search(r"Extensions:\s+permit-X11-forwarding\s+permit-agent-forwarding\s+permit-port-forwarding\s+permit-pty"
                     r"\s+permit-user-rc\s*$", shown), shown
    assert keygen("-y", "-f", "key").split()[1] in _certified(details["certKey"])
    authority = simulator.admin("GET", "/ssh-authority")["public_key"]
    (tmp_path / "authority.pub").write_text(authority + "\n")
    assert keygen("-l", "-f", "authority.pub").split()[1] in shown
    files = simulator.admin("GET", "/instances/web/host-keys")["host_keys"]
    for witnessed, file in zip(details["hostKeys"], files, strict=True):
        (tmp_path / file["algorithm"]).write_text(file["private_key"])
        (tmp_path / file["algorithm"]).chmod(0o600)
        assert keygen("-y", "-f", file["algorithm"]).split()[:2] == [witnessed["algorithm"], witnessed["publicKey"]]
        assert keygen("-l", "-f", file["algorithm"]).split()[1] == witnessed["fingerprintSHA256"]


def _certified(certificate):
    """The key that a certificate is for, as `ssh-keygen -y` would print it."""
    blob = base64.b64decode(certificate.split()[1])

    def string(at):
        length = int.from_bytes(blob[at:at + 4], "big")
        return blob[at:at + 4 + length], at + 4 + length

    _, at = string(0)
    _, at = string(at)
    exponent, at = string(at)
    modulus, at = string(at)
    return base64.b64encode(b"\x00\x00\x00\x07ssh-rsa" + exponent + modulus).decode()


def test_every_call_has_another_key_and_certificate(lightsail):
    running(lightsail)
    first, second = access(lightsail), access(lightsail)
    assert first["privateKey"] != second["privateKey"] and first["certKey"] != second["certKey"]


def test_a_windows_instance(simulator, lightsail, tmp_path):
    pair = lightsail.create_key_pair(keyPairName="mine")
    shape = {"blueprintId": "windows_server_2022", "bundleId": "medium_win_3_0"}
    running(lightsail, "plain", **shape)
    running(lightsail, "sealed", **shape, keyPairName="mine")
    early = access(lightsail, "sealed", "rdp")
    assert (early["password"], early["passwordData"]) == ("", {"ciphertext": "", "keyPairName": "mine"})
    wait_until(lambda: access(lightsail, "sealed", "rdp")["passwordData"]["ciphertext"] != "", True)
    plain, sealed = access(lightsail, "plain", "rdp"), access(lightsail, "sealed", "rdp")
    known = lambda name: simulator.admin("GET", f"/instances/{name}")["windows_password"]
    assert plain["password"] == known("plain") != "" and sealed["password"] == ""
    assert plain["passwordData"] == {"ciphertext": "", "keyPairName": "LightsailDefaultKeyPair"}
    assert "certKey" not in plain and "privateKey" not in plain and "expiresAt" not in plain
    assert (plain["username"], plain["protocol"]) == ("Administrator", "rdp")
    wait_until(lambda: bool(access(lightsail, "plain", "rdp")["hostKeys"]), True)
    (certificate,) = access(lightsail, "plain", "rdp")["hostKeys"]
    assert certificate["algorithm"] == "x509-cert" and certificate["notValidBefore"] < certificate["notValidAfter"]
    der = base64.b64decode(certificate["publicKey"])
    colons = lambda digest: ":".join(f"{byte:02x}" for byte in digest)
    assert certificate["fingerprintSHA256"] == colons(hashlib.sha256(der).digest())
    assert certificate["fingerprintSHA1"] == colons(hashlib.sha1(der).digest())
    if shutil.which("openssl"):
        (tmp_path / "key.pem").write_text(pair["privateKeyBase64"])
        ciphertext = base64.b64decode(sealed["passwordData"]["ciphertext"])
        command = ["openssl", "pkeyutl", "-decrypt", "-inkey", str(tmp_path / "key.pem")]
        done = subprocess.run(command, input=ciphertext, capture_output=True, timeout=30)
        assert done.stdout.decode() == known("sealed"), done.stderr
        command = ["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-dates"]
        done = subprocess.run(command, input=der, capture_output=True, timeout=30)
        assert b"notBefore" in done.stdout and b"EC2AMAZ-" in done.stdout, done.stderr


def test_refusals(simulator_with, lightsail, lightsail_of):
    running(lightsail)
    assert refused(lightsail.get_instance_access_details, instanceName="none") == missing("Instance", "none")
    assert refused(lightsail.get_instance_access_details, instanceName="web", protocol="rdp") == invalid(
        "The protocol rdp is not supported for the Instance web."
    )
    assert "enum value set: [ssh, rdp]" in refused(
        lightsail.get_instance_access_details, instanceName="web", protocol="telnet"
    )[2]
    lightsail.stop_instance(instanceName="web")
    wait_for("stopped", lightsail)
    assert refused(lightsail.get_instance_access_details, instanceName="web") == (
        "OperationFailureException", None,
        "The Instance web cannot be accessed when it is stopped. Please try again when it is running.", 400,
    )
    lenient = lightsail_of(simulator_with("--access-when-down", "answered"))
    running(lenient)
    lenient.stop_instance(instanceName="web")
    wait_for("stopped", lenient)
    assert "ipAddress" not in access(lenient)


def test_secrets_are_listed_for_those_who_look_for_leaks(simulator, lightsail):
    running(lightsail)
    details = access(lightsail)
    secrets = {one["member"]: one for one in simulator.admin("GET", "/secrets")["secrets"]}
    assert sorted(secrets) == ["certKey", "privateKey"]
    assert secrets["certKey"]["canaries"] == [details["certKey"]]
    secret = secrets["privateKey"]
    assert (secret["operation"], secret["resource"], secret["member"]) == ("GetInstanceAccessDetails", "web", "privateKey")
    assert secret["value"] == details["privateKey"]
    assert secret["canaries"] == [line for line in details["privateKey"].splitlines() if len(line) >= 24 and line[0] != "-"]


def test_by_hand(aws_lightsail, lightsail):
    running(lightsail)
    details = aws_lightsail("get-instance-access-details", "--instance-name", "web", "--protocol", "ssh")["accessDetails"]
    assert details["certKey"].startswith("ssh-rsa-cert-v01@openssh.com ") and details["username"] == "ubuntu"
    refusal = aws_lightsail("get-instance-access-details", "--instance-name", "none", fails=True)
    assert "(NotFoundException) when calling the GetInstanceAccessDetails operation" in refusal
