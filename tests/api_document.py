"""dbt's own OpenAPI document of its Administrative API, which several tests compare with."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from tests.support import Json

DOCUMENT = Path(__file__).with_name("data") / "dbt-admin-api-v2.yaml"


@cache
def schemas() -> Json:
    """Return the document's schemas, read once a process and in C: Python takes two seconds for its 160 KB."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(DOCUMENT.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both are safe
    found: Json = document["components"]["schemas"]
    return found
