"""How many recorded failures of dbt v2 are judged as labelled: by results and log, and by a log alone.

The samples were recorded with dbt 2.0.0-preview.196 and three of them with 2.0.0-alpha.4 (``tests/data/v2``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from tests.core.diagnosis.test_v2 import FAILED, is_right
from tests.core.diagnosis.v2_samples import Sample

WAYS: dict[str, tuple[Callable[[Sample], bool], Callable[[Sample], Diagnosis]]] = {
    "results and console": (lambda _: True, lambda each: each.diagnosed()),
    "console alone": (lambda _: True, lambda each: each.diagnosed(results=False)),
    "results and logs/dbt.log": (lambda each: each.has_file, lambda each: each.diagnosed(kind="dbt")),
    "logs/dbt.log alone": (lambda each: each.has_file, lambda each: each.diagnosed(results=False, kind="dbt")),
}


def main() -> None:
    """Print a line for each way to read a failure, and what was missed."""
    for name, (has, diagnosed) in WAYS.items():
        chosen: Sequence[Sample] = [each for each in FAILED if has(each)]
        missed = [each for each in chosen if not is_right(diagnosed(each), each.right)]
        print(f"{name:26} {len(chosen) - len(missed):3} of {len(chosen):3} as labelled")
        for each in missed:
            print(f"  {each.name}: {diagnosed(each).verdict}, not {each.right}")
