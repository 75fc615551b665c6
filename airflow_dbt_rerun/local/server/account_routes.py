"""The routes of the account, the project, the environment and the user. There is one of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_dbt_rerun.local.account import ENVIRONMENT_ID, PROJECT_ID, LocalAccount
from airflow_dbt_rerun.local.server.envelope import not_found, success
from airflow_dbt_rerun.local.server.queries import read_number, read_page

Describe = Callable[[], dict[str, Any]]
"""Returns the only object of its kind, as the API shows it."""


class AccountRoutes:
    """The account, its project and environment, and the token's user, in v2 and v3."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    def below(self, api: str) -> list[Route]:
        """Return the routes below the path of an API version."""
        account_path = api + "/accounts/{account_id:int}"
        project_path = account_path + "/projects/{project_id:int}"
        environment = "/environments/{environment_id:int}"
        account = self._account
        return [
            Route(api + "/whoami", self.whoami, methods=["GET"]),
            Route(api + "/accounts", self._list(account.as_account), methods=["GET"]),
            Route(account_path, self._get(account.as_account), methods=["GET"]),
            Route(account_path + "/projects", self._list(account.as_project), methods=["GET"]),
            Route(project_path, self._get(account.as_project), methods=["GET"]),
            Route(account_path + "/environments", self._list(account.as_environment), methods=["GET"]),
            Route(account_path + environment, self._get(account.as_environment), methods=["GET"]),
            Route(project_path + "/environments", self._list(account.as_environment), methods=["GET"]),
            Route(project_path + environment, self._get(account.as_environment), methods=["GET"]),
        ]

    async def whoami(self, _: Request) -> Response:
        """Answer with the user that the token belongs to."""
        user = self._account.as_user()
        return success({**user, "user": user, "account": self._account.as_account()})

    def _get(self, describe: Describe) -> Callable[[Request], Any]:
        async def get(request: Request) -> Response:
            _check_ids(request)
            return success(describe())

        return get

    def _list(self, describe: Describe) -> Callable[[Request], Any]:
        async def list_all(request: Request) -> Response:
            _check_ids(request)
            found = [only for only in [describe()] if _matches(only, request)]
            limit, offset = read_page(request.query_params)
            shown = found[offset : offset + limit]
            extra = {
                "filters": {"limit": limit, "offset": offset, "state": "active", "account_id": self._account.id},
                "order_by": "id",
                "pagination": {"count": len(shown), "total_count": len(found)},
            }
            return success(shown, extra=extra)

        return list_all


def _check_ids(request: Request) -> None:
    ids = request.path_params
    if (
        ids.get("project_id", PROJECT_ID) != PROJECT_ID
        or ids.get("environment_id", ENVIRONMENT_ID) != ENVIRONMENT_ID
    ):
        raise not_found()


def _matches(found: dict[str, Any], request: Request) -> bool:
    """Return whether an object passes the filters by name and project that clients use to find it."""
    params = request.query_params
    has_part = params.get("name__icontains", "").lower() in found["name"].lower()
    has_name = params.get("name", found["name"]) == found["name"]
    project = params.get("project_id")
    in_project = not project or read_number("project_id", project) == found.get("project_id", found["id"])
    return has_part and has_name and in_project
