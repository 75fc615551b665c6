"""How often to poll a run, and how long to wait for what may arrive late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import Run, WatchedRun
from airflow_dbt_rerun.core.messages import unknown
from airflow_dbt_rerun.core.policy.arguments import Number, OrNone

Seen = Run | WatchedRun

_NEAR = 0.25
"""Of the time between now and a run's usual end, the part to wait before the next poll."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Every interval, limit and pause of watching one run. All values are seconds.

    A pace travels whole from the operator to the driver and to the triggerer, there as plain JSON.

    :raises ValueError: if an interval is not above zero.
    """

    check_interval: float = 60.0
    """Between polls, at most. The default is the official operator's."""
    quickest_check_interval: float | None = None
    """Between polls near the run's usual end, at least; None: always ``check_interval``."""
    usual: float | None = None
    """How long runs of the job usually take, if known."""
    tolerance: float = 600.0
    """How long the API may give no readable answer before the run counts as unwatchable."""
    deadline: float | None = None
    """Epoch seconds after which to stop waiting; None: no limit."""
    first_poll_after: float = 5.0
    """From a deferral to the first poll: very short deferrals can be lost in a race in Airflow's scheduler."""
    artifact_pauses: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Between reads of artifacts and logs, which can arrive after the run's end."""
    lost_answer_pauses: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
    """Between searches for a run whose POST was not answered: lists may be late, by two minutes at most."""
    trouble_pause: float = 10.0
    """Between requests of a worker while the API has trouble."""

    def __post_init__(self) -> None:
        quickest = self.quickest_check_interval
        if not min(self.check_interval, self.check_interval if quickest is None else quickest) > 0:
            raise ValueError(f"seconds between polls must be above zero: {self!r}")

    @property
    def first_poll(self) -> float:
        """Seconds before the first poll of a deferred task."""
        return min(self.check_interval, self.first_poll_after)

    @property
    def needs_start(self) -> bool:
        """Whether the pauses depend on when the run started."""
        return self.usual is not None and self.quickest_check_interval is not None

    def pause(self, now: float, seen: Seen | None) -> float:
        """Return the seconds until the next poll: few if the run is likely to end soon, else many.

        :param now: epoch seconds, as dbt's own times are.
        :param seen: the run as it was last read.
        """
        if seen is None or self.usual is None or self.quickest_check_interval is None:
            return self.check_interval
        began = _start(seen)
        end = self.usual + (now if began is None else began)  # a queued run may start at any moment
        distance = abs(end - now)  # an overdue run may take much longer still
        return min(max(distance * _NEAR, self.quickest_check_interval), self.check_interval)

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults, as plain JSON values."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        defaults = {field.name: field.default for field in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in given.items()
            if value != defaults[name]
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote.

        :raises TypeError: if a name is unknown, or a value has the wrong type; the message names it.
        :raises ValueError: if a value is not allowed.
        """
        for name in data:
            if name not in _NAMES:
                raise TypeError(unknown("argument", name, _NAMES))
        return cls(**{name: _checked(name, value) for name, value in data.items()})


def _checked(name: str, value: object) -> Any:
    if isinstance(value, (list, tuple)) and name in _PAUSES:
        return tuple(_SECONDS.check(name, each) for each in value)
    return (_SECONDS_OR_NONE if name in _MAY_BE_NONE else _SECONDS).check(name, value)


_NAMES = [field.name for field in fields(Pace)]
_SECONDS = Number(least=0, unit="seconds")
_SECONDS_OR_NONE = OrNone(_SECONDS)
_PAUSES = ("artifact_pauses", "lost_answer_pauses")
_MAY_BE_NONE = ("quickest_check_interval", "usual", "deadline")


def _start(seen: Seen) -> float | None:
    try:
        return epoch(seen.started_at)
    except (ValueError, TypeError):  # an unreadable timestamp is no reason to stop watching
        return None
