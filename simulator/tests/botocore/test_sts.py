"""boto3 against the simulator's STS, and what it gives against AppStream."""

import datetime

import botocore.exceptions
import pytest


def test_who_am_i(simulator, client):
    identity = client(simulator, "sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (
        "123456789012",
        "arn:aws:iam::123456789012:user/akia123456789012simu",
    )


def test_an_assumed_role_acts_in_its_own_account(simulator, client):
    sts = client(simulator, "sts")
    role = sts.assume_role(RoleArn="arn:aws:iam::333333333333:role/team", RoleSessionName="windlass-team")
    keys = role["Credentials"]
    assert keys["Expiration"] > datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=59)
    session = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    assert client(simulator, "sts", **session).get_caller_identity()["Arn"] == (
        "arn:aws:sts::333333333333:assumed-role/team/windlass-team"
    )
    stack = client(simulator, region="eu-west-1", **session).create_stack(Name="s")["Stack"]
    assert stack["Arn"] == "arn:aws:appstream:eu-west-1:333333333333:stack/s"
    assert client(simulator, region="eu-west-1").describe_stacks()["Stacks"] == []
    simulator.admin("POST", "/clock/advance", {"seconds": 3601})
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client(simulator, region="eu-west-1", **session).describe_stacks()
    assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"


def test_a_web_identity_needs_no_signature(simulator, client):
    role = client(simulator, "sts").assume_role_with_web_identity(
        RoleArn="arn:aws:iam::333333333333:role/irsa", RoleSessionName="pod", WebIdentityToken="token"
    )
    assert role["AssumedRoleUser"]["Arn"] == "arn:aws:sts::333333333333:assumed-role/irsa/pod"
    assert role["Credentials"]["AccessKeyId"].startswith("ASIA333333333333")


def test_a_bad_role_is_refused(simulator, client):
    sts = client(simulator, "sts")
    for arn, session in [("arn:aws:iam::333333333333:user/not-a-role", "s1"), ("arn:aws:iam::333333333333:role/r", "s p")]:
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            sts.assume_role(RoleArn=arn, RoleSessionName=session)
        assert caught.value.response["Error"]["Code"] == "ValidationError"


def session_of(keys):
    return {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }


def denied(call, **input):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**input)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


USER = "arn:aws:iam::123456789012:user/akia123456789012simu"
ROLE = "arn:aws:iam::333333333333:role/team"
SESSION = "arn:aws:sts::333333333333:assumed-role/team/windlass-team"


def test_a_trust_policy_asks_for_an_external_id_and_allows_tags_or_not(simulator, client):
    role = {"arn": ROLE, "trusts": ["arn:aws:iam::123456789012:"], "externalId": "blue", "refusesTags": True}
    assert simulator.admin("POST", "/roles", role) == 204
    sts = client(simulator, "sts")
    ask = {"RoleArn": ROLE, "RoleSessionName": "windlass-team"}
    no = f"User: {USER} is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    assert denied(sts.assume_role, **ask) == ("AccessDenied", no, 403)
    assert denied(sts.assume_role, **ask, ExternalId="red") == ("AccessDenied", no, 403)
    tagged = {**ask, "ExternalId": "blue", "Tags": [{"Key": "windlass.dev/namespace", "Value": "team-a"}]}
    untaggable = f"User: {USER} is not authorized to perform: sts:TagSession on resource: {ROLE}"
    assert denied(sts.assume_role, **tagged) == ("AccessDenied", untaggable, 403)
    simulator.admin("POST", "/roles", {**role, "refusesTags": False})
    keys = sts.assume_role(**tagged)
    assert keys["AssumedRoleUser"]["Arn"] == SESSION
    (session,) = simulator.admin("GET", "/roles/sessions")["sessions"]
    assert session == {"role": ROLE, "arn": SESSION, "tags": [["windlass.dev/namespace", "team-a"]], "by": USER}
    (code, message, status) = denied(sts.assume_role, **ask, DurationSeconds=7200)
    assert (code, status) == ("ValidationError", 400)
    assert message == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    given = {one["member"] for one in simulator.admin("GET", "/secrets")["secrets"]}
    assert given == {"AccessKeyId", "SecretAccessKey", "SessionToken"}


def test_a_role_may_do_what_it_is_allowed_and_hears_what_it_may_not(simulator, client):
    allows = ["appstream:Describe*", "lightsail:GetInstances"]
    simulator.admin("POST", "/roles", {"arn": ROLE, "allows": allows, "maxSession": 43200})
    sts = client(simulator, "sts")
    ask = {"RoleArn": ROLE, "RoleSessionName": "windlass-team"}
    keys = session_of(sts.assume_role(**ask, DurationSeconds=43200)["Credentials"])
    assert client(simulator, "appstream", **keys).describe_fleets()["Fleets"] == []
    assert client(simulator, "lightsail", **keys).get_instances()["instances"] == []
    refusals = [
        ("appstream", "create_stack", {"Name": "s"}, "appstream:CreateStack"),
        ("lightsail", "get_instance", {"instanceName": "web"}, "lightsail:GetInstance"),
        ("gamelift", "list_compute", {"FleetId": "fleet-1"}, "gamelift:ListCompute"),
    ]
    for service, method, input, action in refusals:
        text = (
            f"User: {SESSION} is not authorized to perform: {action} on resource: * because no identity-based policy "
            f"allows the {action} action"
        )
        assert denied(getattr(client(simulator, service, **keys), method), **input) == ("AccessDeniedException", text, 400)
    other = "arn:aws:iam::333333333333:role/other"
    chained = client(simulator, "sts", **keys)
    code, text, status = denied(chained.assume_role, RoleArn=other, RoleSessionName="s1")
    assert (code, status) == ("AccessDenied", 403) and f"sts:AssumeRole on resource: {other} because" in text
    simulator.admin("POST", "/roles", {"arn": ROLE, "allows": ["sts:*"]})
    simulator.admin("POST", "/roles", {"arn": other, "maxSession": 7200})
    assert denied(chained.assume_role, RoleArn=other, RoleSessionName="s1", DurationSeconds=7200)[1] == (
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    )
    assert chained.assume_role(RoleArn=other, RoleSessionName="s1")["AssumedRoleUser"]["Arn"].endswith("/other/s1")
    assert chained.get_caller_identity()["Account"] == "333333333333", "whoever has credentials may ask whose they are"
