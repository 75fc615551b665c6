"""What Airflow learns about this package from its entry point."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, version
from importlib.resources import files
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from airflow.providers_manager import ProvidersManager

from airflow_dbt_rerun import __version__
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from airflow_dbt_rerun.provider_info import get_provider_info

NAME = "airflow-provider-dbt-rerun"

# Airflow's manager imports the hooks of all providers, with the warnings of what those import.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def manager() -> ProvidersManager:
    """Have Airflow discover its providers, as ``airflow providers list`` does."""
    found = ProvidersManager()
    found.initialize_providers_list()
    return found


def test_the_description_is_valid() -> None:
    """Airflow's own schema accepts it."""
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_the_oldest_pyyaml_can_be_installed() -> None:
    """PyYAML 6.0 has no wheel for Python 3.12 and later, and cannot be built there."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert "pyyaml>=6.0.1" in project["dependencies"]


def test_the_entry_point_leads_to_it() -> None:
    """The installed distribution announces this very function, and the version it carries."""
    (point,) = (one for one in entry_points(group="apache_airflow_provider") if one.dist and one.dist.name == NAME)
    assert point.load() is get_provider_info
    assert version(NAME) == __version__


def test_airflow_lists_the_provider(manager: ProvidersManager) -> None:
    """``airflow providers list`` shows it."""
    assert manager.providers[NAME].version == __version__


def test_the_hook_serves_its_connection_type_and_leaves_the_official_one_alone(manager: ProvidersManager) -> None:
    """``airflow providers hooks`` shows our type; connections of type dbt_cloud keep the official hook."""
    ours = manager.hooks["dbt_rerun"]
    assert ours is not None
    assert ours.hook_class_name == f"{DbtCloudRerunHook.__module__}.{DbtCloudRerunHook.__name__}"
    assert (ours.hook_name, ours.connection_id_attribute_name) == (DbtCloudRerunHook.hook_name, "dbt_cloud_conn_id")
    official = manager.hooks["dbt_cloud"]
    assert official is not None
    assert official.package_name == "apache-airflow-providers-dbt-cloud"


def test_the_configuration_shows_our_section() -> None:
    """``airflow config list`` describes each option."""
    command = [sys.executable, "-m", "airflow", "config", "list", "--section", "dbt_rerun"]
    options = ["--include-descriptions", "--include-examples"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    shown = done.stdout[done.stdout.index("[dbt_rerun]") :]
    assert "a JSON or YAML" in shown
    assert "# Example: signatures = /opt/airflow/config/dbt_rerun_signatures.yaml" in shown
    named = {line.lstrip("# ").split(" =")[0] for line in shown.splitlines() if " =" in line}
    assert {"signatures", "policy_mode", "pause"} <= named


FORM = """
import json
try:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
    (meta,) = (one for one in HookMetaService.hook_meta_data() if one.connection_type == "dbt_rerun")
    fields = meta.standard_fields.model_dump(by_alias=True, exclude_none=True)
    titles = {name.removeprefix("url_"): field.get("title") for name, field in fields.items()}
except ImportError:
    from airflow.providers_manager import ProvidersManager
    form = ProvidersManager().field_behaviours["dbt_rerun"]
    titles = form["relabeling"] | dict.fromkeys(form["hidden_fields"])
print(json.dumps(titles))
"""
"""Prints the titles of our form's fields, null for hidden ones, from where this Airflow's own UI takes them."""


def test_the_form_asks_for_host_account_and_token() -> None:
    """The form shows the fields under names that say what to put there; Airflow's Test button needs the port."""
    # In a separate process, as the UI's is: Airflow loads hooks once, and differently for the UI.
    done = subprocess.run([sys.executable, "-c", FORM], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "host": "Access URL",
        "login": "Account ID",
        "password": "API Token",
        "port": "Port (leave empty)",
        "schema": None,
    }


def test_each_shown_field_has_a_help_text() -> None:
    """A person fills in the form without reading the documentation."""
    form = DbtCloudRerunHook.get_ui_field_behaviour()
    assert set(form["relabeling"]) <= set(form["placeholders"])
    assert form["hidden_fields"] == ["schema"]
    assert "Job Admin" in form["placeholders"]["password"]
