"""A dbt platform in pure Python with its own clock, light enough for thousands of schedules of faults.

What happens is laid down beforehand in a :class:`Schedule`. What was asked and done is on record in ``posts`` and
``runs``, so that a test need not believe the code under test. Bodies have the Admin API's shape, and go through the
parsers and the table of errors that real answers go through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, StrEnum, auto
from typing import Any, TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.replies import Failure, Reply, read
from airflow_dbt_rerun.core.dbt.models import RetryNotSupported, RunStatus
from tests.core.builders import RESET, SYNTAX

T = TypeVar("T")
Json = dict[str, Any]
Plan = tuple[tuple[str, tuple[str, ...]], ...]
"""Commands in their order, each with the nodes it has to do."""

JOB_ID = 7
JOB: Plan = (
    ("dbt seed", ("seed.shop.raw",)),
    ("dbt run", ("model.shop.stg", "model.shop.orders", "model.shop.report")),
    ("dbt test", ("test.shop.unique_orders",)),
)
NODES = tuple(node for _, nodes in JOB for node in nodes)


class Killed(BaseException):
    """The worker got SIGKILL: no ``except`` of the code under test may see this."""


class End(StrEnum):
    """How a run ends, unless it is cancelled before."""

    SUCCESS = auto()
    TRANSIENT = auto()
    STRANGE = auto()
    """A node fails with an unknown message."""
    PERMANENT = auto()
    NO_CLONE = auto()
    """It dies in a built-in step, before any command."""
    NO_NODES = auto()
    """It dies in its first command, before the first node."""
    HOLLOW = auto()
    """A resumed run is green, and did nothing of what it owed; any other run succeeds."""
    TIMED_OUT = auto()
    """The platform cancels it, and says so."""
    VANISHED = auto()
    """It is cancelled for an unknown reason."""
    STOPPED = auto()
    """A person cancels it."""


CANCELLED = frozenset({End.TIMED_OUT, End.VANISHED, End.STOPPED})
GREEN = frozenset({End.SUCCESS, End.HOLLOW})
MESSAGES = {End.TRANSIENT: RESET, End.STRANGE: "The moon was in the wrong house", End.PERMANENT: SYNTAX}
NO_START_LOG = "Encountered an error:\nConnection reset by peer"
TIMED_OUT = "This run timed out after running for 1 hour, which exceeded the configured timeout of 3600 seconds."


@dataclass(frozen=True, slots=True)
class Fate:
    """What is laid down for one run. ``place`` counts the nodes it has to do up to the one where it ends."""

    end: End = End.SUCCESS
    place: int = 0
    seconds: float = 90.0


class Trouble(Enum):
    """What becomes of one request: the answer instead, whether it took effect, and how much later.

    No answer at all (None) means that the worker is dead and hears none.
    """

    UNREACHABLE = Failure("no route to host", sent=False), False
    THROTTLED = Reply(429), False
    NOT_FOUND = Reply(404), False
    REFUSED = Reply(409), False
    GATEWAY = Reply(502), False
    GATEWAY_AFTER = Reply(502), True
    BAD_ANSWER = Reply(200, body=b"<html>Hello</html>"), True
    LOST_BEFORE = Failure("connection reset", sent=True), False
    LOST_AFTER = Failure("connection reset", sent=True), True
    CARRIED_OUT_LATE = Failure("no answer within 30 s", sent=True), True, 20.0
    KILLED_BEFORE = None, False
    KILLED_AFTER = None, True

    def __init__(self, answer: Reply | Failure | None, takes_effect: bool, late: float = 0.0) -> None:  # noqa: FBT001
        self.answer = answer
        self.takes_effect = takes_effect
        self.late = late

    def __repr__(self) -> str:
        return str(self)


class Deed(StrEnum):
    """Actions of others on the job."""

    RUN = auto()
    RUN_ELSEWHERE = auto()
    """Start a run that builds into another schema."""
    RUN_PART = auto()
    """Start a run of the first command only."""
    RERUN = auto()
    """Press "Rerun from failure", as soon as the job's newest run can be resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All that will happen, and how this platform behaves where the real one's behaviour is not known.

    :param fates: of the job's runs, in their order, whoever starts them; all further ones succeed.
    :param posts: trouble with the n-th POST, counted from 0.
    :param gets: trouble with the n-th GET.
    :param outage: between which GETs none is answered.
    :param deeds: what somebody else does just before the n-th request.
    :param names_resumed_run: whether a rerun tells ``retrying_run_id``.
    :param shows_retry: whether the first step of a rerun is named ``dbt retry``.
    :param refusal: the HTTP status with which a retry is refused.
    """

    fates: Sequence[Fate] = ()
    posts: Mapping[int, Trouble] = field(default_factory=dict)
    gets: Mapping[int, Trouble] = field(default_factory=dict)
    outage: tuple[int, int] = (0, 0)
    deeds: Mapping[int, Deed] = field(default_factory=dict)
    names_resumed_run: bool = True
    shows_retry: bool = True
    refusal: int = 400
    latest: str = "any_newer"
    """Which newer runs keep a failed one from being resumed: all, or (``newer_success``) those that succeeded."""
    keeps_overrides: bool = True
    """Whether a resumed run keeps, and shows, the overrides of the run that it resumes."""


@dataclass(slots=True)
class StepRecord:
    """One step. ``results`` are the statuses of its nodes: None, if it wrote no artifact."""

    index: int
    name: str
    status: int = RunStatus.SUCCESS
    logs: str = ""
    results: dict[str, str] | None = None


@dataclass(slots=True, eq=False)
class RunRecord:
    """One run, as it really was. ``begins`` and ``ends`` are epoch seconds, laid down when it is created."""

    id: int
    plan: Plan
    fate: Fate
    trigger: Json
    by_task: bool
    by: str
    """Who started it: the caller of the request, or nobody's task."""
    resumes: RunRecord | None
    steps: list[StepRecord]
    created: float
    begins: float
    ends: float
    listed_from: float
    final: RunStatus

    def status(self, now: float) -> RunStatus:
        """Return the status at a time."""
        if now >= self.ends:
            return self.final
        return RunStatus.RUNNING if now >= self.begins else RunStatus.QUEUED

    @property
    def place(self) -> str | None:
        """The schema into which it really builds."""
        return self.trigger.get("schema_override")

    @property
    def nodes(self) -> dict[str, str]:
        """What became of its nodes in the end."""
        return {name: status for step in self.steps for name, status in (step.results or {}).items()}

    @property
    def is_hollow(self) -> bool:
        """Whether it did nothing of what it owed, and is green."""
        return self.fate.end is End.HOLLOW and self.resumes is not None

    @property
    def owed(self) -> Plan | None:
        """What resuming it has to do: None, if there is nothing to resume it from."""
        broken = self.steps[-1] if self.steps else None
        if self.final != RunStatus.ERROR or broken is None or broken.results is None:
            return None
        first = tuple(name for name, status in broken.results.items() if status != "success")
        place = broken.index - 2
        return ((self.plan[place][0], first), *self.plan[place + 1 :])


@dataclass(frozen=True, slots=True)
class Post:
    """One POST, as it came in. ``status_then`` is that of the run it is about."""

    time: float
    tries: int
    path: str
    cause: str
    about: int | None
    status_then: RunStatus | None
    refused: bool
    by: str = "task"


class SimulatedPlatform:
    """Has one job. Its clock moves with each request, and by :meth:`sleep`; it is the `Sender` of a driver."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.now = 1_700_000_000.0
        self.tries = 0
        self.runs: list[RunRecord] = []
        self.posts: list[Post] = []
        self.gets = 0
        self._reruns_to_press = 0
        self.caller = "task"

    def clock(self) -> float:
        """Give epoch seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def run(self, run_id: int) -> RunRecord:
        """Give a run's record."""
        return self.runs[run_id - 1]

    def send(self, endpoint: Endpoint[T]) -> T:
        """Answer a request as it is laid down."""
        self._others_act()
        self.now += 1.0
        trouble = self._trouble(endpoint)
        before = self._about(endpoint)
        answer: Reply | Failure | None = None
        if trouble is None or trouble.takes_effect:
            answer = self._answer(endpoint, late=trouble.late if trouble else 0.0)
        if trouble is not None:
            answer = trouble.answer
        self._record(endpoint, before, answer)
        if answer is None:
            raise Killed
        return read(endpoint, answer, host="simulated")

    # --- What is laid down

    def _trouble(self, endpoint: Endpoint[Any]) -> Trouble | None:
        if endpoint.method == "POST":
            return self.schedule.posts.get(len(self.posts))
        begins, ends = self.schedule.outage
        trouble = Trouble.GATEWAY if begins <= self.gets < ends else self.schedule.gets.get(self.gets)
        return None if trouble is Trouble.NOT_FOUND and self._is_settled(endpoint) else trouble

    def _is_settled(self, endpoint: Endpoint[Any]) -> bool:
        """Whether it is long there: a new run may answer 404, and artifacts may come late, but both stay."""
        run_id, _ = self._about(endpoint)
        return run_id is None or self.now > self.run(run_id).ends + 100.0

    def _others_act(self) -> None:
        deed = self.schedule.deeds.get(self.gets + len(self.posts))
        newest = self.runs[-1] if self.runs else None
        scheduled = {"cause": "scheduled", "cause_category": "scheduled"}
        if deed is Deed.RUN:
            self._create(JOB, scheduled, by_task=False)
        if deed is Deed.RUN_ELSEWHERE:
            self._create(JOB, {**scheduled, "schema_override": "somewhere_else"}, by_task=False)
        if deed is Deed.RUN_PART:
            self._create(JOB[:1], {**scheduled, "steps_override": [JOB[0][0]]}, by_task=False)
        self._reruns_to_press += deed is Deed.RERUN
        if self._reruns_to_press and newest and self._why_not_retryable(newest) is None:
            self._reruns_to_press -= 1
            self._resume(newest, by_task=False)

    def _about(self, endpoint: Endpoint[Any]) -> tuple[int | None, RunStatus | None]:
        cause = (endpoint.json or {}).get("cause", "")
        named = re.match(r"runs/(\d+)/", endpoint.path) or re.match(r"\[dbt-rerun \w+>(\d+)\]", cause)
        about = int(named[1]) if named else None
        return about, self.run(about).status(self.now) if about else None

    def _record(
        self,
        endpoint: Endpoint[Any],
        about: tuple[int | None, RunStatus | None],
        answer: Reply | Failure | None,
    ) -> None:
        if endpoint.method == "GET":
            self.gets += 1
            return
        refused = isinstance(answer, Reply) and answer.status in {400, 403, 404, 409}
        cause = (endpoint.json or {}).get("cause", "")
        self.posts.append(Post(self.now, self.tries, endpoint.path, cause, *about, refused, self.caller))

    # --- What is there to be asked

    def _answer(self, endpoint: Endpoint[Any], *, late: float) -> Reply:
        routes: dict[str, Callable[..., Reply]] = {
            rf"GET jobs/{JOB_ID}/": self._job,
            r"GET account": self._account,
            r"GET runs/": self._list,
            r"GET runs/(\d+)/": self._show,
            r"GET runs/(\d+)/artifacts/run_results\.json": self._artifact,
            rf"POST jobs/{JOB_ID}/run/": self._trigger,
            r"POST runs/(\d+)/retry/": self._retry,
            r"POST runs/(\d+)/cancel/": self._cancel,
        }
        for pattern, route in routes.items():
            if found := re.fullmatch(pattern, str(endpoint)):
                return route(endpoint, *map(int, found.groups()), late=late)
        return Reply(404)

    def _job(self, _: Endpoint[Any], *, late: float) -> Reply:  # noqa: ARG002
        return _reply({"id": JOB_ID, "name": "nightly", "state": 1, "deactivated": False})

    def _account(self, _: Endpoint[Any], *, late: float) -> Reply:  # noqa: ARG002
        return _reply({"id": 1, "name": "shop", "locked": False, "queue_limit": 50})

    def _list(self, endpoint: Endpoint[Any], *, late: float) -> Reply:  # noqa: ARG002
        assert endpoint.params["job_definition_id"] == JOB_ID
        listed = [run for run in reversed(self.runs) if run.listed_from <= self.now]
        shown = [self._body(run) for run in listed[: endpoint.params["limit"]]]
        related = endpoint.params["include_related"] or ""
        for each in shown:
            del each["run_steps"], each["audit"]
            if "job" not in related:
                del each["job"]
        return _reply(shown, extra={"pagination": {"total_count": len(listed)}})

    def _show(self, _: Endpoint[Any], run_id: int, *, late: float) -> Reply:  # noqa: ARG002
        return _reply(self._body(self.run(run_id)))

    def _artifact(self, endpoint: Endpoint[Any], run_id: int, *, late: float) -> Reply:  # noqa: ARG002
        run = self.run(run_id)
        results = next((step.results for step in run.steps if step.index == endpoint.params["step"]), None)
        if results is None or self.now < run.ends:
            return Reply(404)
        nodes = [
            {"unique_id": name, "status": status, "message": MESSAGES[run.fate.end] if status == "error" else None}
            for name, status in results.items()
        ]
        return Reply(200, body=json.dumps({"metadata": {"adapter_type": "duckdb"}, "results": nodes}).encode())

    def _trigger(self, endpoint: Endpoint[Any], *, late: float) -> Reply:
        assert endpoint.json is not None
        commands = endpoint.json.get("steps_override")
        plan = JOB if commands is None else tuple((name, dict(JOB)[name]) for name in commands)
        trigger = {**endpoint.json, "cause_category": "api"}
        return _reply(self._body(self._create(plan, trigger, by_task=True, late=late)))

    def _retry(self, _: Endpoint[Any], run_id: int, *, late: float) -> Reply:
        run = self.run(run_id)
        if reason := self._why_not_retryable(run):
            refusal = {"status": {"user_message": str(reason)}}
            return Reply(self.schedule.refusal, body=json.dumps(refusal).encode())
        return _reply(self._body(self._resume(run, by_task=True, late=late)))

    def _cancel(self, _: Endpoint[Any], run_id: int, *, late: float) -> Reply:  # noqa: ARG002
        run = self.run(run_id)
        if self.now < run.ends:
            run.ends, run.final, run.steps = self.now, RunStatus.CANCELLED, []
        return _reply(self._body(run))

    # --- What there is

    def _resume(self, run: RunRecord, *, by_task: bool, late: float = 0.0) -> RunRecord:
        assert run.owed is not None
        kept = {"schema_override": run.place} if run.place and self.schedule.keeps_overrides else {}
        trigger = {"cause": "Rerun from failure", "cause_category": "rerun", **kept}
        return self._create(run.owed, trigger, by_task=by_task, resumes=run, late=late)

    def _create(
        self, plan: Plan, trigger: Json, *, by_task: bool, resumes: RunRecord | None = None, late: float = 0.0
    ) -> RunRecord:
        """Create a run; it waits until all earlier ones are over, as dbt's jobs do."""
        fates, number = self.schedule.fates, len(self.runs)
        fate = fates[number] if number < len(fates) else Fate()
        begins = max([self.now + late, *(run.ends for run in self.runs)])
        final = RunStatus.SUCCESS if fate.end in GREEN else RunStatus.ERROR
        if fate.end in CANCELLED:
            final = RunStatus.CANCELLED
        steps = _steps(plan, fate, resumed=resumes is not None)
        if resumes is not None and self.schedule.shows_retry and len(steps) > 1:
            steps[1].name = "dbt retry"
        run = RunRecord(
            id=number + 1,
            plan=plan,
            fate=fate,
            trigger=trigger,
            by_task=by_task,
            by=self.caller if by_task else "a stranger",
            resumes=resumes,
            steps=steps,
            created=self.now + late,
            begins=begins,
            ends=begins + fate.seconds,
            listed_from=self.now + late,
            final=final,
        )
        self.runs.append(run)
        return run

    def _why_not_retryable(self, run: RunRecord) -> RetryNotSupported | None:
        if run.status(self.now) != RunStatus.ERROR:
            return RetryNotSupported.NOT_FAILED_RUN
        newer = self.runs[run.id :]
        if self.schedule.latest == "newer_success":
            newer = [each for each in newer if each.status(self.now) == RunStatus.SUCCESS]
        if newer:
            return RetryNotSupported.NOT_LATEST_RUN
        return None if run.owed else RetryNotSupported.NO_RUN_RESULTS

    def _body(self, run: RunRecord) -> Json:
        reason, over = self._why_not_retryable(run), self.now >= run.ends
        named = run.resumes.id if run.resumes and self.schedule.names_resumed_run else None
        return {
            "id": run.id,
            "job_definition_id": JOB_ID,
            "status": run.status(self.now),
            "status_message": TIMED_OUT if over and run.fate.end is End.TIMED_OUT else None,
            "href": f"https://dbt.example/runs/{run.id}/",
            "created_at": datetime.fromtimestamp(run.created, UTC).isoformat(),
            "finished_at": datetime.fromtimestamp(run.ends, UTC).isoformat() if over else None,
            "can_retry": reason is None,
            "retry_not_supported_reason": reason,
            "retrying_run_id": named,
            "trigger": run.trigger,
            "job": {"execute_steps": [name for name, _ in JOB]},
            "audit": {"trigger": {"actor": {"name": "the service token"}}, "cancellation": self._cancellation(run)},
            "run_steps": [_step_body(step) for step in run.steps] if over else [],
        }

    def _cancellation(self, run: RunRecord) -> Json | None:
        if run.status(self.now) != RunStatus.CANCELLED or run.fate.end in {End.TIMED_OUT, End.VANISHED}:
            return None
        return {"actor": {"name": "Ann" if run.fate.end is End.STOPPED else "the service token"}}


def _steps(plan: Plan, fate: Fate, *, resumed: bool) -> list[StepRecord]:
    """Play a run to its end."""
    clone = StepRecord(1, "Clone git repository")
    if fate.end is End.NO_CLONE:
        return [StepRecord(1, clone.name, RunStatus.ERROR, NO_START_LOG)]
    if fate.end is End.NO_NODES:
        return [clone, StepRecord(2, plan[0][0], RunStatus.ERROR, NO_START_LOG)]
    steps, left = [clone], fate.place % sum(len(nodes) for _, nodes in plan)
    for index, (command, nodes) in enumerate(plan, start=2):
        if fate.end not in GREEN and left < len(nodes):
            return [*steps, _broken_step(index, command, nodes, left, fate.end)]
        nothing = resumed and fate.end is End.HOLLOW and index == 2
        steps.append(StepRecord(index, command, results=dict.fromkeys(() if nothing else nodes, "success")))
        left -= len(nodes)
    return steps


def _broken_step(index: int, command: str, nodes: Sequence[str], place: int, end: End) -> StepRecord:
    if end in CANCELLED:
        return StepRecord(index, command, RunStatus.CANCELLED)
    done, skipped = dict.fromkeys(nodes[:place], "success"), dict.fromkeys(nodes[place + 1 :], "skipped")
    log = f"Completed with 1 error\n\n{MESSAGES[end]}"
    return StepRecord(index, command, RunStatus.ERROR, log, {**done, nodes[place]: "error", **skipped})


def _step_body(step: StepRecord) -> Json:
    name = f"Invoke dbt with `{step.name}`" if step.name.startswith("dbt") else step.name
    return {"id": step.index, "index": step.index, "name": name, "status": step.status, "logs": step.logs}


def _reply(data: Any, **more: Any) -> Reply:
    return Reply(200, body=json.dumps({"data": data, **more}).encode())
