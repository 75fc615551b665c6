"""Watch a run on a worker: polls and pauses as :func:`~airflow_dbt_rerun.core.watch.one.watch` decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_dbt_rerun.api.endpoints import get_run
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.one import Poll, WatchOutcome, watch
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.polled_progress import PolledProgress
from airflow_dbt_rerun.engine.reader import Sender
from airflow_dbt_rerun.exceptions import DbtApiError, is_bearable


def watch_run(
    client: Sender,
    run_id: int,
    pace: Pace,
    *,
    tell: Callable[[Run], None],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> WatchOutcome:
    """Block until a run has ended, the deadline has passed, or the run was unreadable for too long.

    :param tell: called with the run and its steps when it has got on.
    :param clock: returns epoch seconds.
    :param sleep: waits the given number of seconds.
    """
    script = watch(run_id, pace, clock=clock, bearable=is_bearable)
    progress = PolledProgress(tell, clock)
    answer: Run | Exception | None = None
    while True:
        try:
            request = script.send(answer)
        except StopIteration as end:
            outcome: WatchOutcome = end.value
            return outcome
        if isinstance(request, Poll):
            answer = _poll(client, request.run_id, progress.related())
            progress.polled(answer)
        else:
            answer = None
            sleep(request.seconds)


def _poll(client: Sender, run_id: int, related: Sequence[str]) -> Run | Exception:
    try:
        return client.send(get_run(run_id, include_related=related))
    except DbtApiError as error:
        return error
