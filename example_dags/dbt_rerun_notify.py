"""Tell Slack about each rerun and each end, and page someone when a person is needed, until the task is green.

Needs the connections ``dbt_cloud_default``, ``slack_default`` (a webhook's token as its password) and
``pagerduty_events_default`` (an integration key as its password), the providers of both, and the Airflow Variable
``dbt_job_nightly``: a job id. ``docs/notifications.md`` has e-mail and Apprise.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_dbt_rerun import DbtCloudJobOperator
from airflow_dbt_rerun.notifications import PAGERDUTY, PAGERDUTY_RESOLVE, SLACK

callbacks: dict[str, Any] = {}
try:
    from airflow.providers.pagerduty.notifications.pagerduty import PagerdutyNotifier
    from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier
except ImportError:
    pass  # for this example only, which is also read where these providers are missing: leave "try" out of yours
else:
    slack = SlackWebhookNotifier(**SLACK)
    pagerduty = PagerdutyNotifier(**PAGERDUTY)
    callbacks = {
        "on_rerun": slack,
        "on_question": [slack, pagerduty],
        "on_healed": [slack, pagerduty],
        "on_gave_up": [slack, pagerduty],
        "on_success_callback": PagerdutyNotifier(**PAGERDUTY_RESOLVE),
    }

with DAG(dag_id="dbt_rerun_notify", schedule=None, catchup=False, tags=["dbt"], doc_md=__doc__) as dag:
    DbtCloudJobOperator(
        task_id="nightly",
        job_id="{{ var.value.dbt_job_nightly }}",
        deferrable=True,
        check_interval=10,
        **callbacks,
    )
