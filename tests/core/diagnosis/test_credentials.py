"""Credentials without quotes in what a warehouse says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_dbt_rerun.core.diagnosis.credentials import hide_credentials
from airflow_dbt_rerun.core.diagnosis.one_line import clean

DATA = Path(__file__).parents[2] / "data"

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("could not connect: password=hunter2 host=db", "could not connect: password=… host=db"),
        ("connection \"user=a Password='hunter 2' port=1\"", 'connection "user=a Password=… port=1"'),
        (
            "postgres://bob:Sup3rS3cret@db.acme.internal:5432/prod refused",
            "postgres://…@db.acme.internal:5432/prod refused",
        ),
        ("snowflake://a%40b:p@ss@host", "snowflake://…@host"),
        (f"401 for Authorization: Bearer {JWT}", "401 for Authorization: Bearer …"),
        (f"the token {JWT} has expired", "the token … has expired"),
        ("AKIAIOSFODNN7EXAMPLE is not authorized", "… is not authorized"),
        ("GET https://b.example/x?sig=abc%2Bdef&se=1", "GET https://b.example/x?sig=…&se=1"),
        ("client_secret=abc;aws_secret_access_key=x/y+z", "client_secret=…;aws_secret_access_key=…"),
        ("dbtc_REALTOKENabcdef1234567890XYZ was revoked", "… was revoked"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- is wrong", "… is wrong"),
    ],
)
def test_credentials_are_hidden(message: str, shown: str) -> None:
    """What announces one stays, so that the error can be understood."""
    assert hide_credentials(message) == shown


@pytest.mark.parametrize(
    "message",
    [
        "Basic authentication has been disabled",
        "password authentication failed for user reader",
        "unexpected token = at line 3",
        "https://abc12.us1.dbt.com/deploy/1",
        "s3://bucket/path@v2 is missing",
        "Bearer tokens are not supported",
    ],
)
def test_words_about_credentials_stay(message: str) -> None:
    """They are the error."""
    assert hide_credentials(message) == message


def test_the_line_for_people_has_none() -> None:
    """Log, exception, XCom, page and notifiers show this line."""
    line = clean(
        "Database Error\n  FATAL: cannot connect with postgres://bob:Sup3rS3cret@db:5432/prod password=hunter2"
    )
    assert "Sup3rS3cret" not in line
    assert "hunter2" not in line
    assert "FATAL: cannot connect" in line


def test_the_corpus_keeps_its_words() -> None:
    """Of its messages only those change in which a credential was masked already."""
    for row in (DATA / "messages.jsonl").read_text(encoding="utf-8").splitlines():
        message = json.loads(row)["message"] or ""
        assert hide_credentials(message) == message or "***" in message or "sig=" in message, message
