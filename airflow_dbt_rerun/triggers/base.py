"""Base of the triggers: serialisation for Airflow's database, the hook, and the key of shared objects."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

from airflow_dbt_rerun.hooks import DbtCloudRerunHook, connection_key


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
        parameters = {**(self.hook_params or {}), **overrides}
        return DbtCloudRerunHook(self.dbt_cloud_conn_id, self.account_id, **parameters)
