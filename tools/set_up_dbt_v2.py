"""Make dbt v2 start with DuckDB and Postgres, from packages: ``.venv-dbt2/bin/python tools/set_up_dbt_v2.py``.

dbt v2 would download its own drivers. The extension module of the ``duckdb`` package is a driver, too; it takes
Python's symbols from a shared library that must be loaded with it. That of ``adbc-driver-postgresql`` is linked to
where dbt v2 keeps what it has downloaded. The binary moves aside for a script of its name.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import sys
import sysconfig
from pathlib import Path

LIBRARY_VARIABLE = "LIBDUCKDB"
"""Names a ``libduckdb.so`` to use instead, such as that of the npm package ``@duckdb/node-bindings-linux-x64``."""

MANIFEST = """\
manifest_version = 1
[ADBC]
version = "1.1.0"
[Driver]
entrypoint = "duckdb_adbc_init"
[Driver.shared]
{platform} = "{library}"
"""
PLATFORMS = {"x86_64": "linux_amd64", "aarch64": "linux_arm64"}

POSTGRES = "com.getdbt/adbc/{machine}-manylinux_2_17-linux-gnu/libadbc_driver_postgresql-0.21.0+dbt0.21.0.so"
"""Where dbt 2.0.0-preview.196 looks below the cache directory before it downloads the driver."""


def main() -> None:
    """Set up the virtual environment that runs this file."""
    venv = Path(sys.prefix)
    library, preloaded = driver()
    folder = venv / "adbc"
    folder.mkdir(exist_ok=True)
    machine = PLATFORMS.get(platform.machine(), platform.machine())
    (folder / "duckdb.toml").write_text(MANIFEST.format(platform=machine, library=library))
    cache = venv / "cache"
    link_postgres(cache)
    places = {"ADBC_DRIVER_PATH": folder, "XDG_CACHE_HOME": cache, **preloaded}
    write_script(venv / "bin" / "dbt", move_aside(venv), {**places, "DBT_ALLOW_EXPERIMENTAL_ADAPTERS": "true"})


def driver() -> tuple[Path, dict[str, Path]]:
    """Return the driver, and what must be loaded with it."""
    if given := os.environ.get(LIBRARY_VARIABLE):
        return Path(given).resolve(), {}
    module = importlib.util.find_spec("_duckdb")
    python = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY"))
    if module is None or module.origin is None:
        sys.exit("the package duckdb is not installed in this virtual environment")
    if python.suffix != ".so" or not python.exists():
        sys.exit(
            f"this Python has no shared library: set {LIBRARY_VARIABLE} to a libduckdb.so, or use another Python"
        )
    return Path(module.origin), {"LD_PRELOAD": python}


def link_postgres(cache: Path) -> None:
    """Put the driver for Postgres, if its package is installed, where dbt v2 finds it."""
    package = importlib.util.find_spec("adbc_driver_postgresql")
    if package is None or package.origin is None:
        return
    link = cache / POSTGRES.format(machine=platform.machine())
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(Path(package.origin).with_name("libadbc_driver_postgresql.so"))


def move_aside(venv: Path) -> Path:
    """Move the binary that the package installed; it stays where it is if that was done before."""
    installed, moved = venv / "bin" / "dbt", venv / "libexec" / "dbt"
    if not is_script(installed):
        moved.parent.mkdir(exist_ok=True)
        installed.rename(moved)
    return moved


def is_script(file: Path) -> bool:
    """Return whether a file is the script written here before."""
    with file.open("rb") as opened:
        return opened.read(2) == b"#!"


def write_script(file: Path, binary: Path, variables: dict[str, Path | str]) -> None:
    """Write the script that starts the binary with the variables."""
    exports = "".join(f"export {name}={shlex.quote(str(value))}\n" for name, value in variables.items())
    file.write_text(f'#!/bin/sh\n{exports}exec {shlex.quote(str(binary))} "$@"\n')
    file.chmod(0o755)


if __name__ == "__main__":
    main()
