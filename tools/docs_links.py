"""A hook of MkDocs: links that work on the repository's pages work on the site, too.

A link out of ``docs/`` becomes one to the repository, and headings get the anchors that the repository's pages give
them. Roles of reStructuredText in docstrings, which MkDocs does not know, become plain code.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
FENCED = re.compile(r"(^```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)
ROLE = re.compile(r":\w+:<code>(~?)([\w.]+)</code>")
INHERITED = re.compile(r"(<td>\s*</td>(?:(?!</tr>).)*?)<em>required</em>", re.DOTALL)
"""A parameter without a type in its table: a base class declares it, so the signature does not tell its default."""


def on_config(config: Any) -> Any:
    """Give headings the repository's anchors, and the footer its address."""
    config["mdx_configs"].setdefault("toc", {})["slugify"] = anchor
    config["extra"]["social"] = [{"icon": "fontawesome/brands/git-alt", "link": repository(), "name": "Source"}]
    return config


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links out of ``docs/`` to the repository."""
    return outside_links(markdown, page.file.src_uri)


def on_page_content(html: str, **_: Any) -> str:
    """Show what a role names, by its last part if the role says so; call no inherited parameter required."""
    html = INHERITED.sub(r"\1", html)
    return ROLE.sub(lambda role: f"<code>{role[2].rpartition('.')[2] if role[1] else role[2]}</code>", html)


def repository() -> str:
    """Return the address of the repository, from ``pyproject.toml``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["urls"]["Source"])


def anchor(heading: str, separator: str = "-") -> str:
    """Return a heading's anchor as the repository's pages make it: no punctuation, each blank a hyphen."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)


def outside_links(markdown: str, source: str) -> str:
    """Rewrite the links of one page, except in code blocks.

    :param source: the page's path below ``docs/``.
    """
    replaced = _replacing(posixpath.join("docs", posixpath.dirname(source)))
    parts = FENCED.split(markdown)  # every second part is a code block
    return "".join(part if number % 2 else LINK.sub(replaced, part) for number, part in enumerate(parts))


def _replacing(folder: str) -> Callable[[re.Match[str]], str]:
    def replaced(link: re.Match[str]) -> str:
        path, mark, place = link[2].partition("#")
        target = posixpath.normpath(posixpath.join(folder, path))
        if "://" in path or not path or target.startswith("docs/"):
            return link[0]
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"{link[1]}{repository()}/{kind}/main/{target}{mark}{place}{link[3]}"

    return replaced


def pages_in(nav: Any) -> list[str]:
    """Return the pages that a ``nav`` of ``mkdocs.yml`` names, in its order."""
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, Mapping) else nav
    return [page for entry in entries for page in pages_in(entry)]
