"""The log of one step, parsed once, however many failed nodes are looked up in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from airflow_dbt_rerun.core.diagnosis.logs import LoggedError, failed_batches, logged_errors, says_why
from airflow_dbt_rerun.core.diagnosis.one_line import clean


class StepLog:
    """Finds the errors of single nodes in a step's log. Nothing is parsed before it is needed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: dict[str, tuple[str, ...]] = {}

    @cached_property
    def errors(self) -> tuple[LoggedError, ...]:
        """The errors in the log: see :func:`~airflow_dbt_rerun.core.diagnosis.logs.logged_errors`."""
        return logged_errors(self.text, self._batches)

    def texts_of(self, name: str) -> tuple[str, ...]:
        """Return the error messages of a failed node, at least one; it is empty if the log has none.

        A node that the log does not name gets the errors without a name.
        """
        if name not in self._found:
            self._found[name] = self._texts_of(name)
        return self._found[name]

    def _texts_of(self, name: str) -> tuple[str, ...]:
        if batches := self._batches_by_name.get(name):
            return tuple(batches)
        own = tuple(text for text in self._errors_by_name.get(name, ()) if says_why(clean(text)))
        return own or tuple(self._errors_by_name.get(None, ())) or ("",)

    @cached_property
    def _batches(self) -> tuple[LoggedError, ...]:
        return tuple(failed_batches(self.text))

    @cached_property
    def _batches_by_name(self) -> Mapping[str | None, Sequence[str]]:
        return _by_name(self._batches)

    @cached_property
    def _errors_by_name(self) -> Mapping[str | None, Sequence[str]]:
        return _by_name(self.errors)


def _by_name(errors: Iterable[LoggedError]) -> Mapping[str | None, Sequence[str]]:
    found: defaultdict[str | None, list[str]] = defaultdict(list)
    for error in errors:
        found[error.name].append(error.text)
    return found
