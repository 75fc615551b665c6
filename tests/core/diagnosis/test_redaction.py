"""What a report may show of an error: its fixed wording, and nothing that belongs to the user."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dbt_rerun.core.diagnosis import redaction
from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.diagnosis.fixed_wording import is_fixed, words
from airflow_dbt_rerun.core.diagnosis.redaction import Redactor
from tests.examples import sample, sampled

DATA = Path(__file__).parents[2] / "data"

SECRETS = (
    "acmecorp",
    "Jane.Doe-Smith",
    "jane.doe@acmecorp.example",
    "Møller",
    "hunter2",
    "Tr0ub4dor&3x",
    "correct-horse-battery-staple",
    "dwh.internal.acmecorp.example",
    "xy12345.eu-west-1.snowflakecomputing.com",
    "adb-8675309123456789.7.azuredatabricks.net",
    "10.20.30.40",
    "2001:db8:85a3::8a2e:370:7334",
    "https://acmecorp.example/private/path?sig=Zm9vYmFy",
    "postgresql://svc_dbt:s3cr3tpw@db7.acmecorp.example:5432/warehouse9",
    "s3://acmecorp-lake/raw/2024/part-0001.parquet",
    "acmecorp-lake-prod",
    "/home/jdoe/dbt/profiles.yml",
    r"C:\Users\jdoe\dbt",
    "123456789012",
    "70403103912345",
    "arn:aws:iam::123456789012:role/AcmeLoader",
    "acme-analytics-prod-4711",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "dbtc_sXyZ0123456789abcdefghij",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "-----BEGIN-RSA-KEYDATA-MIIEpAIBAAKCAQEA",
    "01b2f0c4-0503-11a2-0000-18a9059e7bb2",
    "9f86d081884c7d659a2feaa0c55ad015",
    "fct_customer_churn_eu",
    "ANALYTICS.FINANCE.FCT_CHURN",
    "ssn_of_employee",
    "CustomerLifetimeValue",
    "4929-1234-5678-9012",
    "+4915112345678",
)

PLACES = (
    "{}",
    "({})",
    "[{}]",
    '"{}"',
    "'{}'",
    "`{}`",
    "relation {} does not exist",
    'column "{}" must appear',
    "for user {}:",
    "password={}",
    "Authorization: Bearer {},",
    'host="{}", port 5432',
    '{{"message": "denied for {}"}}',
    "Key (email)=({}) already exists.",
    "value: {}",
    "at {}.",
    "Query '{}' failed",
    "select * from t where x = '{}' and y = {}",
    "{}'s",
    "job_id={};",
)

LONG_ENOUGH = re.compile(r"[^\W_]{5,}|[^\W\d_]{4}")


def pieces(secret: str) -> list[str]:
    """Return the parts of a secret that would give it away; "home" and "postgresql" alone do not."""
    found = [piece.lower() for piece in LONG_ENOUGH.findall(secret)]
    return [piece for piece in found if not is_fixed(piece) and piece != "postgresql"] or [secret.lower()]


def shows(text: str, secret: str) -> bool:
    """Whether a text contains a part of a secret."""
    return any(re.search(rf"(?<![^\W_]){re.escape(piece)}(?![^\W_])", text.lower()) for piece in pieces(secret))


@pytest.mark.parametrize("secret", SECRETS)
def test_no_part_of_a_secret_is_shown(secret: str) -> None:
    """Wherever it stands in an error, on the error's line or on one of its own; the wording around it stays."""
    for place in PLACES:
        planted = place.format(*[secret] * place.count("{}"))
        for message in (f"permission denied {planted}", f"permission denied\n  DETAIL: {planted}\n  timeout"):
            text = Redactor().redact(f"Database Error in model m (models/m.sql)\n  {message}")
            assert not shows(text, secret), text
            assert text.startswith("permission denied")


def messages() -> list[dict[str, Any]]:
    """Return the corpus."""
    rows = [
        json.loads(row)
        for path in sorted(DATA.glob("messages*.jsonl"))
        for row in path.read_text(encoding="utf-8").splitlines()
    ]
    return [row for row in rows if row["message"]]


def planted_in(message: str, place: str, number: int) -> str:
    """Put every secret somewhere into a message, between two of its words."""
    parts = message.split(" ")
    for count, secret in enumerate(SECRETS):
        planted = place.format(*[secret] * place.count("{}"))
        parts.insert((count * 7 + number) % (len(parts) + 1), planted)
    return " ".join(parts)


@sampled
def test_no_message_of_the_corpus_shows_what_is_planted_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each secret in each message, quoted or not: no part of it is left, and nothing is merely cut off."""
    monkeypatch.setattr(redaction, "MOST_LINES", 1000)
    monkeypatch.setattr(redaction, "MOST_OF_A_LINE", 100_000)
    every = "|".join(re.escape(piece) for secret in SECRETS for piece in pieces(secret))
    part = re.compile(rf"(?<![^\W_])(?:{every})(?![^\W_])")
    for number, row in enumerate(sample(messages())):
        text = Redactor().redact(planted_in(row["message"], PLACES[number % len(PLACES)], number)).lower()
        assert not part.findall(text), (row["id"], text)


def test_what_a_signature_needs_is_left() -> None:
    """A redacted message is judged as the original is, in more than 98 of 100 cases; most by the same row."""
    rows = messages()[::3]  # all of them take three times as long, and say the same
    same = same_row = 0
    for row in rows:
        category, known = match(row["message"], adapter=row["adapter"])
        redacted = match(Redactor().redact(row["message"]), adapter=row["adapter"])
        same += category is redacted[0]
        same_row += (known and known.id) == (redacted[1] and redacted[1].id)
    print(f"judged alike once redacted: {same / len(rows):.1%}, by the same row {same_row / len(rows):.1%}")  # noqa: T201
    assert same / len(rows) >= 0.98
    assert same_row / len(rows) >= 0.96


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=8, max_size=40))
def test_words_of_any_letters_are_masked_or_known(word: str) -> None:
    """Of a random word, only known words and short numbers are left."""
    text = Redactor().redact(f"permission denied for {word}")
    left = re.sub(r"\b(?:[a-z]+_\d+|0[a-z]{0,3}|/path/\d+|<sql>|__dbt_tmp)", " ", text)
    unknown = [
        each for each in re.findall(r"[^\W\d_]{3,}", left) if each.lower() not in words() and not is_fixed(each)
    ]
    assert unknown == []


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ('relation "raw.orders" does not exist', 'relation "relation_1" does not exist'),
        ("ORA-00942: table or view does not exist", "ORA-00942: table or view does not exist"),
        ("002003 (42S02): Object 'A.B.C' does not exist", "002003 (42S02): Object 'relation_1' does not exist"),
        ("1040 (08004): Too many connections", "1040 (08004): Too many connections"),
        ("[Errno 104] Connection reset by peer", "[Errno 104] Connection reset by peer"),
        ("HTTP 503: Service Unavailable", "HTTP 503: Service Unavailable"),
        ("Got 89 results, configured to fail if != 0", "Got 0 results, configured to fail if != 0"),
        ("canceled after 3600s on 10.1.2.3:5432", "canceled after 0s on ip_1"),
        ("error in statement: select name from people", "error in statement: <sql>"),
        ("unexpected near /* {app: dbt} */", "unexpected near <sql>"),
        ("lost connection to s3://bucket/key", "lost connection to s3://url_1"),
        ("'YES' is wrong (using password: YES)", "'name_1' is wrong (using password: YES)"),
        ("('08S01', '[08S01] link failure')", "('08S01', '[08S01] link failure')"),
        ("Key (zip)=(90210) already exists", "Key (value_1)=(0) already exists"),
        ("invalid zip code 90210 in value ('10115')", "invalid zip code 0 in value ('value_1')"),
        ("constraint of (4711, 'x') is violated", "constraint of (0, 'name_1') is violated"),
        ('index "orders__dbt_tmp" is gone', 'index "relation_1__dbt_tmp" is gone'),
    ],
)
def test_what_a_report_shows(message: str, shown: str) -> None:
    """Labels keep the kind of a name, numbers are 0, codes stay, SQL is cut."""
    assert Redactor().redact(message) == shown


def test_sql_is_cut_with_the_lines_that_continue_it() -> None:
    """A statement can have many lines."""
    text = Redactor().redact(
        "invalid query:\nselect name\n  from people\n  where date = value\nsyntax error in line 3"
    )
    assert text.splitlines() == ["invalid query:", "<sql>", "syntax error in line 0"]


def test_a_name_has_one_label_in_a_report() -> None:
    """Quoted or not, in any case, in any message."""
    redactor = Redactor()
    assert redactor.redact('relation "Orders_1" does not exist').endswith('"relation_1" does not exist')
    assert redactor.redact("failed on orders_1 and orders_2") == "failed on relation_1 and word_1"
    assert dict(redactor.labels) == {"orders_1": "relation_1", "orders_2": "word_1"}


def test_common_words_that_are_names_are_masked() -> None:
    """A model can be called like a word; one that a signature needs stays."""
    redactor = Redactor()
    redactor.know(["sample_nodes", "weak", "timeout"])
    assert redactor.redact("weak timeout") == "word_1 timeout"


def test_a_person_can_keep_a_word() -> None:
    """Of an error that nobody has seen, the telling word may be unknown."""
    assert Redactor().redact("the flux capacitor is full") == "the word_1 word_2 is full"
    assert Redactor(keep=["Flux", "capacitor"]).redact("the flux capacitor is full") == "the flux capacitor is full"


@pytest.mark.parametrize(
    "name", ["alice", "bob", "john", "smith", "mary", "acme", "contoso", "orders", "customers", "payments", "prod"]
)
def test_usual_names_are_no_fixed_wording(name: str) -> None:
    """Names of people, companies and tables are not in the list of common words."""
    assert not is_fixed(name)
