"""Parse dbt's commands as text, and rewrite a command for other nodes."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Sequence

_WITH_NODES = frozenset({"build", "run", "test", "seed", "snapshot", "compile", "retry", "source", "docs", "clone"})

SUBCOMMANDS = _WITH_NODES | frozenset(
    {"clean", "debug", "deps", "environment", "init", "invocation", "lint", "list", "login", "ls", "man", "parse"}
    | {"run-operation", "show", "sl", "system"}
)
"""The commands of dbt-core, dbt v2 and the platform. There may be more."""

_GLOBAL_WITH_VALUE = frozenset(
    {"--target", "-t", "--profile", "--profiles-dir", "--project-dir", "--target-path", "--log-path", "--vars"}
    | {"--log-level", "--log-format", "--log-level-file", "--log-format-file", "--printer-width", "--threads"}
    | {"--state", "--defer-state", "--warn-error-options", "--event-time-start", "--event-time-end"}
)
"""Options whose value could be mistaken for the command: ``dbt --target test build``."""

_CHOOSES_NODES = frozenset(
    {"--select", "-s", "--models", "--model", "-m", "--selector", "--resource-type", "--resource-types"}
)
"""Options that select nodes; ``--exclude`` is kept in any case."""


def words_of(command: str) -> tuple[str, ...]:
    """Return the words of a command, however it quotes them."""
    try:
        return tuple(shlex.split(command))
    except ValueError:  # an open quote: the platform splits it in its own way
        return tuple(command.split())


def warns_as_errors(command: str) -> bool:
    """Return whether a command counts warnings as errors: ``dbt retry`` ignores that (``IGNORE_PARENT_FLAGS``)."""
    return any(word.startswith("--warn-error") for word in words_of(command))


_BUILDS_NOTHING = frozenset({"compile", "docs", "clone", "show", "list", "ls", "parse"})
_WITHOUT_DATA = ("--empty", "--sample")


def builds_nothing(command: str) -> bool:
    """Return whether a command leaves its nodes without their data, although dbt records ``success`` for them.

    It compiles or clones them, or builds them empty or from a sample.
    """
    has_option = any(word.partition("=")[0] in _WITHOUT_DATA for word in words_of(command))
    return has_option or subcommand(command)[0] in _BUILDS_NOTHING


_WHAT_IS_BUILT = {
    **dict.fromkeys(("--full-refresh", "-f"), "full_refresh"),
    **dict.fromkeys(("--target", "-t"), "target"),
    "--vars": "vars",
    "--profile": "profile",
    "--warn-error-options": "warn_error_options",
    "--event-time-start": "event_time_start",
    "--event-time-end": "event_time_end",
    "--sample": "sample",
    "--empty": "empty",
    "--state": "state",
    "--defer": "defer",
    "--defer-state": "defer_state",
    "--favor-state": "favor_state",
}
"""Options that decide what or where a command builds, by their names in the node results' ``args``."""


def forgotten_options(command: str, kept: Collection[str] | None) -> tuple[str, ...]:
    """Return the options that change what a command builds and that ``dbt retry`` would not know.

    :param kept: the options that the node results hold; None if they hold all, as those of dbt-core do.
    """
    if kept is None:
        return ()
    given = dict.fromkeys(word.partition("=")[0] for word in words_of(command))
    return tuple(word for word in given if word in _WHAT_IS_BUILT and _WHAT_IS_BUILT[word] not in kept)


def build_instead(command: str, selectors: Iterable[str]) -> str:
    """Return ``dbt build`` of these nodes only, with the other options of the command: vars, target, ...

    :param command: the command whose nodes are to be built, for example ``dbt test --select tag:daily``.
    :param selectors: names as dbt's ``--select`` takes them.
    """
    words = words_of(command)
    place = _place_of_command(words)
    before, after = words[:place], _without_choice(words[place + 1 :])
    return shlex.join([*_without_choice(before), "build", *after, "--select", *selectors])


def subcommand(command: str) -> tuple[str, tuple[str, ...]]:
    """Return the first word after ``dbt`` that is no option, and the words after it; empty if there is none."""
    words = words_of(command)
    for place, word in enumerate(words):
        if place and not word.startswith("-") and words[place - 1] not in _GLOBAL_WITH_VALUE:
            return word, words[place + 1 :]
    return "", ()


def _place_of_command(words: Sequence[str]) -> int:
    for place, word in enumerate(words):
        if place and word in _WITH_NODES and words[place - 1] not in _GLOBAL_WITH_VALUE:
            return place
    return len(words)


def _without_choice(words: Sequence[str]) -> list[str]:
    """Remove the options that select nodes, each with all its values: ``--select a b``."""
    kept: list[str] = []
    skipping = False
    for word in words:
        if word.startswith("-"):
            name, has_value, _ = word.partition("=")
            skipping = name in _CHOOSES_NODES and not has_value
            if name in _CHOOSES_NODES:
                continue
        if not skipping:
            kept.append(word)
    return kept
