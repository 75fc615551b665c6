"""What help and errors of all subcommands share: examples at the end, and the word that was probably meant."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from airflow_dbt_rerun.core.messages import closest, unknown

PROGRAM = "airflow-dbt-rerun"


class Parser(argparse.ArgumentParser):
    """A parser whose help ends with examples and whose errors suggest the closest word."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=argparse.RawDescriptionHelpFormatter)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a word that is not among the choices, with the closest one."""
        if action.choices is not None and value not in action.choices:
            what = "command" if isinstance(action, argparse._SubParsersAction) else "choice"  # noqa: SLF001
            raise argparse.ArgumentError(None, unknown(what, value, action.choices))

    def refuse(self, extra: Sequence[str]) -> NoReturn:
        """End with an error that names the arguments which nothing takes, and what was probably meant."""
        given = next((word for word in extra if word.startswith("-")), None)
        meant = closest(given.partition("=")[0], self.options()) if given else None
        self.error(f"unrecognized arguments: {' '.join(extra)}" + (f"; did you mean {meant}?" if meant else ""))

    def options(self) -> list[str]:
        """Return the options with two dashes."""
        return [name for action in self._actions for name in action.option_strings if name.startswith("--")]


def ending(examples: Iterable[str], status: str) -> str:
    """Return the end of a help text: examples, one a line, and what the exit status says.

    :param examples: commands without the program's name, each with what it does after `` # `` if that is not clear.
    """
    commands = "\n".join(f"  {PROGRAM} {example}" for example in examples)
    return f"examples:\n{commands}\n\nexit status: {status}"
