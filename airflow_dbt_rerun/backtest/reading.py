"""A client that can only read, and one that remembers what it read.

The backtest must not change anything in dbt, whatever a policy says: so what it holds refuses every method but GET,
before anything is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.backtest.pacing import Gate
from airflow_dbt_rerun.core.dbt.manifest import NODE_TABLES
from airflow_dbt_rerun.engine.reader import Sender
from airflow_dbt_rerun.exceptions import DbtNotFoundError

T = TypeVar("T")

LARGE_AND_UNUSED = ("compiled_code", "adapter_response", "relation_name", "timing")
"""Fields of a node result that no diagnosis reads; ``compiled_code`` is most of the file."""


FACTS = ("original_file_path", "tags", "fqn", "depends_on")
"""Fields of a manifest's node that :class:`ManifestFacts` reads."""


class NotReadingError(TypeError):
    """Something tried to send another request than a GET. The backtest has a bug; nothing was sent."""


class ReadingClient:
    """Send GETs, at the pace of a gate.

    :param client: sends the requests. Its own pauses before it repeats one hold back the other threads, too.
    :param gate: shared by all clients of one backtest.
    """

    def __init__(self, client: DbtClient, gate: Gate) -> None:
        self._client = DbtClient(client.settings, client.retries, sleep=gate.pause)
        self._gate = gate
        self.account_id = client.settings.account_id
        self.host = client.settings.host

    def send(self, endpoint: Endpoint[T]) -> T:
        """Send a GET and return the parsed answer.

        :raises NotReadingError: if it is no GET.
        :raises DbtApiError: the subclass for the failure.
        """
        _refuse_writing(endpoint)
        self._gate.wait_for_turn()
        return self._client.send(endpoint)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class NotRecordedError(LookupError):
    """An answer is asked for that was not recorded, and there is no client to ask."""


@dataclass(slots=True)
class Recording:
    """Send GETs, and keep each answer: the next time it is read from here.

    :param account_id: part of each request's address.
    :param client: asks for what is not recorded.
    :param answers: the recorded answers, by address: ``{"body": text}`` or ``{"missing": message}``.
    """

    account_id: int
    client: Sender | None = None
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    has_new: bool = False

    def send(self, endpoint: Endpoint[T]) -> T:
        """Return the recorded answer or, the first time, ask for it.

        :raises NotReadingError: if it is no GET.
        :raises DbtApiError: the subclass for the failure. Only "not found" is recorded: other failures may pass.
        """
        _refuse_writing(endpoint)
        address = endpoint.location(self.account_id)
        if address not in self.answers:
            self.answers[address] = self._ask(endpoint)
            self.has_new = True
        known = self.answers[address]
        if "missing" in known:
            raise DbtNotFoundError(known["missing"], endpoint=str(endpoint), status_code=404)
        return endpoint.parse(known["body"].encode())

    def _ask(self, endpoint: Endpoint[Any]) -> Mapping[str, Any]:
        if self.client is None:
            raise NotRecordedError(str(endpoint))
        try:
            return {"body": self.client.send(_checked_text(endpoint))}
        except DbtNotFoundError as error:
            return {"missing": str(error)}


def _checked_text(endpoint: Endpoint[Any]) -> Endpoint[str]:
    """Return the same request, with an answer of text; what does not parse is refused before it is kept."""

    def read(body: bytes) -> str:
        endpoint.parse(body)
        return without_bulk(body)

    return Endpoint(endpoint.method, endpoint.path, read, endpoint.params, accept=endpoint.accept)


def without_bulk(body: bytes) -> str:
    """Leave out what no diagnosis reads: the SQL of node results, and most fields of a manifest's nodes."""
    data = json.loads(body)
    for result in data["results"] if isinstance(data, dict) and isinstance(data.get("results"), list) else ():
        for name in LARGE_AND_UNUSED if isinstance(result, dict) else ():
            result.pop(name, None)
    if isinstance(data, dict) and isinstance(data.get("nodes"), dict):
        data = {"metadata": data.get("metadata"), **{table: _slim(data.get(table)) for table in NODE_TABLES}}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _slim(table: Any) -> Any:
    """Keep of each node of a manifest what :class:`ManifestFacts` reads."""
    if not isinstance(table, dict):
        return None
    nodes = {name: node for name, node in table.items() if isinstance(node, dict)}
    return {name: {key: node[key] for key in FACTS if key in node} for name, node in nodes.items()}


def _refuse_writing(endpoint: Endpoint[Any]) -> None:
    if endpoint.method != "GET":
        raise NotReadingError(f"a backtest only reads, and must not send {endpoint}")
