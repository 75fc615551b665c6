"""What is proposed from which past: the waits, the evidence, and where nothing is proposed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from airflow_dbt_rerun.advice.advise import Advice, advise
from airflow_dbt_rerun.advice.as_yaml import as_yaml
from airflow_dbt_rerun.advice.document import to_dict
from airflow_dbt_rerun.advice.evidence import Bounds, Evidence
from airflow_dbt_rerun.advice.waiting import USUAL_LIMIT, Waits, choose_waits
from airflow_dbt_rerun.backtest.collected import Details
from airflow_dbt_rerun.config.documents import read_policy
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from tests.backtest.past import OTHER_COMMIT, RESET, SYNTAX, collected, failures, green, red, resumed

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "policy.schema.json").read_text())
DAY = 24 * 60
THROTTLED = (
    "Database Error in model orders (models/orders.sql)\n  Exceeded rate limits: too many table update operations"
)
UNHEARD = "Database Error in model orders (models/orders.sql)\n  [QGW-{}] the gateway gave the session away"


def nights(*gone_after: float, message: str = RESET, first: int = 1) -> list[Details]:
    """One failure a night of two minutes, healed by a person after some minutes. Ids go up by two."""
    past: list[Details] = []
    for number, minutes in enumerate(gone_after):
        run_id, begins = first + 2 * number, (first + number) * DAY
        past += [red(run_id, begins, message), resumed(green(run_id + 1, begins + 2 + minutes), run_id)]
    return past


def between(count: int, *, first: int) -> list[Details]:
    """Green runs, so that a job does not fail in a fifth of its runs."""
    return [green(first + number, 100 * DAY + 10 * number) for number in range(count)]


def advice_of(*past: Details) -> Advice:
    """The advice from a past."""
    return advise(collected(*past))


# --- the waits


@pytest.mark.parametrize(
    ("minutes", "first", "last"),
    [
        ((12,) * 5, 240, 720),
        ((1, 2, 3, 4, 119), 120, 360),  # four of five
        ((0,) * 5, 60, 180),  # never at once
        ((100,) * 5, 2100, 6300),  # in steps of five minutes from half an hour on
        ((4, 4, 4, 4, 4, 500, 500), 120, 360),  # what took longer than two hours is left out
    ],
)
def test_waits(minutes: tuple[float, ...], first: int, last: int) -> None:
    """The last rerun comes when four of five that passed within two hours were gone, the first after a third."""
    past = nights(*minutes)
    waits = choose_waits(Evidence.of(failures(*past)), USUAL_LIMIT)
    assert isinstance(waits, Waits)
    assert (waits.first, waits.last) == (first, last)


def test_no_waits_where_more_lasted() -> None:
    """Five that were gone after ten minutes say nothing against six that were still there."""
    own = tuple(failures(*nights(*[10.0] * 5)))
    lasting = Evidence(own + own[:3] * 2, (Bounds(0, 600.0),) * 5 + (Bounds(1200.0, None),) * 6)
    assert choose_waits(lasting, USUAL_LIMIT) == "more are known to have lasted than to have passed"


def test_bounds_come_from_identical_runs_only() -> None:
    """Seen again at 4 minutes, gone at 30; a success of another commit tells nothing."""
    seen_again = [red(1, 0), resumed(red(2, 6), 1), resumed(green(3, 32), 2)]
    mended = [red(11, DAY), resumed(green(12, DAY + 32, git_sha=OTHER_COMMIT), 11)]
    found = Evidence.of(failures(*seen_again, *mended))
    assert found.bounds == (Bounds(240.0, 1800.0), Bounds(0.0, None))


# --- the rules


def test_a_rule_with_its_evidence() -> None:
    """Six dropped connections, five gone within twelve minutes: reruns after 4 and 12 minutes."""
    advice = advice_of(*nights(3, 5, 8, 9, 12, 300), *between(40, first=100))
    assert advice.policy_data["rules"] == [
        {"when": {"any_node": "transient"}, "wait": {"wait_exponential": {"multiplier": 180}}},
        "default_rules",
    ]
    (count,) = advice.rules[0].counts
    assert (count.cases, count.passed, count.gone, count.still_there) == (6, 5, 4, 0)
    assert advice.policy.stop(_state(seconds=7300.0)) is True  # type: ignore[arg-type]


def _state(*, seconds: float) -> object:
    class State:
        attempt_number, seconds_since_start = 1, seconds

    return State()


def test_fewer_than_five_cases() -> None:
    """Nothing is proposed: the policy is the default one, and says why."""
    advice = advice_of(*nights(3, 5, 8, 9), *between(40, first=100))
    assert advice.policy == RerunPolicy()
    assert [(kept.kind, kept.cases, kept.why) for kept in advice.kept] == [
        ("transient", 4, "fewer than five cases")
    ]
    assert "Kept from the default policy: transient, 4 cases (fewer than five cases)." in text_of(advice)


def test_what_only_people_mend_gets_no_rule() -> None:
    """Syntax errors are left, however soon a commit mended them."""
    past = [
        each
        for number in range(8)
        for each in (
            red(2 * number + 1, number * DAY, SYNTAX),
            green(2 * number + 2, number * DAY + 60, git_sha=OTHER_COMMIT),
        )
    ]
    advice = advice_of(*past)
    assert (advice.rules, advice.kept, advice.chronic) == ((), (), ())
    assert advice.left == {"code": 8}


def test_a_chronic_node() -> None:
    """A node that fails in half of the runs is named, and waited for longer, in its job only."""
    advice = advice_of(*nights(*[240.0] * 7), *between(7, first=100))
    ((chronic, why),) = advice.chronic
    assert (chronic.job_id, chronic.node, len(chronic.evidence), chronic.runs) == (7, "orders", 7, 14)
    assert why is None
    assert advice.rules[0].data == {
        "when": {"all": [{"run": {"job_id": 7}}, {"node": {"name": "orders"}}, {"any_node": ["transient"]}]},
        "wait": {"wait_exponential": {"multiplier": 4800}},
    }
    assert advice.hours == 4, "the limit allows the longest rule"
    assert "nightly (7) failed at orders in 7 of 14 runs, 7 of which a later run healed: mend it." in flat(advice)


def test_a_chronic_trouble_counts_for_its_own_rule_only() -> None:
    """Its troubles say nothing about the dropped connections of other nodes."""
    others = [
        each
        for n in range(4)
        for each in (
            red(301 + 2 * n, (50 + n) * DAY, node="model.shop.customers"),
            green(302 + 2 * n, (50 + n) * DAY + 10),
        )
    ]
    advice = advice_of(*nights(*[60.0] * 7), *others, *between(10, first=400))
    assert [rule.chronic is not None for rule in advice.rules] == [True]
    assert [(kept.kind, kept.cases) for kept in advice.kept] == [("transient", 4)]


@pytest.mark.parametrize(
    ("throttled_minutes", "rules"),
    [(55.0, [["throttled", "transient"]]), (20.0, ["throttled", "transient"])],
)
def test_kinds_with_similar_waits_share_a_rule(throttled_minutes: float, rules: list[object]) -> None:
    """The longer wait outlasts both; very different ones stay apart."""
    past = [*nights(*[60.0] * 5), *nights(*[throttled_minutes] * 5, message=THROTTLED, first=101)]
    advice = advice_of(*past, *between(60, first=300))
    assert [rule.data["when"]["any_node"] for rule in advice.rules] == rules


def test_a_chronic_node_without_a_rule() -> None:
    """If nobody was there before the next night, no wait is known to help."""
    advice = advice_of(*nights(*[1000.0] * 7), *between(7, first=100))
    assert advice.rules == ()
    assert "mend it. No rule: of fewer than five it is known that they passed within 8 h." in flat(advice)


def test_messages_that_no_signature_knows() -> None:
    """Numbers do not tell them apart; the runs are named. They are rerun once, when it is known to help."""
    past = [each for n in range(6) for each in nights(10, message=UNHEARD.format(4711 + n), first=10 * n + 1)]
    advice = advice_of(*past, *between(60, first=200))
    (unheard,) = advice.unheard
    assert "[QGW-#] the gateway gave the session away" in unheard.shape
    assert unheard.run_ids == (1, 11, 21, 31, 41, 51)
    assert (unheard.passed, unheard.mended) == (6, 0)
    unknown = {"when": {"every": "unknown"}, "wait": {"wait_fixed": 720}, "stop": {"stop_after_attempt": 2}}
    assert advice.policy_data["rules"][0] == unknown


# --- as YAML and as JSON


def flat(advice: Advice) -> str:
    """The YAML with its comments joined to lines."""
    return " ".join(text_of(advice).replace("#", " ").split())


def text_of(advice: Advice) -> str:
    """The YAML."""
    return as_yaml(advice, advice.compared())


@pytest.mark.parametrize("minutes", [(3, 5, 8, 9, 12, 300), (240,) * 7, (3,)], ids=["kind", "chronic", "few"])
def test_the_yaml_is_the_policy(minutes: tuple[float, ...]) -> None:
    """It is read back, valid by the schema, and no line is too long to read."""
    advice = advice_of(*nights(*minutes), *between(9, first=100))
    text = text_of(advice)
    assert read_policy(text, "proposed") == advice.policy
    assert yaml.safe_load(text) == advice.policy_data == to_dict(advice, {})["policy"]
    Draft202012Validator(SCHEMA).validate(yaml.safe_load(text))
    assert max(map(len, text.splitlines())) <= 120


def test_names_of_others_cannot_leave_a_comment_or_a_string() -> None:
    """A job's or a node's name is anything that somebody typed."""
    name = 'orders"}\nrules: [] # \u2028[x]\N{GRINNING FACE}'
    job = "x\nstop: stop_never"
    past = []
    for run_id in range(1, 15, 2):
        past.append(red(run_id, run_id * DAY, node=f"model.shop.{name}", job_name=job))
        past.append(green(run_id + 1, run_id * DAY + 240, job_name=job))
    advice = advice_of(*past)
    (rule,) = advice.rules
    assert rule.data["when"]["all"][1] == {"node": {"name": name.replace("[", "[[]")}}, "not a wildcard"
    assert yaml.safe_load(text_of(advice)) == advice.policy_data


def test_it_does_better_on_the_failures_that_it_was_made_from() -> None:
    """The header says so, and that this is no proof."""
    advice = advice_of(*nights(*[30.0] * 8), *between(60, first=100))
    compared = advice.compared()
    assert (compared["default"].pages_avoided, compared["proposed"].pages_avoided) == ((0, 8), (8, 8))
    assert "proposed: 8 healed and 0 more perhaps" in text_of(advice)
