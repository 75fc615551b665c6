"""Ready texts for Airflow's notifiers, as keyword arguments of their classes; needs none of their providers itself.

::

    from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier
    from airflow_dbt_rerun.notifications import SLACK

    DbtCloudJobOperator(..., on_gave_up=SlackWebhookNotifier(**SLACK))

One text serves all four events. It quotes dbt's error, and that may quote anybody's data, so each text is escaped
for its channel: it cannot mention people, add links or HTML. What may be too long for the channel is cut, since a
service refuses the whole message otherwise. ``ti.log_url`` is the task's page in Airflow.
"""

from __future__ import annotations

from typing import Any

_TASK = "{{ ti.dag_id }}.{{ ti.task_id }}{{ '[%d]' % ti.map_index if ti.map_index >= 0 else '' }}"
_TITLE = (
    "{{ {'rerun': 'dbt rerun, attempt ' ~ dbt_rerun.attempt, 'question': 'dbt needs your decision', "
    "'healed': 'dbt healed in ' ~ dbt_rerun.attempt ~ ' attempts', 'gave_up': 'dbt failed'}[dbt_rerun.event] }}: "
) + _TASK
_FAILURE = "{{ (dbt_rerun.headline or 'No failed node is known') | truncate(500) }}"
_REASON = (
    "{{ (dbt_rerun.reason or '-') | truncate(500) }}"
    "{% if dbt_rerun.event == 'question' %}. Answers: {{ dbt_rerun.options | join(', ') }}"
    "; after {{ dbt_rerun.until }}: {{ dbt_rerun.default }}{% endif %}"
)
_RUN = "{{ 'dbt run ' ~ dbt_rerun.run_id if dbt_rerun.url else 'no dbt run' }}"
# A link to nothing would make a service refuse the message: a task may give up before there is a run.
_URL = "{{ dbt_rerun.url or ti.log_url }}"
_LOG = "{{ ti.log_url }}"


def _filtered(filters: str, text: str) -> str:
    """Apply Jinja filters to a whole text, so that no part of it can be forgotten."""
    return f"{{% filter {filters} %}}{text}{{% endfilter %}}"


# The three characters that Slack decodes; more, as ``| e`` does, would be shown as they are
# (https://docs.slack.dev/messaging/formatting-message-text#escaping).
_SLACK_ESCAPES = "replace('&', '&amp;') | replace('<', '&lt;') | replace('>', '&gt;')"

# Slack takes 150 characters; by default, Jinja lets five more pass.
_HEADER_LIMIT = "truncate(150, leeway=0)"

SLACK: dict[str, Any] = {
    # What a phone shows on its lock screen; Slack reads it as markup, the blocks not.
    "text": _filtered(_SLACK_ESCAPES, f"{_TITLE}\n{_FAILURE}"),
    "blocks": [
        {"type": "header", "text": {"type": "plain_text", "text": _filtered(_HEADER_LIMIT, _TITLE)}},
        {
            # In rich text, markup is a matter of types: a text element is shown literally.
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_quote", "elements": [{"type": "text", "text": _FAILURE}]},
                {"type": "rich_text_section", "elements": [{"type": "text", "text": f"{_REASON}\n"}]},
                {
                    "type": "rich_text_section",
                    "elements": [
                        {"type": "link", "url": _URL, "text": _RUN},
                        {"type": "text", "text": " · "},
                        {"type": "link", "url": _LOG, "text": "Airflow"},
                    ],
                },
            ],
        },
    ],
}
"""For ``SlackWebhookNotifier`` and, with ``channel=``, for ``SlackNotifier``."""

EMAIL: dict[str, Any] = {
    # A line break would end the header.
    "subject": _filtered("replace('\\r', ' ') | replace('\\n', ' ') | truncate(200)", f"{_TITLE}: {_FAILURE}"),
    "html_content": f"""{{% autoescape true %}}
<p><b>{_TITLE}</b></p>
<p>{_FAILURE}</p>
<p>{_REASON}</p>
{{% if dbt_rerun.findings | length > 1 %}}<ul>
{{% for each in dbt_rerun.findings %}}
<li>{{{{ each.subject }}}}: {{{{ each.message | truncate(500) }}}} ({{{{ each.category }}}})</li>
{{% endfor %}}
</ul>
<p>Failures in all: {{{{ dbt_rerun.found }}}}</p>{{% endif %}}
<p><a href="{_URL}">{_RUN}</a> · <a href="{_LOG}">Airflow</a></p>
{{% endautoescape %}}""",
}
"""For ``SmtpNotifier``, with ``to=``."""

# The same for all tries and clears of a task, so that whatever turns it green closes the incident: a cleared task
# does not know the dbt run of its earlier life. PagerDuty takes 255 characters; the end is what tells tasks apart.
_DEDUP_KEY = "{{ ('dbt ' ~ ti.dag_id ~ ' ' ~ ti.task_id ~ ' ' ~ ti.run_id ~ ' ' ~ ti.map_index)[-255:] }}"

PAGERDUTY: dict[str, Any] = {
    "summary": _filtered("truncate(1000)", f"{_TITLE}: {_FAILURE}"),  # 1,024 at most
    "severity": "{{ {'gave_up': 'error', 'question': 'warning'}.get(dbt_rerun.event, 'info') }}",
    "source": _TASK,
    "action": "{{ 'resolve' if dbt_rerun.event == 'healed' else 'trigger' }}",
    "dedup_key": _DEDUP_KEY,
    "class_type": "{{ dbt_rerun.verdict or 'unknown' }}",
    "custom_details": {"reason": _REASON, "failures": "{{ dbt_rerun.found or 0 }}"},
    "links": [{"href": _URL, "text": _RUN}, {"href": _LOG, "text": "Airflow"}],
}
"""For ``PagerdutyNotifier``: a question and a failure open an incident, a heal resolves it."""

PAGERDUTY_RESOLVE: dict[str, Any] = {
    "summary": f"dbt is done: {_TASK}",
    "severity": "info",
    "source": _TASK,
    "action": "resolve",
    "dedup_key": _DEDUP_KEY,
}
"""For ``PagerdutyNotifier`` as Airflow's ``on_success_callback``: also a task that a person cleared resolves it."""

# Apprise passes the text on to many services. What mentions somebody on them: <!channel>, <@user>, @everyone.
_NO_MENTIONS = "replace('<', '\u2039') | replace('>', '\u203a') | replace('@', '@\u200b')"

APPRISE: dict[str, Any] = {
    "title": _TITLE,
    "body": _filtered(_NO_MENTIONS, f"{_FAILURE}\n{_REASON}") + f"\n{_RUN}: {_URL}",
}
"""For ``AppriseNotifier``; choose ``notify_type=`` for each event."""
