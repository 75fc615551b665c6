"""What ``airflow_dbt_rerun`` offers."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import version

import pytest

import airflow_dbt_rerun

AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:2])


def test_names_are_sorted_and_there() -> None:
    """Every public name can be imported, and the list of names is sorted and complete."""
    names = [name for name in airflow_dbt_rerun.__all__ if name != "__version__"]
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    for name in sorted({*airflow_dbt_rerun.__all__} - ({"DbtRetryPolicy"} if AIRFLOW < (3, 3) else set())):
        assert getattr(airflow_dbt_rerun, name) is not None
    assert dir(airflow_dbt_rerun) == sorted(names)


@pytest.mark.skipif(AIRFLOW >= (3, 3), reason="Airflow has retry policies from 3.3 on")
def test_a_name_that_needs_a_newer_airflow_says_so() -> None:
    """The message names the version, and what to use below."""
    with pytest.raises(ImportError, match=r"needs Airflow 3\.3 or newer.* use DbtCloudJobOperator"):
        _ = airflow_dbt_rerun.DbtRetryPolicy


@pytest.mark.parametrize("package", ["core.diagnosis", "operators", "sensors", "triggers"])
def test_sub_packages_export_their_names(package: str) -> None:
    """The folders that users import from say what they offer, and offer it."""
    module = importlib.import_module(f"airflow_dbt_rerun.{package}")
    for name in module.__all__:
        assert getattr(module, name).__module__.startswith(f"airflow_dbt_rerun.{package}.")


def test_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'DbtCloudJobOperatr'"):
        airflow_dbt_rerun.DbtCloudJobOperatr  # noqa: B018 - the access is the test


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Airflow imports the package at every start, to read the provider information."""
    program = (
        "import sys, airflow_dbt_rerun.provider_info\n"
        "print([n for n in sys.modules if n.startswith(('airflow.', 'airflow_dbt_rerun.core', 'tenacity'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
