"""The way there: proxies, certificates, credentials and redirects, the same for both senders."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.retries import NO_RETRIES
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.exceptions import DbtBadAnswerError, DbtUnreachableError
from tests.api.conftest import ACCOUNT, TOKEN
from tests.api.scripted import Answer, ScriptedServer, data, serving
from tests.api.senders import Blocking

GET = endpoints.get_account()
ACCOUNT_ANSWER = data({"id": ACCOUNT, "name": "Shop"})


def query_of(path: str) -> dict[str, list[str]]:
    """Decode a query as a server does."""
    return parse_qs(urlsplit(path).query)


def test_a_request_carries_the_token_and_our_name_and_little_else(
    server: ScriptedServer, settings: Settings, sender: Blocking
) -> None:
    """The platform sees token, agent and accepted type; no login, no basic auth, no extras as headers."""
    server.answers(ACCOUNT_ANSWER)
    sender.send(settings, GET)
    headers = server.asked[0].headers
    assert headers["authorization"] == f"Token {TOKEN}"
    assert headers["user-agent"].startswith("airflow-provider-dbt-rerun/")
    assert headers["accept"] == "application/json"
    assert set(headers) <= {"authorization", "user-agent", "accept", "accept-encoding", "connection", "host"}


def test_a_trigger_arrives_as_json(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """The body of a POST is the JSON object that the API documents."""
    server.answers(data({"id": 8, "status": 1, "job_definition_id": 5}))
    sender.send(settings, endpoints.trigger_job(5, cause="why", overrides={"steps_override": ["dbt build"]}))
    assert json.loads(server.asked[0].body) == {"cause": "why", "steps_override": ["dbt build"]}
    assert server.asked[0].headers["content-type"] == "application/json"


def test_an_empty_post_says_that_it_is_empty(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """Some gateways refuse a POST without a length; ours has one."""
    server.answers(data({"id": 8, "status": 1}))
    sender.send(settings, endpoints.retry_run(7))
    assert (server.asked[0].body, server.asked[0].headers["content-length"]) == (b"", "0")


def test_the_query_arrives_as_written(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """Neither library spells lists, quotes or blanks in another way that changes their meaning."""
    server.answers(data([]))
    since = ("2026-01-01 00:00:00+00:00", "b")
    endpoint = endpoints.list_runs(ids=[1, 2], include_related=("trigger", "job"), created_at=since)
    sender.send(settings, endpoint)
    query = query_of(server.asked[0].path)
    assert query == query_of(endpoint.location(ACCOUNT))
    assert query["include_related"] == ["['trigger','job']"]


def test_a_list_is_collected_to_its_end(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """Pages are asked for one after the other, by offset, until the total is reached."""

    def page(*ids: int) -> Answer:
        body = {"data": [{"id": one, "name": "j"} for one in ids], "extra": {"pagination": {"total_count": 3}}}
        return Answer(body=json.dumps(body).encode())

    server.answers(page(1, 2), page(3))
    jobs = sender.collect(settings, endpoints.list_jobs(limit=2))
    assert [job.id for job in jobs] == [1, 2, 3]
    assert [query_of(asked.path)["offset"] for asked in server.asked] == [["0"], ["2"]]


NO_WAY = Answer(502)
"""What a proxy says that cannot reach the host: the tunnel was asked for, and that is what these tests look at."""


def asks_through(sender: Blocking, settings: Settings) -> None:
    """Send a request that the proxy cannot carry on."""
    with pytest.raises(DbtUnreachableError):
        sender.send(settings, GET, retries=NO_RETRIES)


def test_the_proxy_of_the_connection_is_used(server: ScriptedServer, sender: Blocking) -> None:
    """A proxy in the extra is asked for a tunnel; the host itself need not be reachable from here."""
    server.answers(NO_WAY)
    proxies = {"https": f"http://{server.address}"}
    asks_through(sender, Settings("https://localhost:9", ACCOUNT, TOKEN, proxies=proxies))
    assert (server.asked[0].method, server.asked[0].path) == ("CONNECT", "localhost:9")
    assert "authorization" not in server.asked[0].headers


def test_a_proxy_without_a_scheme_works(server: ScriptedServer, sender: Blocking) -> None:
    """People write ``proxy:3128``; both senders understand it."""
    server.answers(NO_WAY)
    asks_through(sender, Settings("https://localhost:9", ACCOUNT, TOKEN, proxies={"https": server.address}))
    assert len(server.asked) == 1


@pytest.mark.parametrize("trusted", [True, False])
def test_the_environments_proxy_counts_where_it_is_trusted(
    server: ScriptedServer, sender: Blocking, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    """``HTTPS_PROXY`` is followed by default, and left alone with ``trust_env`` off: in both senders alike."""
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{server.address}")
    server.answers(NO_WAY)
    asks_through(sender, Settings("https://localhost:9", ACCOUNT, TOKEN, trust_env=trusted))
    assert len(server.asked) == (1 if trusted else 0)


def test_the_connections_proxy_beats_the_environments(
    server: ScriptedServer, sender: Blocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection's settings take precedence over the machine's environment."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    server.answers(NO_WAY)
    proxies = {"https": f"http://{server.address}"}
    asks_through(sender, Settings("https://localhost:9", ACCOUNT, TOKEN, proxies=proxies))
    assert len(server.asked) == 1


@pytest.mark.parametrize("by", ["connection", "environment"])
def test_requests_in_the_clear_go_through_no_proxy(
    server: ScriptedServer, settings: Settings, sender: Blocking, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """P10: over http, which never leaves this machine, a proxy would see the token."""
    server.answers(ACCOUNT_ANSWER)
    with serving() as proxy:
        proxy.answers(ACCOUNT_ANSWER)
        where = f"http://{proxy.address}"
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy") if by == "environment" else ():
            monkeypatch.setenv(name, where)
        proxies = {"http": where, "all": where} if by == "connection" else {}
        assert sender.send(replace(settings, proxies=proxies), GET).id == ACCOUNT
        assert proxy.asked == []


def test_netrc_does_not_replace_the_token(
    server: ScriptedServer, settings: Settings, sender: Blocking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry for the host in ``~/.netrc`` is ignored."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.answers(ACCOUNT_ANSWER)
    sender.send(settings, GET)
    assert server.asked[0].headers["authorization"] == f"Token {TOKEN}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    ["/elsewhere", "http://localhost:{port}/signed", "//localhost:{port}/", "file:///etc/passwd", "http://[x]/"],
)
def test_no_redirect_is_followed(
    server: ScriptedServer, settings: Settings, sender: Blocking, status: int, location: str
) -> None:
    """P1, P10: what another host says is not dbt's word, and it gets no token."""
    with serving() as other:
        other.answers(Answer(body=b"{}"))
        server.answers(Answer(status, headers={"Location": location.format(port=other.server_port)}))
        asked: tuple[endpoints.Endpoint[Any], ...] = (GET, endpoints.get_artifact(7, "manifest.json"))
        for endpoint in asked:
            with pytest.raises(DbtBadAnswerError, match=r"this host is not the API|is not HTTP"):
                sender.send(settings, endpoint)
        assert other.asked == []
        assert len(server.asked) == 2


def test_one_connection_serves_many_requests(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """A client keeps its connection: every poll a new TLS handshake is what this package does away with."""
    accepted: list[object] = []
    accept = server.get_request
    server.get_request = lambda: (accepted.append(1), accept())[1]  # type: ignore[method-assign, func-returns-value]
    server.answers(ACCOUNT_ANSWER)
    sender.send(settings, *[GET] * 5)
    assert (len(server.asked), len(accepted)) == (5, 1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create an unsigned certificate for 127.0.0.1, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local dbt")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    file: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(encoding)
    )
    return file


@pytest.fixture
def tls_settings(certificate: Path) -> Iterator[Settings]:
    """Point at a server that speaks TLS with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with serving(context) as server:
        server.answers(ACCOUNT_ANSWER)
        yield Settings(f"https://{server.address}", ACCOUNT, TOKEN)


@pytest.mark.parametrize("endpoint", [GET, endpoints.retry_run(7)], ids=str)
def test_an_untrusted_certificate_is_refused_once(
    tls_settings: Settings, sender: Blocking, endpoint: endpoints.Endpoint[object]
) -> None:
    """No token goes to a host that cannot prove its name, and trying again would not change that."""
    with pytest.raises(DbtUnreachableError, match="its TLS certificate is not trusted"):
        sender.send(tls_settings, endpoint)
    assert sender.waits == []


def test_a_bundle_of_ones_own_is_trusted(tls_settings: Settings, sender: Blocking, certificate: Path) -> None:
    """``verify`` in the extra names a CA bundle, for platforms behind a company's own authority."""
    assert sender.send(replace(tls_settings, verify=str(certificate)), GET).id == ACCOUNT


def test_the_environments_bundle_is_trusted(
    tls_settings: Settings, sender: Blocking, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``REQUESTS_CA_BUNDLE`` counts for both senders, not only for the one that is built on requests."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert sender.send(tls_settings, GET).id == ACCOUNT


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verification_can_be_switched_off(
    tls_settings: Settings, sender: Blocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``verify: false`` means it, even where the environment names a bundle."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ssl.get_default_verify_paths().openssl_cafile)
    assert sender.send(replace(tls_settings, verify=False), GET).id == ACCOUNT
