"""Ruling patterns out by their words must never rule out one that would have matched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_dbt_rerun.core.diagnosis.cleaning import evidence
from airflow_dbt_rerun.core.signatures import Signature, all_signatures
from airflow_dbt_rerun.core.signatures.literals import Index, words_of

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"\bdeadlock detected\b", {"deadlock detected"}),
        (r"(?:lost|closed) connection", {" connection"}),
        (r"\b(?:lost|gone)\b", {"lost", "gone"}),
        (r"(?:abc)?", set()),
        (r"(?:abc){2,3}x", {"abc"}),
        (r"a|\d", set()),
        (r"Vendor CODE: \d+", {"vendor code: "}),
        (r"(?-i:[A-Z]{3})_OOM", {"_oom"}),
        (r"x(?!never)yz", {"yz"}),
        (r"\bgone away\b|\bno answer: \[x\]", {"gone away", "no answer: [x]"}),
        (r"role .{1,120} may not\.", {" may not."}),
        (r"\bgone\b|\b", set()),
    ],
)
def test_words_a_pattern_cannot_do_without(pattern: str, words: set[str]) -> None:
    """A run of letters, or one of several; nothing where a match may hold none of them."""
    assert words_of(pattern) == words


def test_every_match_of_the_corpus_is_a_candidate() -> None:
    """On real messages the search by words finds all that the patterns themselves find, in the same order."""
    signatures = all_signatures()
    index = Index(signatures)
    lines = (DATA / "messages.jsonl").read_text(encoding="utf-8").splitlines()[::25]
    for text in (evidence(json.loads(line)["message"]) for line in lines):
        found = [known for known in index.candidates(text) if known.found_in(text)]
        assert found == [known for known in signatures if known.found_in(text)]


def test_words_of_any_length_are_found() -> None:
    """Longer words are looked up by four of their letters, shorter ones are searched for."""
    signatures = [Signature("code", pattern) for pattern in ("io", "oom", "lock", "locked", "unlocked by")]  # type: ignore[arg-type]
    found = [one.pattern for one in Index(signatures).candidates("IO: it was LOCKED")]
    assert found == ["io", "lock", "locked"]


def test_a_pattern_without_words_is_always_tried() -> None:
    """Whatever cannot be ruled out is searched."""
    anything = Signature("code", r"^\d+$")  # type: ignore[arg-type]
    assert list(Index([anything]).candidates("nothing in common")) == [anything]
