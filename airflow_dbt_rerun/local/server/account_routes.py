"""The account, the project, the environment and the user, over HTTP: all there is exactly one of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_dbt_rerun.local.account import ENVIRONMENT_ID, PROJECT_ID, Account
from airflow_dbt_rerun.local.server.envelope import not_found, success
from airflow_dbt_rerun.local.server.queries import number, page

Shape = Callable[[], dict[str, Any]]


class PlaceRoutes:
    """What v2 and v3 say about places, and who is asking."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def below(self, api: str) -> list[Route]:
        """Return the routes below a version's path."""
        account = api + "/accounts/{account_id:int}"
        shape = self._account
        project = account + "/projects/{project_id:int}"
        return [
            Route(api + "/whoami", self.whoami, methods=["GET"]),
            Route(api + "/accounts", self._list(shape.as_account), methods=["GET"]),
            Route(account, self._get(shape.as_account), methods=["GET"]),
            Route(account + "/projects", self._list(shape.as_project), methods=["GET"]),
            Route(project, self._get(shape.as_project), methods=["GET"]),
            Route(account + "/environments", self._list(shape.as_environment), methods=["GET"]),
            Route(account + "/environments/{environment_id:int}", self._get(shape.as_environment), methods=["GET"]),
            Route(project + "/environments", self._list(shape.as_environment), methods=["GET"]),
            Route(project + "/environments/{environment_id:int}", self._get(shape.as_environment), methods=["GET"]),
        ]

    async def whoami(self, _: Request) -> Response:
        """Answer with whose token this is."""
        user = self._account.as_user()
        return success({**user, "user": user, "account": self._account.as_account()})

    def _get(self, shape: Shape) -> Callable[[Request], Any]:
        async def get(request: Request) -> Response:
            _check_ids(request)
            return success(shape())

        return get

    def _list(self, shape: Shape) -> Callable[[Request], Any]:
        async def list_all(request: Request) -> Response:
            _check_ids(request)
            there = [only for only in [shape()] if _matches(only, request)]
            limit, offset = page(request.query_params)
            shown = there[offset : offset + limit]
            extra = {
                "filters": {"limit": limit, "offset": offset, "state": "active", "account_id": self._account.id},
                "order_by": "id",
                "pagination": {"count": len(shown), "total_count": len(there)},
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


def _matches(shape: dict[str, Any], request: Request) -> bool:
    """Whether the only element passes the filters that clients use to find it by name or project."""
    params = request.query_params
    names_it = params.get("name__icontains", "").lower() in shape["name"].lower()
    name_is = params.get("name", shape["name"]) == shape["name"]
    project = params.get("project_id")
    in_project = not project or number("project_id", project) == shape.get("project_id", shape["id"])
    return names_it and name_is and in_project
