"""``python -m airflow_dbt_rerun.cli``: the command ``airflow-dbt-rerun``."""

import sys

from airflow_dbt_rerun.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
