"""Print the figures that the documentation quotes: ``make bench``."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from itertools import takewhile

import benchmarks


def main() -> None:
    """Run each benchmark of this folder, or those that are named; options after a name are that benchmark's."""
    names = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_")]
    named = list(takewhile(lambda word: not word.startswith("-"), sys.argv[1:]))
    for name in named or names:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
