"""How Airflow finds our pages, and what it costs processes that show none."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_dbt_rerun._version import __version__
from airflow_dbt_rerun.links import HAS_PAGES, LINKS, DbtRerunPageLink, page_path
from airflow_dbt_rerun.ui.plugin import DbtRerunPlugin

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "airflow_dbt_rerun" / "ui" / "static"
ON_3_1 = pytest.mark.skipif(not HAS_PAGES, reason="Airflow older than 3.1 has no pages of ours")


def test_the_entry_point_leads_to_the_plugin() -> None:
    """Airflow loads plugins of providers by this entry point; that of provider_info only on request."""
    (point,) = (each for each in entry_points(group="airflow.plugins") if each.name == "dbt_rerun")
    assert point.load() is DbtRerunPlugin
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["airflow.plugins"] == {"dbt_rerun": point.value}


COSTS = """
import sys
from airflow_dbt_rerun.ui.plugin import DbtRerunPlugin
costly = ("airflow_dbt_rerun.ui.app", "airflow.api_fastapi.core_api")
print([name for name in sys.modules if name.startswith(costly)])
"""


def test_it_builds_nothing_until_it_is_asked() -> None:
    """Each process of Airflow imports plugins; only the API server needs the app."""
    done = subprocess.run([sys.executable, "-c", COSTS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(HAS_PAGES, reason="Airflow 3.1 and newer have pages of ours")
def test_older_airflow_gets_an_empty_plugin() -> None:
    """On Airflow 2.11 there is the link to dbt, and nothing else changes."""
    assert DbtRerunPlugin.fastapi_apps == []
    assert DbtRerunPlugin.react_apps == []
    assert [link.name for link in LINKS] == ["dbt run"]


@ON_3_1
def test_it_lists_the_tab_and_the_page() -> None:
    """Airflow's UI takes from here where they are; the files exist, and their address has the version in it."""
    tab, page = DbtRerunPlugin.react_apps
    assert (tab["destination"], page["destination"]) == ("task_instance", "nav")
    for view in (tab, page):
        folder, _, name = view["bundle_url"].rpartition("/")
        assert folder == f"/dbt-rerun/static/{__version__}"
        text = (STATIC / name).read_text()
        assert f'globalThis["{view["name"]}"]' in text


@ON_3_1
@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("https://airflow.example", "/dbt-rerun/x"),
        ("https://airflow.example/airflow/", "/airflow/dbt-rerun/x"),
        ("/", "/dbt-rerun/x"),
        ("", "/dbt-rerun/x"),
    ],
)
def test_addresses_have_the_prefix(monkeypatch: pytest.MonkeyPatch, base_url: str, path: str) -> None:
    """Whoever serves Airflow below a path gets our pages there, too."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert page_path("/x") == path


@ON_3_1
def test_the_link_names_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run ids have a plus and colons: they are encoded."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/airflow")
    key = SimpleNamespace(dag_id="shop", run_id="scheduled__2026-01-01T00:00:00+00:00", task_id="a.b", map_index=3)
    link = DbtRerunPageLink().get_link(None, ti_key=key)
    assert link == "/airflow/dbt-rerun/task/shop/scheduled__2026-01-01T00%3A00%3A00%2B00%3A00/a.b/3"
