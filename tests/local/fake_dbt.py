"""Executables that answer ``--version`` as a dbt does, and otherwise run a few lines of shell."""

from __future__ import annotations

from pathlib import Path

FUSION = "dbt-fusion 2.0.0-preview.196"
CORE_2 = "dbt-core 2.0.0-alpha.4"
CORE_1 = "Core:\n  - installed: 1.11.16\n  - latest:    1.12.6  - Update available!\n\nPlugins:\n  - duckdb: 1.11.1"

_SCRIPT = """\
#!/bin/sh
if [ "$1" = --version ]; then
cat <<'END'
{version}
END
exit
fi
{body}
"""


def fake_dbt(folder: Path, version: str, body: str = "") -> Path:
    """Write an executable and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    dbt = folder / "dbt"
    dbt.write_text(_SCRIPT.format(version=version, body=body))
    dbt.chmod(0o755)
    return dbt
