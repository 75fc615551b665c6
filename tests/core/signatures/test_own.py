"""The signatures that users add: their form, and how a wrong one is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.signatures import Signature, own

SWAP = Signature(Category.TRANSIENT, r"relation raw\.\w+ does not exist", name="loader swaps the table")
ERROR = "Database Error in model m (models/m.sql)\n  relation raw.orders does not exist"


def test_a_signature_of_ones_own_wins_over_the_built_in_ones() -> None:
    """What is code for everybody can be transient for one team."""
    assert match(ERROR)[0] is Category.CODE
    assert match(ERROR, extra=own.check([SWAP])) == (Category.TRANSIENT, SWAP)


def test_a_plain_word_is_a_category_and_the_pattern_stands_for_a_missing_name() -> None:
    """Nothing has to be imported to name a category, and the diagnosis always has something to show."""
    written = Signature("throttled", "slow down")  # type: ignore[arg-type]
    assert written == Signature(Category.THROTTLED, "slow down", source="", name="slow down")


def test_a_signature_is_shown_as_it_is_written() -> None:
    """The repr is plain Python and leads back to the same signature."""
    shown = r"Signature('transient', 'relation raw\\.\\w+ does not exist', name='loader swaps the table')"
    assert repr(SWAP) == shown
    assert repr(Signature(Category.CODE, "x", source="ours")) == "Signature('code', 'x', source='ours')"
    assert eval(shown) == SWAP  # noqa: S307 - our own text


def test_no_pattern_is_compiled_at_import() -> None:
    """The tables cost a DAG that is parsed no compiling; an invalid pattern shows when it is used or checked."""
    program = (
        "import re; compiled = []; plain = re.compile\n"
        "re.compile = lambda pattern, flags=0: compiled.append(pattern) or plain(pattern, flags)\n"
        "from airflow_dbt_rerun.core.signatures import all_signatures, own\n"
        "print(len({one.pattern for one in all_signatures()} & set(compiled)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
    assert Signature(Category.CODE, "(").pattern == "("


def test_signatures_and_mappings_are_both_accepted() -> None:
    """A list may mix both; None means that there are none."""
    assert own.check([SWAP, {"category": "code", "pattern": "x", "name": None}]) == (
        SWAP,
        Signature(Category.CODE, "x"),
    )
    assert own.check((SWAP,)) == (SWAP,)
    assert own.check(None) == own.check([]) == ()


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (SWAP, TypeError, "signatures takes a list of Signature(category, pattern), not Signature('transient', "),
        ("deadlock", TypeError, "signatures takes a list of Signature(category, pattern), not 'deadlock'"),
        ([SWAP, Signature], TypeError, "signatures[1]: an entry takes category and pattern"),
        ([("code", "x")], TypeError, "not ('code', 'x')"),
        (
            [SWAP, {"category": "transiant", "pattern": "x"}],
            ValueError,
            "signatures[1]: there is no category 'transiant'",
        ),
        (
            [SWAP, Signature(Category.CODE, "(")],
            ValueError,
            "signatures[1]: signature pattern '(' is not a valid regular",
        ),
        ([Signature(Category.CODE, "a{9999999999999}")], ValueError, "signatures[0]: signature pattern"),
        ([Signature(Category.CODE, " ")], ValueError, "signatures[0]: the pattern is empty"),
        ([Signature(Category.CODE, "a*")], ValueError, "signatures[0]: the pattern 'a*' matches an empty text"),
        ([Signature(Category.CODE, "lock|")], ValueError, "matches an empty text: it would match every error"),
        ([Signature(Category.CODE, "\bword\b")], ValueError, r"the control character '\x08'"),
        ([Signature(Category.CODE, 40)], TypeError, "signatures[0]: pattern takes text, not 40"),  # type: ignore[arg-type]
        ([Signature(Category.CODE, "x", name=3)], TypeError, "name takes text, not 3"),  # type: ignore[arg-type]
    ],
)
def test_what_is_wrong_in_code_is_refused_with_its_place(given: Any, kind: type[Exception], words: str) -> None:
    """One line that names the entry as Python counts and says what is wrong with it."""
    with pytest.raises(kind) as caught:
        own.check(given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (
            [{"category": "code", "pattern": "x"}, {"category": "kode", "pattern": "x"}],
            ValueError,
            "X, entry 2: there is",
        ),
        (
            [{"category": "transiant", "pattern": "x"}],
            ValueError,
            "X, entry 1: there is no category 'transiant'; did you",
        ),
        ([{"category": "transiant", "pattern": "x"}], ValueError, "did you mean 'transient'?"),
        ([{"category": "nonsense", "pattern": "x"}], ValueError, "; there are transient, throttled, timed_out,"),
        ([{"category": ["code"], "pattern": "x"}], TypeError, "X, entry 1: category takes one word, not ['code']"),
        (
            [{"categroy": "code", "pattern": "x"}],
            ValueError,
            "there is no key 'categroy'; did you mean 'category'?",
        ),
        (
            [{"category": "code", "pattern": "x", 1: 2}],
            ValueError,
            "there is no key 1; there are category, pattern,",
        ),
        ([{"category": "code"}], ValueError, "X, entry 1: pattern missing"),
        ([{}], ValueError, "X, entry 1: category and pattern missing"),
        ([{"category": "code", "pattern": 405}], TypeError, "pattern takes text, not 405; put it in quotes"),
        ([None], TypeError, "X, entry 1: an entry takes category and pattern"),
        ({"category": "code", "pattern": "x"}, TypeError, "X takes a list of entries, not a single one"),
        ("transient", TypeError, "X takes a list of entries {category, pattern, name, source}, not 'transient'"),
        (None, TypeError, "X takes a list of entries"),
        ("x" * 1000, TypeError, "xx..."),
    ],
)
def test_what_is_wrong_in_data_is_refused_with_its_place(data: Any, kind: type[Exception], words: str) -> None:
    """One line that names the source and the entry as people count, and says what is wrong with it."""
    with pytest.raises(kind) as caught:
        own.read(data, "X")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_data_is_read_in_its_order() -> None:
    """The first that matches wins, so the order is the user's."""
    text = (
        '[{"category": "code", "pattern": "b", "source": "s", "name": "n"}, {"category": "access", "pattern": "a"}]'
    )
    assert own.read(json.loads(text)) == (Signature(Category.CODE, "b", "s", "n"), Signature(Category.ACCESS, "a"))


def test_a_wrong_category_in_code_is_refused_where_it_is_written() -> None:
    """The traceback of a DAG that is parsed leads to the line itself."""
    with pytest.raises(ValueError, match="there is no category 'transiant'; did you mean 'transient'"):
        Signature("transiant", "x")  # type: ignore[arg-type]
