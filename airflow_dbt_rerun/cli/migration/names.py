"""What each name of the official provider is here. Compared with apache-airflow-providers-dbt-cloud 4.11.1.

The names of astronomer-providers are those of its last version that had dbt Cloud operators, 1.19.
"""

from __future__ import annotations

from dataclasses import dataclass

PACKAGE = "airflow_dbt_rerun"
OFFICIAL = "airflow.providers.dbt.cloud"
ASTRONOMER = "astronomer.providers.dbt.cloud"

JOB, RUN_SENSOR, HOOK, STATUS = "DbtCloudJobOperator", "DbtCloudRunSensor", "DbtCloudRerunHook", "RunStatus"


@dataclass(frozen=True, slots=True)
class Target:
    """A name of this package.

    :param module: the module to import it from.
    :param deferrable: whether the old class always defers, so that ``deferrable=True`` has to be added.
    """

    module: str
    name: str
    deferrable: bool = False

    @property
    def path(self) -> str:
        """The full module."""
        return f"{PACKAGE}.{self.module}" if self.module else PACKAGE


TARGETS: dict[str, Target] = {
    f"{OFFICIAL}.operators.dbt.DbtCloudRunJobOperator": Target("operators", JOB),
    f"{OFFICIAL}.operators.dbt.DbtCloudGetJobRunArtifactOperator": Target(
        "operators", "DbtCloudGetJobRunArtifactOperator"
    ),
    f"{OFFICIAL}.operators.dbt.DbtCloudListJobsOperator": Target("operators", "DbtCloudListJobsOperator"),
    f"{OFFICIAL}.operators.dbt.DbtCloudListJobRunsOperator": Target("operators", "DbtCloudListJobRunsOperator"),
    f"{OFFICIAL}.operators.dbt.DbtCloudRunJobOperatorLink": Target("links", "DbtCloudRunLink"),
    f"{OFFICIAL}.sensors.dbt.DbtCloudJobRunSensor": Target("sensors", RUN_SENSOR),
    f"{OFFICIAL}.sensors.dbt.DbtCloudJobRunAsyncSensor": Target("sensors", RUN_SENSOR, deferrable=True),
    f"{OFFICIAL}.hooks.dbt.DbtCloudHook": Target("hooks", HOOK),
    f"{OFFICIAL}.hooks.dbt.DbtCloudJobRunStatus": Target("", STATUS),
    f"{OFFICIAL}.hooks.dbt.DbtCloudJobRunException": Target("exceptions", "DbtRunError"),
    f"{OFFICIAL}.hooks.dbt.DbtCloudResourceLookupError": Target("exceptions", "DbtConfigError"),
    f"{ASTRONOMER}.operators.dbt.DbtCloudRunJobOperatorAsync": Target("operators", JOB, deferrable=True),
    f"{ASTRONOMER}.sensors.dbt.DbtCloudJobRunSensorAsync": Target("sensors", RUN_SENSOR, deferrable=True),
}
"""By the full old name. Each new name can be imported from the package itself, too."""

MODULES = frozenset(name.rpartition(".")[0] for name in TARGETS)
"""The old modules whose names have counterparts."""

NEW = {target.name for target in TARGETS.values()}
OLD_NAMES = {name.rpartition(".")[2] for name in TARGETS} - NEW
"""Names that a text may hold, as in ``getattr(module, "DbtCloudRunJobOperator")``."""

UNCHANGED = NEW & {name.rpartition(".")[2] for name in TARGETS}

INSTEAD = {
    "reuse_existing_run": (
        "reattach continues this task's own runs; to wait for a run that something else started, use "
        "DbtCloudJobSensor(job_id=...)"
    ),
    "openlineage_inject_parent_job_info": "leave it out: dbt's cause begins with this package's marker",
    "retry_args": "give retry_limit, retry_delay and retry_total",
}
"""What to write instead of an argument that is refused."""

NOT_OFFERED = {
    "_run_and_get_response": "use hook.send(endpoint) with an endpoint of airflow_dbt_rerun.api.endpoints",
    "_paginate": "use hook.client.collect(endpoint)",
    "list_accounts": "the hook reads one account: use get_account",
    "get_headers_tenants_from_connection": "use hook.async_client()",
    "get_request_url_params": "use hook.async_client()",
}
"""Methods of the official hook that this package's hook does not have."""

HOOK_ARGUMENTS = ("dbt_cloud_conn_id", "timeout_seconds", "retry_limit", "retry_delay", "retry_args")
"""The official hook's positional arguments; here all but the first have to be named."""

STATUSES = ("QUEUED", "STARTING", "RUNNING", "SUCCESS", "ERROR", "CANCELLED")


def old_target(names: set[str]) -> Target | None:
    """Return the counterpart of an old name, given all full names that it may stand for."""
    return next((TARGETS[name] for name in sorted(names) if name in TARGETS), None)


def is_old(name: str) -> bool:
    """Return whether a full name is one of the official provider."""
    return name.startswith((f"{OFFICIAL}.", f"{ASTRONOMER}."))


def new_name(names: set[str]) -> str | None:
    """Return the new name of a class, given the full names, old or new, that it may stand for."""
    if target := old_target(names):
        return target.name
    ours = (name.rpartition(".")[2] for name in sorted(names) if name.startswith(f"{PACKAGE}."))
    return next((name for name in ours if name in NEW), None)
