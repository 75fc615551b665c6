"""How fast the local platform answers, and how long a warm ``dbt retry`` takes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import airflow_dbt_rerun.local

EXAMPLE_PROJECT = Path(airflow_dbt_rerun.local.__file__).with_name("example_project")
CONNECTIONS = 8
REQUESTS = 20_000
RETRIES = 4
SECONDS_FOR_A_RUN = 120


def main() -> None:
    """Print both figures."""
    with tempfile.TemporaryDirectory() as folder, platform(Path(folder)) as there:
        failures = Path(folder) / "state" / "failures.json"
        failures.write_text(json.dumps([{"node": "orders", "times": RETRIES, "message": "Connection reset"}]))
        run = finished(there, post(there, f"jobs/{there['jobs']['build']}/run/", {"cause": "benchmark"}))
        seconds = []
        for _ in range(RETRIES):
            run = finished(there, post(there, f"runs/{run['id']}/retry/"))
            seconds.append(retry_seconds(there, run))
        print(f"warm `dbt retry` step: {min(seconds):.1f} to {max(seconds):.1f} s ({RETRIES} retries)")
        took = asyncio.run(hammer(there, run["id"]))
        print(f"GET run: {REQUESTS / took:,.0f} requests/s ({CONNECTIONS} connections, {REQUESTS:,} requests)")


@contextlib.contextmanager
def platform(folder: Path) -> Iterator[dict[str, Any]]:
    """Serve the example project from a process of its own."""
    command = [sys.executable, "-m", "airflow_dbt_rerun.local", "--project-dir", str(EXAMPLE_PROJECT)]
    server = subprocess.Popen([*command, "--state-dir", str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())
    finally:
        server.terminate()
        server.wait()


def post(there: dict[str, Any], path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """POST and return what was created."""
    return ask(there, path, json.dumps(body or {}).encode())


def ask(there: dict[str, Any], path: str, body: bytes | None = None) -> dict[str, Any]:
    """Ask the API; return the data of its answer."""
    request = urllib.request.Request(f"{there['base_url']}{path_of(there, path)}", body, headers(there))  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
        data: dict[str, Any] = json.load(answer)["data"]
    return data


def finished(there: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Wait until a run is over."""
    deadline = time.monotonic() + SECONDS_FOR_A_RUN
    while not run["is_complete"]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"run {run['id']} is not over after {SECONDS_FOR_A_RUN} s")
        time.sleep(0.1)
        run = ask(there, f"runs/{run['id']}/")
    return run


def retry_seconds(there: dict[str, Any], run: dict[str, Any]) -> float:
    """Return how long the resumed step of a run took."""
    steps = ask(there, f"runs/{run['id']}/?include_related=run_steps")["run_steps"]
    step = next(step for step in steps if "dbt retry" in step["name"])
    return (moment(step["finished_at"]) - moment(step["started_at"])).total_seconds()


def moment(text: str) -> datetime:
    """Read a moment."""
    return datetime.fromisoformat(text)


async def hammer(there: dict[str, Any], run_id: int) -> float:
    """Ask for one run again and again over connections that stay open; return the seconds it took."""
    lines = [f"GET {path_of(there, f'runs/{run_id}/')} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers(there).items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    began = time.perf_counter()
    await asyncio.gather(*(connection(there, request) for _ in range(CONNECTIONS)))
    return time.perf_counter() - began


async def connection(there: dict[str, Any], request: bytes) -> None:
    """Do one connection's share, one request after the other."""
    address = urlsplit(there["base_url"])
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    for _ in range(REQUESTS // CONNECTIONS):
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
    writer.close()


def path_of(there: dict[str, Any], path: str) -> str:
    """Return a path below the account."""
    return f"/api/v2/accounts/{there['account_id']}/{path}"


def headers(there: dict[str, Any]) -> dict[str, str]:
    """Return the headers of every request."""
    return {"Authorization": f"Token {there['token']}", "Content-Type": "application/json"}


if __name__ == "__main__":
    main()
