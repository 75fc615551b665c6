"""How a connection is read, and how each mistake in one is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_dbt_rerun.api.settings import Settings, settings_from
from airflow_dbt_rerun.exceptions import DbtConfigError

TOKEN = "dbtc_v3ry-s3cret-t0ken"


def settings(extra: Any = None, **fields: Any) -> Settings:
    """Read a connection with account 123 and a token, and whatever else is given."""
    account_id, timeout = fields.pop("account_id", None), fields.pop("timeout", None)
    known = {"conn_id": "dbt", "conn_type": "dbt_cloud", "login": "123", "password": TOKEN}
    known["extra"] = json.dumps(extra or {})
    return settings_from(Connection(**{**known, **fields}), account_id=account_id, timeout=timeout)


def test_the_official_connection_works_as_it_is() -> None:
    """Host, login and password alone are enough, and even the host has the official default."""
    assert settings() == Settings("https://cloud.getdbt.com", 123, TOKEN, 30.0, {}, True, None, True)


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": "abc12.us1.dbt.com"}, "https://abc12.us1.dbt.com"),
        ({"host": " https://abc12.us1.dbt.com/ "}, "https://abc12.us1.dbt.com"),
        ({"host": "dbt.example:8443"}, "https://dbt.example:8443"),
        ({"host": "dbt.example", "port": 8443}, "https://dbt.example:8443"),
        ({"host": "https://dbt.example:1", "port": 2}, "https://dbt.example:1"),
        ({"host": "dbt.example", "schema": "https"}, "https://dbt.example"),
        ({"host": "dbt.example", "schema": "prod"}, "https://dbt.example"),
        ({"host": "http://127.0.0.1:8000"}, "http://127.0.0.1:8000"),
        ({"host": "http://127.8.9.1"}, "http://127.8.9.1"),
        ({"host": "http://localhost", "port": 80}, "http://localhost:80"),
        ({"host": "http://[::1]:8000"}, "http://[::1]:8000"),
        ({"host": "localhost", "schema": "http", "port": 8000}, "http://localhost:8000"),
        ({"host": "127.0.0.1:8000"}, "https://127.0.0.1:8000"),
    ],
)
def test_base_urls(fields: dict[str, Any], base_url: str) -> None:
    """The base URL is https unless http to this very machine is asked for."""
    assert settings(**fields).base_url == base_url


@pytest.mark.parametrize(
    "host",
    [
        "http://dbt.example",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://0.0.0.0",
        "ftp://dbt.example",
    ],
)
def test_the_token_never_travels_in_the_clear(host: str) -> None:
    """P10: http is refused for every other machine, even for a host name that seems local."""
    with pytest.raises(DbtConfigError, match="host of connection 'dbt' must use https"):
        settings(host=host)


@pytest.mark.parametrize(
    "host",
    [
        "https://cloud.getdbt.com/deploy/1/projects/2",
        "https://user:pw@dbt.example",
        "dbt.example?x=1",
        "https://",
        "https://dbt.example:abc",
    ],
)
def test_a_host_is_a_host(host: str) -> None:
    """A page's address pasted from the browser gets a hint, not a strange 404 later."""
    with pytest.raises(DbtConfigError, match="host of connection 'dbt' must be the access URL alone"):
        settings(host=host)


@pytest.mark.parametrize(
    "token",
    [
        "dbtc_REALTOKENabcdef1234567890XYZ",
        "dbtu_REALTOKEN-abc=",
        "0123456789abcdef0123456789abcdef01234567",
        "-a.example",
    ],
)
def test_a_token_is_no_host(token: str) -> None:
    """Pasted into the wrong field it would be looked up as a name, and shown by the error that there is none."""
    with pytest.raises(DbtConfigError, match="host of connection 'dbt' must be the access URL alone") as caught:
        settings(host=token)
    assert token not in str(caught.value)


def test_a_name_without_a_dot_can_be_a_host() -> None:
    """In a network of containers."""
    assert settings(host="https://dbt-platform:8443").base_url == "https://dbt-platform:8443"


def test_a_given_account_wins() -> None:
    """A parameter beats the connection's login, as a number or as text; an empty one counts as not given."""
    assert settings(account_id=9).account_id == 9
    assert settings(account_id="70403103922125").account_id == 70403103922125
    assert settings(account_id="").account_id == 123
    assert settings(account_id="9", login=None).account_id == 9


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"login": None}, r"login \(account id\) of connection 'dbt' is missing"),
        ({"login": "my-account"}, r"login \(account id\) of connection 'dbt' must be a number"),
        ({"account_id": "x"}, "account_id must be a number"),
        ({"password": None}, r"password \(API token\) of connection 'dbt' is missing"),
        ({"password": "  "}, r"password \(API token\) of connection 'dbt' is missing"),
        ({"password": "two words"}, r"password \(API token\) of connection 'dbt' contains a blank"),
        ({"password": "töken"}, r"password \(API token\) of connection 'dbt' contains"),
        ({"extra": {"timeout": "long"}}, "timeout in the extra of connection 'dbt' must be a number"),
        ({"extra": {"timeout": 0}}, "timeout in the extra of connection 'dbt' must be a number"),
        ({"extra": {"timeout": "inf"}}, "timeout in the extra of connection 'dbt' must be a number"),
        ({"extra": {"proxies": ["x"]}}, "proxies in the extra of connection 'dbt' must be an object"),
        (
            {"extra": {"verify": "/no/such/ca.pem"}},
            "verify in the extra of connection 'dbt' is not the path of a file",
        ),
        (
            {"extra": {"cert": "/no/such/cert.pem"}},
            "cert in the extra of connection 'dbt' is not the path of a file",
        ),
        ({"extra": ["a list"]}, "extra of connection 'dbt' must be a JSON object"),
    ],
)
@pytest.mark.filterwarnings("ignore:Encountered JSON value in `extra`")  # Airflow 2 says so, too, and no more
def test_each_mistake_is_named(fields: dict[str, Any], message: str) -> None:
    """What is wrong, in which field of which connection, on one line."""
    with pytest.raises(DbtConfigError, match=message):
        settings(**fields)


def test_a_token_in_the_wrong_field_is_not_shown() -> None:
    """P10: with login and password swapped, the token is not in the log."""
    with pytest.raises(DbtConfigError) as caught:
        settings(login=TOKEN, password="123")
    assert TOKEN not in str(caught.value)


def test_transport_settings_are_read_from_the_extra() -> None:
    """The names that Airflow's own HTTP connections use, and booleans as forms deliver them."""
    read = settings({"timeout": "5", "proxies": {"https": "http://p:1", "http": None}, "verify": "False"})
    assert (read.timeout, read.proxies, read.verify) == (5.0, {"https": "http://p:1"}, False)
    read = settings({"proxy": "http://p:1", "verify_ssl": True, "trust_env": False, "cert": [__file__, __file__]})
    assert read.proxies == {"http": "http://p:1", "https": "http://p:1"}
    assert (read.verify, read.trust_env, read.cert) == (True, False, (__file__, __file__))
    assert settings({"verify": __file__}).verify == __file__
    assert settings({"timeout": 5}, timeout=7).timeout == 7.0


def test_secrets_stay_out_of_the_repr() -> None:
    """P10: neither token nor proxy credentials show."""
    assert TOKEN not in repr(settings())
    assert "pw" not in repr(settings({"proxies": {"https": "http://user:pw@p"}}))
