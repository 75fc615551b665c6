"""What the triggers share: their arguments in Airflow's database, their hook, and the key of what they share."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

from airflow_dbt_rerun.hooks import DbtCloudRerunHook, connection_key


class DbtCloudTriggerMixin:
    """Serialises a trigger by its public path, and makes its hook.

    Rows of Airflow's ``trigger`` table outlive upgrades of this package: the class path in them is that of
    ``airflow_dbt_rerun.triggers``, wherever the class itself lives.
    """

    arguments: ClassVar[tuple[str, ...]]
    """The constructor's arguments that are kept; each is an attribute of the same name."""

    dbt_cloud_conn_id: str
    account_id: int | str | None
    hook_params: dict[str, Any] | None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, all plain JSON."""
        return f"airflow_dbt_rerun.triggers.{type(self).__qualname__}", self._kept()

    def _kept(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.arguments}

    @property
    def _connection(self) -> Hashable:
        """What has to be equal for two triggers to share a session, and a pause after a 429."""
        return connection_key(self.dbt_cloud_conn_id, self.account_id, self.hook_params)

    def _hook(self, **otherwise: Any) -> DbtCloudRerunHook:
        parameters = {**(self.hook_params or {}), **otherwise}
        return DbtCloudRerunHook(self.dbt_cloud_conn_id, self.account_id, **parameters)
