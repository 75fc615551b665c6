"""The ready texts, sent by the real notifiers to servers on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import decode_header, make_header
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from pytest_mock import MockerFixture

from airflow_dbt_rerun import DbtRunFailed
from airflow_dbt_rerun.config.airflow_features import can_ask
from airflow_dbt_rerun.notifications import APPRISE, EMAIL, PAGERDUTY, PAGERDUTY_RESOLVE, SLACK
from airflow_dbt_rerun.testing import set_testing
from tests.border import TaskInstance, run_task
from tests.operators.test_asking import PERSON, answer, build, until_asked
from tests.operators.test_notifiers import BUG, RESET, task
from tests.receivers import HttpReceiver, MailReceiver, serving
from tests.support import LocalPlatform

pytestmark = pytest.mark.usefixtures("connected")

LOG = "http://localhost:8080/dags/shop/log"
ENDS = ("on_rerun", "on_question", "on_healed", "on_gave_up")
HOSTILE = (
    'syntax error at or near "selec" <script>alert(1)</script> <!channel> <@U012AB3CD> @everyone '
    "*bold* `code` <https://evil.example|log in> & \\n \r\nBcc: all@shop.example"
)


@dataclass
class Logged(TaskInstance):
    """A task instance whose log has a page, as each has in Airflow."""

    log_url: str = LOG


@pytest.fixture
def logged(request: pytest.FixtureRequest) -> Logged:
    """Return separate work for each test."""
    return Logged(run_id=request.node.name)


@pytest.fixture
def web() -> Iterator[HttpReceiver]:
    """Receive what is sent over HTTP."""
    with serving(HttpReceiver()) as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    """Receive e-mails."""
    with serving(MailReceiver()) as receiver:
        yield receiver


@pytest.fixture
def slack(web: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Slack's webhook, at our receiver."""
    module = pytest.importorskip("airflow.providers.slack.notifications.slack_webhook")
    connect(monkeypatch, "slack_default", conn_type="slackwebhook", host=web.url, password="T/B/secret")
    return module.SlackWebhookNotifier(**SLACK)


@pytest.fixture
def email(mail: MailReceiver, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A mail server without TLS."""
    module = pytest.importorskip("airflow.providers.smtp.notifications.smtp")
    extra = {"disable_tls": True, "disable_ssl": True, "from_email": "airflow@shop.example"}
    connect(monkeypatch, "smtp_default", conn_type="smtp", host="127.0.0.1", port=mail.port, extra=extra)
    return module.SmtpNotifier(to="team@shop.example", **EMAIL)


@pytest.fixture
def pagerduty(web: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> Any:
    """PagerDuty's notifier class; its client takes no other address and nothing but https, so that is replaced."""
    module = pytest.importorskip("airflow.providers.pagerduty.notifications.pagerduty")
    client = pytest.importorskip("pagerduty").EventsApiV2Client
    monkeypatch.setattr(client, "url", property(lambda _: web.url, lambda *_: None))
    connect(monkeypatch, "pagerduty_events_default", conn_type="pagerduty_events", password="key")
    return module.PagerdutyNotifier


@pytest.fixture
def apprise(web: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Apprise with its JSON service, which passes on what it is given."""
    module = pytest.importorskip("airflow.providers.apprise.notifications.apprise")
    extra = {"config": {"path": web.url.replace("http:", "json:"), "tag": "team"}}
    connect(monkeypatch, "apprise_default", conn_type="apprise", extra=extra)
    return module.AppriseNotifier(notify_type="failure", **APPRISE)


def connect(monkeypatch: pytest.MonkeyPatch, name: str, **fields: Any) -> None:
    """Define a connection of Airflow."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))


def run(platform: LocalPlatform, notifier: Any, instance: TaskInstance, *, native: bool = False) -> None:
    """Run a job whose every event is announced, in a DAG with Airflow's strict templates."""
    dag = DAG("shop", schedule=None, render_template_as_native_obj=native)
    run_task(task(platform, **dict.fromkeys(ENDS, notifier)), instance, {"dag": dag})


def fail(platform: LocalPlatform, notifier: Any, instance: TaskInstance) -> None:
    """Run a job that has a bug."""
    with pytest.raises(DbtRunFailed):
        run(platform, notifier, instance)


def literal(blocks: list[dict[str, Any]]) -> str:
    """Return what rich text shows literally; every element must be of a kind that Slack does not parse."""
    (rich,) = (block for block in blocks if block["type"] == "rich_text")
    texts = [text for part in rich["elements"] for text in part["elements"]]
    assert {text["type"] for text in texts} <= {"text", "link"}
    assert all(text["text"] for text in texts)
    return "".join(text["text"] for text in texts)


# --- one heal, one bug


@pytest.mark.parametrize("native", [False, True])
def test_slack_has_a_message_for_each_step(
    simulated: LocalPlatform, logged: Logged, slack: Any, web: HttpReceiver, *, native: bool
) -> None:
    """Two reruns and the heal are three different messages, also where templates become Python objects."""
    simulated.trouble(RESET)
    run(simulated, slack, logged, native=native)
    headers = [body["blocks"][0]["text"]["text"] for body in web.bodies]
    assert headers == [
        "dbt rerun, attempt 2: shop.build",
        "dbt rerun, attempt 3: shop.build",
        "dbt healed in 3 attempts: shop.build",
    ]
    assert len({body["text"] for body in web.bodies}) == 3
    assert all("Connection reset by peer" in literal(body["blocks"]) for body in web.bodies)


def test_slack_links_to_the_run_and_to_airflow(
    simulated: LocalPlatform, logged: Logged, slack: Any, web: HttpReceiver
) -> None:
    """One tap away: the failed run in dbt, and the task's log. A bug is told once."""
    simulated.trouble(BUG)
    fail(simulated, slack, logged)
    (body,) = web.bodies
    links = [text for part in body["blocks"][1]["elements"] for text in part["elements"] if text["type"] == "link"]
    run_id, url = logged.xcom("job_run_id"), logged.xcom("job_run_url")
    assert [(link["text"], link["url"]) for link in links] == [(f"dbt run {run_id}", url), ("Airflow", LOG)]
    assert body["text"].splitlines()[0] == "dbt failed: shop.build"


def test_slack_api_sends_the_same(
    simulated: LocalPlatform, logged: Logged, web: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notifier with a bot token takes the same text and blocks."""
    module = pytest.importorskip("airflow.providers.slack.notifications.slack")
    connect(monkeypatch, "slack_api_default", conn_type="slack", password="xoxb-secret")
    notifier = module.SlackNotifier(channel="#data", base_url=f"{web.url}/api/", **SLACK)
    simulated.trouble(BUG)
    fail(simulated, notifier, logged)
    (body,) = web.bodies
    assert web.paths == ["/api/chat.postMessage"]
    assert body["channel"] == "#data"
    assert "syntax error" in literal(json.loads(body["blocks"]))


def test_email_says_what_failed(simulated: LocalPlatform, logged: Logged, email: Any, mail: MailReceiver) -> None:
    """A subject of its own for each step, and the failure and the links in the body."""
    simulated.trouble({**RESET, "times": 1})
    run(simulated, email, logged)
    subjects = [subject(each) for each in mail.mails]
    assert [each.split(":")[0] for each in subjects] == ["dbt rerun, attempt 2", "dbt healed in 2 attempts"]
    assert f'<a href="{LOG}">Airflow</a>' in html(mail.mails[0])
    assert f'<a href="{logged.xcom("job_run_url")}">dbt run {logged.xcom("job_run_id")}</a>' in html(mail.mails[1])


def test_email_lists_failures(simulated: LocalPlatform, logged: Logged, email: Any, mail: MailReceiver) -> None:
    """Where several nodes failed, each has its line."""
    simulated.trouble({**BUG, "node": "stg_orders"}, {**BUG, "node": "stg_customers"})
    fail(simulated, email, logged)
    body = html(mail.mails[0])
    assert body.count("<li>") == 2
    assert "Failures in all: 2" in body


def test_pagerduty_opens_and_resolves_one_incident(
    simulated: LocalPlatform, logged: Logged, pagerduty: Any, web: HttpReceiver
) -> None:
    """All messages of a task have one key: those of its heal, of its next life, and of its success."""
    simulated.trouble(BUG)
    fail(simulated, pagerduty(**PAGERDUTY), logged)
    simulated.trouble({**RESET, "times": 1})
    again = Logged(run_id=logged.run_id, max_tries=1)  # cleared
    run(simulated, pagerduty(**PAGERDUTY), again)
    pagerduty(**PAGERDUTY_RESOLVE)({"ti": again, "dag": DAG("shop", schedule=None)})
    told = [(body["event_action"], body["payload"]["severity"]) for body in web.bodies]
    assert told == [("trigger", "error"), ("trigger", "info"), ("resolve", "info"), ("resolve", "info")]
    assert {body["dedup_key"] for body in web.bodies} == {f"dbt shop build {logged.run_id} -1"}
    assert web.bodies[0]["payload"]["class"] == "code"
    assert web.bodies[0]["payload"]["source"] == "shop.build"


@pytest.mark.skipif(not can_ask(), reason="Airflow asks people from 3.1 on")
def test_pagerduty_says_what_is_asked(
    simulated: LocalPlatform, logged: Logged, pagerduty: Any, web: HttpReceiver, mocker: MockerFixture
) -> None:
    """A question opens an incident and has its answers; giving up belongs to the same one."""
    mocker.patch("airflow.sdk.execution_time.hitl.upsert_hitl_detail")
    simulated.trouble(BUG)
    operator = build(simulated, **dict.fromkeys(ENDS, pagerduty(**PAGERDUTY)))
    with set_testing(False):
        waits = until_asked(operator, logged)
    with pytest.raises(DbtRunFailed):
        answer(operator, logged, waits, {"chosen_options": ["Give up"], "responded_by_user": PERSON})
    question, end = web.bodies
    assert question["payload"]["severity"] == "warning"
    assert question["payload"]["summary"].startswith("dbt needs your decision: shop.build: model orders")
    assert ". Answers: Rerun from failure, " in question["payload"]["custom_details"]["reason"]
    assert end["payload"]["severity"] == "error"
    assert question["dedup_key"] == end["dedup_key"]


def test_pagerduty_key_of_mapped_tasks_with_long_names(logged: Logged, pagerduty: Any, web: HttpReceiver) -> None:
    """Airflow's names may be longer than PagerDuty's key; what is cut is what they have in common."""
    for index in (0, 1):
        one = Logged(dag_id="d" * 250, run_id=logged.run_id, map_index=index)
        pagerduty(**PAGERDUTY_RESOLVE)({"ti": one, "dag": DAG("shop", schedule=None)})
    keys = [body["dedup_key"] for body in web.bodies]
    assert len(set(keys)) == 2
    assert all(len(key) == 255 for key in keys)
    assert [body["payload"]["source"][-3:] for body in web.bodies] == ["[0]", "[1]"]


def test_apprise_sends_title_and_body(
    simulated: LocalPlatform, logged: Logged, apprise: Any, web: HttpReceiver
) -> None:
    """Three messages for two reruns and the heal, with the link to the run."""
    simulated.trouble(RESET)
    run(simulated, apprise, logged)
    assert len({(body["title"], body["message"]) for body in web.bodies}) == 3
    assert web.bodies[-1]["title"] == "dbt healed in 3 attempts: shop.build"
    assert logged.xcom("job_run_url") in web.bodies[-1]["message"]


# --- what dbt's errors quote


def test_slack_shows_hostile_text_as_it_is(
    simulated: LocalPlatform, logged: Logged, slack: Any, web: HttpReceiver
) -> None:
    """The text that Slack parses holds none of its control characters; the blocks hold only literal text."""
    simulated.trouble({**BUG, "message": HOSTILE})
    fail(simulated, slack, logged)
    (body,) = web.bodies
    assert "<" not in body["text"]
    assert ">" not in body["text"]
    assert "&lt;!channel&gt;" in body["text"]
    assert " &amp; " in body["text"]
    assert "<!channel> <@U012AB3CD> @everyone *bold* `code`" in literal(body["blocks"])
    assert "<" not in body["blocks"][0]["text"]["text"]


def test_email_shows_hostile_text_as_it_is(
    simulated: LocalPlatform, logged: Logged, email: Any, mail: MailReceiver
) -> None:
    """No tag and no header of the error's own."""
    simulated.trouble({**BUG, "message": HOSTILE})
    fail(simulated, email, logged)
    (message,) = mail.mails
    assert "<script" not in html(message)
    assert "&lt;script&gt;alert(1)" in html(message)
    assert message["Bcc"] is None
    assert message["To"] == "team@shop.example"


def test_apprise_mentions_nobody(simulated: LocalPlatform, logged: Logged, apprise: Any, web: HttpReceiver) -> None:
    """Neither in Slack's nor in Discord's way."""
    simulated.trouble({**BUG, "message": HOSTILE})
    fail(simulated, apprise, logged)
    (body,) = web.bodies
    assert "everyone" in body["message"]
    assert not {"<", ">"} & set(body["message"])
    assert "@everyone" not in body["message"]
    assert "@U012AB3CD" not in body["message"]


TOLD = {"event": "gave_up", "attempt": 0, "reason": None, "headline": None, "verdict": None, "url": None}
FEW = {**TOLD, "run_id": None, "found": None, "findings": []}
LONG = {**FEW, "headline": f"line\r\nBcc: all@shop.example\n{'x' * 5000}", "reason": "y" * 5000}


@pytest.mark.parametrize("told", [FEW, LONG], ids=["nothing known", "more than fits"])
def test_bounds_hold(told: dict[str, Any], request: pytest.FixtureRequest, logged: Logged) -> None:
    """Services refuse a message with an empty text, a link to nothing, or more than they take."""
    logged.task_id = "t" * (152 - len("dbt failed: shop."))
    context: Any = {"ti": logged, "dag": DAG("shop", schedule=None), "dbt_rerun": told}
    web, mail = request.getfixturevalue("web"), request.getfixturevalue("mail")
    pager = request.getfixturevalue("pagerduty")(**PAGERDUTY)
    for notifier in (*map(request.getfixturevalue, ("slack", "email", "apprise")), pager):
        notifier(dict(context))
    slack, apprise, page = web.bodies
    assert 0 < len(slack["blocks"][0]["text"]["text"]) <= 150
    assert 0 < len(literal(slack["blocks"])) < 3000
    assert len(page["payload"]["summary"]) <= 1024
    assert {link["href"] for link in page["links"]} == {LOG}
    assert LOG in apprise["message"]
    assert mail.mails[0]["Bcc"] is None
    assert len(subject(mail.mails[0])) <= 200


def subject(message: Any) -> str:
    """Return the subject as a reader sees it."""
    return str(make_header(decode_header(message["Subject"])))


def html(message: Any) -> str:
    """Return the HTML of an e-mail."""
    (part,) = (part for part in message.walk() if part.get_content_type() == "text/html")
    text: str = part.get_payload(decode=True).decode()
    return text
