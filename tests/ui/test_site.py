"""Our pages in Airflow's UI, against a real API server: who may see what, and what a browser makes of it.

All tests share one Airflow, since its start takes longer than they do; each works on DAG runs of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.system.airflow_stack import AIRFLOW_2
from tests.system.database import NewDatabase
from tests.ui import reports
from tests.ui.looking import Looking, chromium
from tests.ui.site import Site, sites

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.airflow, pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no pages of ours")]
browsing = pytest.mark.chromium

RUN = "manual__2026-11-23T05:00:00+00:00"
HEAL = f"/dags/shop/runs/{quote(RUN, safe='')}/tasks"
OURS = f"/dbt-rerun/task/shop/{quote(RUN, safe='')}"
WISH = f"/dbt-rerun/api/wishes/shop/{quote(RUN, safe='')}/build/-1"

LATE = 409 if find_spec("airflow.state") else 501
"""The answer to somebody who saw an earlier life of the task; Airflow older than 3.3 has no buttons."""

FAILED_IN_AIRFLOW = "text=/^Failed$/"
"""The badge of a failed task in Airflow's own header: our pages use other words."""

HIDE = """() => {
    const ours = document.querySelector(".dbt-rerun");
    for (const name of Object.keys(ours)) if (name.startsWith("__reactFiber$")) ours[name] = null;
}"""
"""Hides the way from our page up to Airflow's cache."""

Look = Callable[..., Looking]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[tuple[Site, Site]]:
    """Airflow at two addresses, with a week of heals."""
    home = tmp_path_factory.mktemp("ui")
    new_database(home)
    with sites(home) as (plain, prefixed):
        tasks = {"build": reports.gave_up(), "each[0]": reports.healed(), "each[1]": reports.waiting()}
        plain.add("shop", RUN, {**tasks, "each[2]": reports.watching()})
        plain.add("shop", "hostile", {"build": reports.hostile()})
        plain.add("shop", "wished", {"build": reports.gave_up(), "each[0]": reports.waiting()})
        plain.add("shop", "asked", {"build": reports.asking(), "each[0]": reports.exhausted()})
        plain.add("shop", "stale", {"build": reports.gave_up()})
        for days_ago in range(1, 5):
            plain.add("shop", f"day-{days_ago}", {"build": reports.healed()}, days_ago=days_ago)
        plain.add("elsewhere", "one", {"build": reports.healed()})
        yield plain, prefixed


@pytest.fixture
def site(both: tuple[Site, Site]) -> Site:
    """Airflow without a prefix."""
    return both[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all."""
    with chromium() as started:
        yield started


@pytest.fixture
def look(browser: Browser, site: Site) -> Iterator[Look]:
    """Let people look at pages; at the end nobody has met an error, or loaded anything from elsewhere."""
    with ExitStack() as stack:
        people: list[Looking] = []

        def one(who: str | None = "ada", at: Site = site, **window: Any) -> Looking:
            person = Looking(browser, at, who, **window)
            stack.callback(person.leave)
            people.append(person)
            return person

        yield one
        for person in people:
            assert person.errors == []
            assert {url.split("/")[2] for url in person.asked if not url.startswith("data:")} <= {
                f"127.0.0.1:{person.site.stack.port}"
            }


# --- Who may do what


@pytest.mark.parametrize(
    ("method", "path", "answers"),
    [
        #                                 nobody, nora, otto, vera, bea, ada
        ("GET", "/dbt-rerun/api/heals", [401, 200, 200, 200, 200, 200]),  # each sees the rows of their own DAGs
        ("GET", WISH, [401, 403, 403, 200, 200, 200]),
        (
            "GET",
            WISH.replace("shop", "elsewhere").replace(quote(RUN, safe=""), "one"),
            [401, 403, 200, 200, 200, 200],
        ),
        ("POST", WISH, [401, 403, 403, 403, LATE, LATE]),
        ("GET", "/dbt-rerun/heals", [200] * 6),  # an empty frame
        ("GET", OURS + "/build/-1", [200] * 6),
        ("GET", "/dbt-rerun/docs", [404] * 6),
        ("GET", "/dbt-rerun/redoc", [404] * 6),
        ("GET", "/dbt-rerun/openapi.json", [404] * 6),
    ],
)
def test_who_may_do_what(site: Site, method: str, path: str, answers: list[int]) -> None:
    """Each endpoint with data asks Airflow's permission for its DAG; nothing describes the app to strangers."""
    body = {"action": "rerun_from_failure", "seen": "another life"} if method == "POST" else None
    people = (None, "nora", "otto", "vera", "bea", "ada")
    assert [site.ask(who, method, path, body).status_code for who in people] == answers


def test_rows_are_those_of_ones_own_dags(site: Site) -> None:
    """The page of the navigation counts what a person may read, and no more."""
    dags = {}
    for who in ("nora", "otto", "vera"):
        told = site.ask(who, "GET", "/dbt-rerun/api/heals?days=31").json()
        dags[who] = {row["dag_id"] for row in [*told["tasks"], *told["heals"]]}, told["counts"]["task_runs"]
    assert dags["nora"] == (set(), 0)
    assert dags["otto"] == ({"elsewhere"}, 1)
    assert dags["vera"][0] == {"elsewhere", "shop"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),  # what a form of another site can send
        ({"Sec-Fetch-Site": "same-origin"}, LATE),
    ],
)
def test_pages_of_other_sites_cannot_press(site: Site, headers: dict[str, str], status: int) -> None:
    """A browser that is logged in to Airflow meets a page of somebody else."""
    answer = site.ask("ada", "POST", WISH, {"action": "rerun_from_start", "seen": "x"}, **headers)
    assert answer.status_code == status


def test_what_cannot_be_done_is_refused(site: Site) -> None:
    """A button that is not shown cannot be pressed by hand either."""
    if not site.ask("ada", "GET", WISH).json()["has_store"]:
        assert site.ask("ada", "POST", WISH, {"action": "give_up", "seen": ""}).status_code == 501
        return
    going = WISH.replace("build/-1", "each/2")
    seen = site.ask("ada", "GET", going).json()
    assert seen["actions"] == ["give_up"]  # dbt is at work: there is nothing to rerun
    body = {"action": "rerun_from_failure", "seen": seen["seen"]}
    assert site.ask("ada", "POST", going, body).status_code == 409
    assert site.ask("ada", "POST", going, {**body, "action": "drop"}).status_code == 422
    assert site.ask("ada", "GET", WISH.replace("build/-1", "each/7")).status_code == 404
    asked = WISH.replace(quote(RUN, safe=""), "asked")
    seen = site.ask("ada", "GET", asked).json()
    assert seen["actions"] == []  # the answer to the question decides
    answer = site.ask("ada", "POST", asked, {"action": "give_up", "seen": seen["seen"]})
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "The task asks a person: answer in Required Actions.",
    )
    assert site.ask("ada", "GET", WISH.replace("build/-1", "publish/-1")).json()["actions"] == []


def test_what_is_held_back_has_no_button(site: Site) -> None:
    """A pause, or shadow mode: the task would be cleared, and fail at once. The reason is told."""
    path = WISH.replace(quote(RUN, safe=""), "wished")
    before = site.ask("ada", "GET", path).json()
    if not before["has_store"]:
        pytest.skip("Airflow older than 3.3 has no buttons")
    assert (before["actions"], before["held"]) == (["rerun_from_failure", "rerun_from_start"], None)
    site.change("insert into variable (key, val, is_encrypted) values (?, ?, 0)", ("dbt_rerun_pause", "all"))
    try:
        held = site.ask("ada", "GET", path).json()
        pressed = site.ask("ada", "POST", path, {"action": "rerun_from_start", "seen": held["seen"]})
    finally:
        site.change("delete from variable where key = ?", ("dbt_rerun_pause",))
    assert held["actions"] == []
    assert held["held"].startswith("No rerun: reruns are paused by the Airflow Variable dbt_rerun_pause (all)")
    assert (pressed.status_code, pressed.json()["detail"]) == (409, held["held"])
    write = "update xcom set value = ? where key = 'dbt_rerun_report' and run_id = 'wished' and task_id = 'build'"
    shadow = {**reports.gave_up(), "reason": "shadow mode starts nothing; the policy would rerun from failure"}
    site.change(write, (json.dumps(shadow),))
    try:
        assert site.ask("ada", "GET", path).json()["held"] == "No rerun: shadow mode starts nothing."
    finally:
        site.change(write, (json.dumps(reports.gave_up()),))


def test_of_two_who_press_at_once_one_clears(site: Site) -> None:
    """P2: the other one is told who was faster; Airflow's log of events names both."""
    path = WISH.replace(quote(RUN, safe=""), "wished").replace("build/-1", "each/0")
    seen = site.ask("ada", "GET", path).json()
    if not seen["has_store"]:
        pytest.skip("Airflow older than 3.3 keeps nothing across a clear")
    body = {"action": "rerun_from_failure", "seen": seen["seen"]}
    with ThreadPoolExecutor() as pool:
        pressed = [pool.submit(site.ask, who, "POST", path, body) for who in ("ada", "bea")]
    answers = sorted((each.result() for each in pressed), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 409]
    winner = answers[0].json()["wish"]["by"]
    assert answers[1].json()["detail"].startswith(f"{winner} asked at")
    assert site.ask("vera", "GET", path).json()["wish"]["by"] == winner
    log = site.ask("ada", "GET", "/api/v2/eventLogs?dag_id=shop&event=dbt_rerun_wish").json()
    assert winner in {entry["owner"] for entry in log["event_logs"]}


# --- What a person sees


@browsing
def test_the_message_is_two_clicks_from_the_grid(look: Look) -> None:
    """At 5 a.m.: the failed task, the tab, and there are message, file and decision, without scrolling."""
    ada = look("ada")
    page = ada.at(f"/dags/shop/runs/{quote(RUN, safe='')}", "text=build")
    page.click(f"a[href$='/runs/{RUN}/tasks/build']")
    page.click("a:has-text('dbt heal')")
    message = page.wait_for_selector(".dbt-rerun .failed .message")
    assert message is not None
    assert message.inner_text() == reports.BROKEN["message"]
    box = message.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 760
    assert "models/marts/daily_revenue.sql" in ada.text(".failed")
    assert "Needs a person it was not rerun." in ada.text("header.headline")
    assert ada.text(".why") == "No rule covers 1 model (code); 3 nodes skipped."
    assert "job nightly (48617)" in ada.text("header.headline")
    page.wait_for_load_state("networkidle")
    ada.picture("task-failed")


@browsing
@pytest.mark.parametrize("prefixed", [False, True])
def test_mapped_task_of_a_run_id_with_a_plus(look: Look, both: tuple[Site, Site], prefixed: bool) -> None:  # noqa: FBT001
    """The chain of a heal: each run with link, numbers, decision and what was verified; below a prefix, too."""
    ada = look("ada", both[prefixed])
    page = ada.at(f"{HEAL}/each/mapped/0/plugin/dbt-heal")
    assert "after 1 rerun. Verified" in ada.text("header.headline")
    rows = page.query_selector_all(".run")
    assert len(rows) == 2
    failed, done = (row.inner_text() for row in rows)
    assert "model stg_orders" in failed
    assert "Rerun from failure: rule 2 (at least one failure is transient or timed_out)" in failed
    for text in (
        "5 nodes run",
        "20 nodes saved",
        "after a wait of 37 s",
        "all 5 nodes that had failed or been skipped are done now",
    ):
        assert text in done
    link = rows[1].query_selector("a")
    assert link is not None
    assert link.get_attribute("href") == f"{reports.HOST}/70403104000002/"
    if prefixed:
        ada.picture("task-healed")


@browsing
def test_a_heal_in_progress_counts_down(look: Look, site: Site) -> None:
    """While a task waits or watches, the page says so, and follows what the task reports."""
    ada = look("ada", theme="dark")
    page = ada.at(f"{HEAL}/each/mapped/1/plugin/dbt-heal", ".dbt-rerun [data-until]")
    page.wait_for_function("document.querySelector('[data-until]').textContent.startsWith('in ')")
    page.wait_for_load_state("networkidle")
    ada.picture("task-waiting-dark")
    ada.at(f"{HEAL}/each/mapped/2/plugin/dbt-heal", ".dbt-rerun [data-since]")
    assert "step 5 of 6: dbt build" in ada.text("header.headline")
    site.change("delete from xcom where run_id = ? and map_index = 2", (RUN,))
    site.report("shop", RUN, "each[2]", reports.healed())
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # sooner than its next look
    page.wait_for_selector("header.headline .badge.good")


@browsing
def test_the_reason_of_the_end_is_the_real_one(look: Look) -> None:
    """A passing error whose limits are reached could be healed by a rerun: the page does not say the opposite."""
    ada = look("ada")
    ada.at("/dags/shop/runs/asked/tasks/each/mapped/0/plugin/dbt-heal")
    assert "given up after 1 rerun." in ada.text("header.headline")
    assert "but limit reached: after 2 attempts in all" in ada.text(".why")
    assert "and 1 more failure" not in ada.text(".failed")
    assert "model stg_payments" in ada.text(".failed")


@browsing
def test_an_open_question_leads_to_its_answer(look: Look) -> None:
    """While a person is asked there are no other buttons; what happens without an answer, and when, is said."""
    ada = look("ada")
    page = ada.at("/dags/shop/runs/asked/tasks/build/plugin/dbt-heal", ".question [data-until]:not(:empty)")
    assert ada.text("header .badge") == "Waiting for your answer"
    assert "Rerun from failure, Rerun from start, Give up. Without an answer, “Give up” is taken at" in ada.text()
    assert page.get_attribute(".question a", "href") == "/dags/shop/runs/asked/tasks/build/required_actions"
    assert page.query_selector_all(".dbt-rerun .actions button") == []
    page.wait_for_load_state("networkidle")
    ada.picture("task-question")


@browsing
def test_hostile_texts_stay_texts(look: Look) -> None:
    """Whoever can make a model fail writes its message: it is shown as it is, and does nothing."""
    ada = look("ada")
    for path in ("/dags/shop/runs/hostile/tasks/build/plugin/dbt-heal", "/dbt-rerun/task/shop/hostile/build/-1"):
        page = ada.at(path, ".dbt-rerun .failed .message")
        assert ada.text(".failed .message").startswith("<script>globalThis.hacked = 1</script>")
        assert page.query_selector_all(".dbt-rerun script, .dbt-rerun img, .run a") == []
        assert page.evaluate("globalThis.hacked") is None


@browsing
def test_other_peoples_tasks_show_one_line(look: Look) -> None:
    """Before Airflow 3.4 the tab is on each task of each DAG: there it is short."""
    ada = look("ada")
    ada.at(f"{HEAL}/publish/plugin/dbt-heal", ".dbt-rerun .none")
    assert ada.text() == "No dbt heal here: this task is not one of airflow-dbt-rerun."


@browsing
def test_the_page_of_those_who_see_no_plugins(look: Look, site: Site) -> None:
    """FAB's viewers see no tab: the extra link leads to the same, on a telephone, too; without buttons."""
    otto = look("otto", width=400, theme="dark")
    page = otto.at("/dags/elsewhere/runs/one/tasks/build/details", "a:has-text('dbt heal')")
    link = page.get_attribute("a:has-text('dbt heal')", "href")
    assert link == "/dbt-rerun/task/elsewhere/one/build/-1"
    otto.at(link)
    assert "after 1 rerun" in otto.text("header.headline")
    back = [each.get_attribute("href") for each in page.query_selector_all(".way a")]
    assert back == ["/", "/dags/elsewhere", "/dags/elsewhere/runs/one", "/dags/elsewhere/runs/one/tasks/build"]
    assert page.query_selector_all("button") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    vera = look("vera", width=400, theme="dark")
    page = vera.at(OURS + "/build/-1")
    assert reports.BROKEN["message"] in vera.text(".failed")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.query_selector_all("button") == []
    vera.picture("task-page-narrow-dark")
    otto.page.goto(site.url + OURS + "/build/-1")
    otto.page.wait_for_selector("text=Your role may not read")


@browsing
def test_the_tab_fits_a_telephone(look: Look) -> None:
    """Airflow's page of a task is 1,280 pixels wide; our part is in view, and no wider than the screen."""
    ada = look("ada", width=400)
    page = ada.at(f"{HEAL}/build/plugin/dbt-heal", ".dbt-rerun .actions, .dbt-rerun .runs")
    page.wait_for_load_state("networkidle")
    box = page.locator(".failed .message").bounding_box()
    assert box is not None
    assert box["x"] >= 64  # right of Airflow's sidebar
    assert box["x"] + box["width"] <= 400
    ada.picture("task-tab-narrow")


@browsing
def test_strangers_are_sent_to_the_login(look: Look) -> None:
    """Without a cookie nothing is shown, and the login leads back."""
    nobody = look(None)
    nobody.page.goto(nobody.site.url + OURS + "/build/-1")
    nobody.page.wait_for_url(re.compile(r"/auth/login\?next="))


@browsing
def test_the_heals_of_the_last_days(look: Look) -> None:
    """How many failed and healed, what to mend, what stops runs most; a filter; links to the tasks."""
    ada = look("ada")
    page = ada.at("/plugin/dbt-heals", ".dbt-rerun .list li")
    assert "build was healed on 4 of 5 days" in ada.text(".chronic")
    assert "connection reset" in ada.text(".signatures")
    assert "healed themselves" in ada.text(".tiles")
    page.wait_for_load_state("networkidle")
    ada.picture("heals")
    assert page.get_attribute("td[data-label=Task] a", "href").endswith("/tasks/build/plugin/dbt-heal")  # type: ignore[union-attr]
    assert "nightly" in ada.text("td[data-label='dbt job']")
    page.fill("input[type=search]", "raw_refunds")
    rows = page.query_selector_all(".list li")
    assert rows
    assert all("raw_refunds" in row.inner_text() for row in rows)
    page.fill("input[type=search]", "stg_payments")
    page.click(".list summary:has-text('and 2 more nodes')")
    assert "asked · job nightly" in ada.text(".list")
    assert "stg_payments: SSL SYSCALL error" in ada.text(".list")
    page.select_option("select", "healed")
    page.wait_for_selector("text=Nothing matches.")
    page.fill("input[type=search]", "elsewhere")
    page.click(".list li a")
    page.wait_for_selector("header.headline .badge.good")
    page.go_back()
    page.wait_for_selector(".dbt-rerun .list li")
    chosen = page.input_value("input[type=search]"), page.input_value("select")
    assert chosen == ("elsewhere", "healed")
    assert page.url.endswith("/plugin/dbt-heals?q=elsewhere&outcome=healed")


@browsing
def test_the_heals_on_a_telephone_and_of_nobody(look: Look) -> None:
    """The same page outside Airflow's UI, narrow; and what it says where nothing is."""
    vera = look("vera", width=400)
    page = vera.at("/dbt-rerun/heals?outcome=person", ".dbt-rerun .list li")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.input_value("select") == "person"
    vera.picture("heals-narrow")
    page.focus("input[type=search]")
    page.keyboard.type("raw_ref")  # each letter draws the page anew
    assert page.input_value("input[type=search]") == "raw_ref"
    nora = look("nora")
    nora.at("/dbt-rerun/heals", ".empty")
    assert "No dbt run in the last 7 days, among the DAGs that you may read." in nora.text(".empty")


@browsing
def test_a_person_presses_a_button(look: Look, site: Site) -> None:
    """One click asks, the second one clears; who comes late is told who was faster."""
    if not site.ask("ada", "GET", WISH).json()["has_store"]:
        pytest.skip("Airflow older than 3.3 keeps nothing across a clear")
    path = "/dags/shop/runs/wished/tasks/build/plugin/dbt-heal"
    ada, bea = look("ada"), look("bea")
    for person in (ada, bea):
        person.at(path).click("button:has-text('Rerun from failure')")
        person.page.wait_for_selector(".asking")
    ada.picture("task-asking")
    page = ada.page
    page.wait_for_selector(FAILED_IN_AIRFLOW)
    page.click("button.sure")
    page.wait_for_selector("text=Noted: the task was cleared")
    page.wait_for_selector(FAILED_IN_AIRFLOW, state="detached")  # Airflow's own header, without a reload
    assert ada.text("header .badge") == "Starts again"
    bea.page.click("button.sure")
    bea.page.wait_for_selector(".answer:has-text('ada asked at')")
    ada.page.wait_for_selector(".wish:has-text('ada asked to rerun from failure')")
    assert page.query_selector_all(".actions button") == []
    site.change("update task_instance set state = 'running' where run_id = ? and task_id = 'build'", ("wished",))
    page.wait_for_selector("text=Noted", state="detached")  # the try that does it has begun


@browsing
def test_an_airflow_that_cannot_be_told_is_reloaded(look: Look, site: Site) -> None:
    """Should a later Airflow keep its cache elsewhere, the page says what is old, and has a button for it."""
    if not site.ask("ada", "GET", WISH).json()["has_store"]:
        pytest.skip("Airflow older than 3.3 has no buttons")
    ada = look("ada")
    page = ada.at("/dags/shop/runs/stale/tasks/build/plugin/dbt-heal")
    page.evaluate(HIDE)
    page.click("button:has-text('Rerun from failure')")
    page.click("button.sure")
    page.wait_for_selector(".answer:has-text('after a reload of this page')")
    page.click("button:has-text('Reload')")
    page.wait_for_selector(".dbt-rerun h2")
    page.wait_for_selector(FAILED_IN_AIRFLOW, state="detached")
