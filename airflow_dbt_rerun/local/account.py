"""The platform's one account, project, environment and user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ACCOUNT_ID = 70403103922125
PROJECT_ID = 70403103926818
ENVIRONMENT_ID = 70403103931988
USER_ID = 70403103921147
USER_NAME = "Local User"

ACTOR_HEADER = "X-Person"
"""The header that names the person who cancels a run on dbt's web page; without it, the token's owner is named."""

DEFAULT_RUN_TIMEOUT = 86400
"""Seconds that a run may take unless its job or its trigger says otherwise."""

_SINCE = "2024-05-27T10:42:10.111442+00:00"


@dataclass(frozen=True, slots=True)
class LocalAccount:
    """The account, the token that gives access to it, and the address of the platform.

    :param base_url: scheme, host and port, without a trailing slash
    :param project_name: the name of the dbt project
    :param connection: what the project connects to; None if its profile cannot be read
    :param restrictions: fields that differ from an account in good standing; the control path sets them
    """

    id: int
    token: str = field(repr=False)
    base_url: str
    project_name: str
    connection: dict[str, Any] | None = None
    restrictions: dict[str, Any] = field(default_factory=dict)

    def run_url(self, run_id: int) -> str:
        """Return the address of a run's web page."""
        return f"{self.base_url}/deploy/{self.id}/projects/{PROJECT_ID}/runs/{run_id}/"

    def as_account(self) -> dict[str, Any]:
        """Return the account as the API shows it.

        Subdomains are null, since clients put them before the host.
        """
        unknown = dict.fromkeys(
            (
                "lock_reason",
                "lock_cause",
                "unlocked_at",
                "billing_email_address",
                "enterprise_login_slug",
                "starter_repo_url",
                "identifier",
                "trial_end_date",
                "static_subdomain",
                "vanity_subdomain",
                "run_locked_until",
                "docs_job_id",
                "freshness_job_id",
                "copilot_locked_until",
            )
        )
        seats = dict.fromkeys(
            ("developer_seats", "it_seats", "explorer_seats", "analyst_seats", "read_only_seats"), 1
        )
        return {
            "id": self.id,
            "name": "Local",
            "plan": "developer",
            "state": 1,
            "run_slots": 5,
            "queue_limit": 50,
            "run_duration_limit_seconds": DEFAULT_RUN_TIMEOUT,
            "locked": False,
            "pending_cancel": False,
            "business_critical": False,
            "agent_credit_locked": False,
            "pod_memory_request_mebibytes": 600,
            "develop_pod_memory_request_mebibytes": 0,
            "git_auth_level": "personal",
            "account_migration_events": [],
            "groups": [],
            "created_at": _SINCE,
            "updated_at": _SINCE,
            **seats,
            **unknown,
            **self.restrictions,
        }

    def as_project(self) -> dict[str, Any]:
        """Return the project as the API shows it."""
        unknown = dict.fromkeys(
            (
                "repository_id",
                "semantic_layer_config_id",
                "dbt_project_subdirectory",
                "docs_job_id",
                "freshness_job_id",
                "repository",
                "docs_job",
                "freshness_job",
                "fusion_readiness",
                "default_version",
            )
        )
        return {
            "id": PROJECT_ID,
            "name": self.project_name,
            "account_id": self.id,
            "description": None,
            "state": 1,
            "type": 0,
            "created_at": _SINCE,
            "updated_at": _SINCE,
            "environments": [],
            "group_permissions": [],
            "connection_id": self.connection and self.connection["id"],
            "connection": self.connection,
            **unknown,
        }

    def as_environment(self) -> dict[str, Any]:
        """Return the environment as the API shows it."""
        unknown = dict.fromkeys(
            (
                "connection_id",
                "credentials_id",
                "repository_id",
                "extended_attributes_id",
                "custom_branch",
                "dbt_project_subdirectory",
                "dbt_version",
                "raw_dbt_version",
                "created_by_id",
                "repository",
                "connection",
                "jobs",
                "custom_environment_variables",
            )
        )
        return {
            "id": ENVIRONMENT_ID,
            "account_id": self.id,
            "project_id": PROJECT_ID,
            "name": "Production",
            "use_custom_branch": False,
            "supports_docs": True,
            "deployment_type": "production",
            "type": "deployment",
            "state": 1,
            "created_at": _SINCE,
            "updated_at": _SINCE,
            **unknown,
        }

    def as_user(self) -> dict[str, Any]:
        """Return the user that the token belongs to."""
        return {"id": USER_ID, "first_name": "Local", "last_name": "User", "email": "local@example.com"}
