"""Base of the triggers: serialisation for Airflow's database, the hook, and the key of shared objects."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

from airflow_dbt_rerun.config.arguments import Takes, checked
from airflow_dbt_rerun.core.policy.arguments import OrNone
from airflow_dbt_rerun.hooks import HOOK_PARAMS, DbtCloudRerunHook, connection_key


class DbtCloudTriggerMixin:
    """Serialise a trigger by its public path, and make its hook.

    Rows of Airflow's ``trigger`` table outlive upgrades of this package: they hold the class path in
    ``airflow_dbt_rerun.triggers``, whichever module defines the class.
    """

    arguments: ClassVar[tuple[str, ...]]
    """The constructor's arguments to serialise; each is an attribute of the same name."""

    dbt_cloud_conn_id: str
    account_id: int | str | None
    hook_params: dict[str, Any] | None

    takes: ClassVar[Takes]
    """What each argument takes, apart from those of the pace."""

    def _check(self, **given: Any) -> None:
        """Check the arguments and store them in normalised form.

        :raises DbtConfigError: naming the argument and what it takes.
        """
        for name, value in given.items():
            setattr(self, name, checked(name, self.takes[name], value))

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the public class path and the arguments as plain JSON."""
        return f"airflow_dbt_rerun.triggers.{type(self).__qualname__}", self._serialized()

    def _serialized(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.arguments}

    @property
    def _connection(self) -> Hashable:
        """Key of the connection: triggers with equal keys share a session and the pause after a 429."""
        return connection_key(self.dbt_cloud_conn_id, self.account_id, self.hook_params)

    def _hook(self, **overrides: Any) -> DbtCloudRerunHook:
        return hook_of(self.dbt_cloud_conn_id, self.account_id, self.hook_params, **overrides)


def hook_of(
    dbt_cloud_conn_id: str, account_id: int | str | None, hook_params: dict[str, Any] | None, **overrides: Any
) -> DbtCloudRerunHook:
    """Make a trigger's hook.

    :raises DbtConfigError: naming the argument and what it takes.
    """
    parameters = {**(checked("hook_params", OrNone(HOOK_PARAMS), hook_params) or {}), **overrides}
    return DbtCloudRerunHook(dbt_cloud_conn_id, account_id, **parameters)
