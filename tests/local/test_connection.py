"""The connection that the platform shows of a project: where the warehouse is, and nothing that opens it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_dbt_rerun.local.connection import project_connection

PROFILE = """
shop:
  target: prod
  outputs:
    dev: {type: duckdb, path: dev.duckdb}
    prod:
      type: postgres
      host: "{{ env_var('SHOP_HOST') }}"
      port: "{{ env_var('SHOP_PORT', '5432') | as_number }}"
      dbname: shop
      schema: "{{ env_var('SHOP_SCHEMA', 'main') }}"
      user: shop
      password: "{{ env_var('SHOP_PASSWORD', 's3cret') }}"
      threads: 4
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project on Postgres."""
    (tmp_path / "dbt_project.yml").write_text("name: shop\nprofile: shop\n")
    (tmp_path / "profiles.yml").write_text(PROFILE)
    return tmp_path


def test_where_the_warehouse_is(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the environment are filled in, those of the platform first; numbers are numbers."""
    monkeypatch.setenv("SHOP_HOST", "of-the-environment")
    shown = project_connection(project, 1, {"SHOP_HOST": "db.example"})
    assert shown is not None
    assert (shown["name"], shown["type"], shown["account_id"]) == ("prod", "postgres", 1)
    assert shown["details"] == {
        "type": "postgres",
        "host": "db.example",
        "port": 5432,
        "dbname": "shop",
        "schema": "main",
    }


def test_no_secret_is_shown(project: Path) -> None:
    """Neither the user nor the password."""
    assert "s3cret" not in str(project_connection(project, 1, {}))
    assert "user" not in str(project_connection(project, 1, {}))


@pytest.mark.parametrize(
    "profile", ["", "other: {}", "shop: {outputs: []}", "shop: {target: prod, outputs: {dev: {}}}"]
)
def test_an_unusable_profile_is_no_connection(project: Path, profile: str) -> None:
    """The platform starts; a run fails with the reason."""
    (project / "profiles.yml").write_text(profile)
    assert project_connection(project, 1, {}) is None
