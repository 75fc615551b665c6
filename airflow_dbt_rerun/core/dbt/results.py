"""The result of each node, as values: built from dbt's ``run_results.json`` (v4 to v6) and ``sources.json``.

Unknown statuses are kept unchanged: they count neither as success nor as failure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from airflow_dbt_rerun.core.dbt.commands import builds_nothing
from airflow_dbt_rerun.core.dbt.fields import (
    CLOCK_SKEW,
    FieldError,
    JsonObject,
    block,
    epoch,
    line,
    part,
    parts,
    seconds,
    text,
    whole_or_none,
)

NODE_OK = frozenset({"success", "pass", "warn", "no-op", "reused"})
"""Node statuses that mean: this node's work is done. An allow-list."""

NODE_FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
"""Node statuses that mean: this node itself failed."""

NODE_SKIPPED = frozenset({"skipped"})
"""Node statuses that mean: this node never ran."""

_BUILD_NOTHING = frozenset({"compile", "generate", "clone", "show", "list", "ls", "parse"})
"""Commands (``args.which``) that build and test nothing, although dbt records ``success`` for each node.

``generate`` is ``dbt docs generate``. Seen in dbt-core 1.11 and dbt v2.
"""

_WITHOUT_DATA = ("empty", "sample")
"""Options (of ``args``) with which a node is built without its data, or with a part of it."""

SKIP_TEXTS = ("Skipping due to fail_fast", "Skipped due to upstream failure")
"""Messages of nodes that never ran, whatever their status; dbt-core's ordinary skip has none."""


def short_name(unique_id: str) -> str:
    """Return a unique id in the short form that dbt prints: ``orders``, ``orders.v2``, ``raw.events`` (a source).

    Data tests lose the hash at their end, unit tests the model before their name.
    """
    kind, *parts = unique_id.split(".")
    if len(parts) < 2:  # noqa: PLR2004 - kind.package.name
        return unique_id
    if kind == "test":
        return parts[1]
    return parts[-1] if kind == "unit_test" else ".".join(parts[1:])


@dataclass(frozen=True, slots=True)
class NodeResult:
    """The result of one node (model, test, seed, snapshot, hook, source) in one step."""

    unique_id: str
    status: str
    message: str | None = None
    step_index: int | None = None
    execution_time: float = 0.0
    failures: int | None = None
    not_built: bool = False
    """Whether the command only compiled or cloned this node, or built it empty or from a sample."""

    @property
    def resource_type(self) -> str:
        """``model``, ``test``, ``unit_test``, ``seed``, ``snapshot``, ``operation`` (a hook), ..."""
        return self.unique_id.split(".", 1)[0]

    @property
    def name(self) -> str:
        """The node's short name: see :func:`short_name`."""
        return short_name(self.unique_id)

    @property
    def is_ok(self) -> bool:
        """Whether this node's work is done."""
        return self.status in NODE_OK

    @property
    def is_failed(self) -> bool:
        """Whether this node itself failed."""
        return self.status in NODE_FAILED and not self.is_skipped

    @property
    def is_skipped(self) -> bool:
        """Whether this node never ran."""
        return self.status in NODE_SKIPPED or (self.message or "").startswith(SKIP_TEXTS)

    @classmethod
    def from_artifact(
        cls, result: JsonObject, *, step_index: int | None = None, not_built: bool = False
    ) -> NodeResult:
        """Build from an element of ``results`` in ``run_results.json`` or ``sources.json``.

        ``compiled_code`` and ``adapter_response`` are dropped: they are large and may contain data values.

        :raises FieldError: if ``unique_id`` or ``status`` is no text.
        """
        return cls(
            unique_id=text(result, "unique_id"),
            status=text(result, "status").lower(),
            message=block(result, "message" if "message" in result else "error"),
            step_index=step_index,
            execution_time=seconds(result, "execution_time"),
            failures=whole_or_none(result, "failures"),
            not_built=not_built,
        )


@dataclass(frozen=True, slots=True)
class StepResults:
    """The artifact of one step: its node results, and the adapter and dbt version that wrote it."""

    step_index: int | None
    nodes: tuple[NodeResult, ...]
    adapter: str | None = None
    dbt_version: str | None = None
    run_id: int | None = None
    command: str | None = None
    """The command of the step, if it is known."""
    kept_options: tuple[str, ...] | None = None
    """The command's options that these results hold; None if they hold them all, as those of dbt-core do."""

    def of_step(self, command: str | None) -> StepResults:
        """Return the results with the command of their step, which tells as well whether it builds anything."""
        if command is None or not builds_nothing(command):
            return replace(self, command=command)
        return replace(self, command=command, nodes=tuple(replace(node, not_built=True) for node in self.nodes))

    @classmethod
    def from_artifact(
        cls,
        artifact: JsonObject,
        *,
        step_index: int | None = None,
        run_id: int | None = None,
        created_at: str | None = None,
    ) -> StepResults:
        """Build from a whole ``run_results.json`` or ``sources.json``.

        Results that name another run, or are older than this one, say nothing about it and count as none: a command
        that wrote no results leaves those of an earlier one, and a cache may mix them up.

        :param run_id: the run that it was read from.
        :param created_at: when that run was created.
        :raises FieldError: if it lists something else than results of nodes.
        """
        metadata, args = part(artifact, "metadata"), part(artifact, "args")
        not_built = line(args, "which") in _BUILD_NOTHING or any(args.get(name) for name in _WITHOUT_DATA)
        if not isinstance(artifact.get("results"), list | tuple):
            raise FieldError("'results' is no list")
        return cls(
            step_index=step_index,
            nodes=()
            if _is_of_another_run(part(metadata, "env"), run_id) or _is_older(metadata, created_at)
            else tuple(
                NodeResult.from_artifact(result, step_index=step_index, not_built=not_built)
                for result in parts(artifact, "results")
            ),
            adapter=line(metadata, "adapter_type"),
            dbt_version=line(metadata, "dbt_version"),
            run_id=run_id,
            kept_options=_kept_options(args),
        )


def _is_of_another_run(env: JsonObject, run_id: int | None) -> bool:
    """Return whether the platform's ``DBT_CLOUD_RUN_ID``, as dbt keeps it in its artifacts, is another run's."""
    named = env.get("DBT_CLOUD_RUN_ID")
    return run_id is not None and isinstance(named, str) and named.isdigit() and int(named) != run_id


def _is_older(metadata: JsonObject, created_at: str | None) -> bool:
    """Return whether dbt wrote an artifact before the run was created, by its ``generated_at``."""
    written, created = epoch(line(metadata, "generated_at")), epoch(created_at)
    return written is not None and created is not None and written < created - CLOCK_SKEW


def _kept_options(args: JsonObject) -> tuple[str, ...] | None:
    """Return which options ``args`` hold; dbt v2 has an object of its own in it and leaves most of them out."""
    own = part(args, "__other__")
    if not own:
        return None
    return tuple(sorted(name for name, value in {**args, **own}.items() if value not in (None, False, "", {}, [])))
