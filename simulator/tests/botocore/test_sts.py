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
