"""The site: each page is in its menu, each link leads somewhere, and what pages quote is what the code says."""

from __future__ import annotations

import ast
import html
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import airflow_dbt_rerun
from airflow_dbt_rerun.core.categories import Category
from tools.docs_links import anchor, on_page_content, outside_links, pages_in, repository

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGE = Path(airflow_dbt_rerun.__file__).parent
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
QUOTE = re.compile(r"`([^`]+)`")


def text_of(page: Path) -> str:
    """Return a page without its code blocks."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


@cache
def site() -> Any:
    """Read the configuration of MkDocs."""
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as the repository's pages and the site make them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return frozenset(anchor(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)) for heading in headings)


def test_each_page_is_in_the_menu() -> None:
    """Once: a page that is in no menu is not found, and MkDocs refuses one that does not exist."""
    assert sorted(pages_in(site()["nav"])) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """Files exist, and headings, too."""
    page = DOCS / name
    for link in LINK.findall(text_of(page)):
        path, _, place = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name} links to {link}"
        assert target.is_relative_to(ROOT), f"{name} links to {link}"
        if place:
            assert place in anchors(target), f"{name} links to {link}"


def test_links_out_of_the_docs_lead_to_the_repository() -> None:
    """From the site, where files of the repository are not; links within it, and code, stay as they are."""
    page = "[a](../README.md#x) [b](ui.md) [c](../example_dags) [d](#e) [f](https://x.y)\n```\n[a](../README.md)\n```\n"
    rewritten = outside_links(page, "start.md")
    assert rewritten == (
        f"[a]({repository()}/blob/main/README.md#x) [b](ui.md) [c]({repository()}/tree/main/example_dags) [d](#e) "
        "[f](https://x.y)\n```\n[a](../README.md)\n```\n"
    )
    assert outside_links("[a](../ui.md) [b](../../LICENSE)", "reference/hook.md") == (
        f"[a](../ui.md) [b]({repository()}/blob/main/LICENSE)"
    )


def test_the_site_fetches_nothing() -> None:
    """No fonts, no scripts and styles from elsewhere, and no question to the repository's host."""
    assert site()["theme"]["font"] is False
    assert site().keys().isdisjoint({"repo_url", "extra_css", "extra_javascript"})
    assert "offline" not in site()["plugins"]  # it loads a polyfill from elsewhere


def test_the_reference_has_each_public_name() -> None:
    """Those of the package itself, its operators, sensors, triggers, exceptions and webhooks."""
    named = re.findall(r"^::: ([\w.]+)$", "\n".join((DOCS / page).read_text() for page in PAGES), re.MULTILINE)
    last = {name.rpartition(".")[2] for name in named}
    modules = ("exceptions", "webhooks", "notifications", "testing")
    public = {name for module in modules for name in _public_names(module)}
    assert set(airflow_dbt_rerun.__all__) - {"__version__"} - last == set()
    assert public - {"BEARABLE", "is_bearable"} - last == set()


def _public_names(module: str) -> Iterator[str]:
    """Yield the classes and functions for users that a module defines, and the texts for notifiers."""
    inner = {"is_bearable", "pace_in_force", "policy_in_force"}
    for each in ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8")).body:
        if isinstance(each, ast.ClassDef | ast.FunctionDef) and each.name not in inner and each.name[0] != "_":
            yield each.name
        elif module == "notifications" and isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            yield each.target.id


def test_the_environment_of_the_site_is_pinned() -> None:
    """What the dependency group names has a version in constraints/docs.txt."""
    group = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["docs"]
    pinned = dict(line.split("==") for line in (ROOT / "constraints/docs.txt").read_text().splitlines())
    assert {re.split(r"[\[>=]", each)[0] for each in group} <= pinned.keys()


@cache
def messages() -> tuple[str, ...]:
    """Return each text in the package's source, with a NUL for what is filled in."""
    files = sorted(PACKAGE.rglob("*.py"))
    return tuple(text for path in files for text in _texts(ast.parse(path.read_text(encoding="utf-8"))))


def _texts(tree: ast.AST) -> Iterator[str]:
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def quoted_in(page: str) -> list[str]:
    """Return what the first cells of a page's tables quote, without the categories of failures."""
    rows = re.findall(r"^\| (`.+?) \| .*$", text_of(DOCS / page), re.MULTILINE)
    quotes = [quote for row in rows for quote in QUOTE.findall(row)]
    return [quote for quote in quotes if quote.strip("()") not in {*Category}]


def is_said(quote: str) -> bool:
    """Return whether one text of the source has these words, with something filled in for each ``...``."""
    pattern = re.compile("\0.*".join(re.escape(part) for part in quote.split("...")), re.DOTALL)
    return any(pattern.search(text) for text in messages())


@pytest.mark.parametrize("page", ["troubleshooting.md", "red-task.md"])
def test_quoted_messages_are_those_of_the_code(page: str) -> None:
    """A reader searches for the words that the log has."""
    quotes = quoted_in(page)
    assert len(quotes) > 15
    assert [quote for quote in quotes if not is_said(quote)] == []


def test_a_message_that_nobody_says_is_found() -> None:
    """The check above can fail."""
    assert is_said("password (API token) of ... is missing")
    assert not is_said("password (API token) of ... is gone")
    assert not is_said("password of ... is missing")


def test_the_night_is_that_of_the_demo() -> None:
    """What the story quotes stands in the picture of ``make demo``."""
    shown = re.sub(r"<[^>]+>", "\n", (DOCS / "demo.svg").read_text(encoding="utf-8"))
    shown = html.unescape(shown).replace("\xa0", " ")
    lines = "\n".join(re.findall(r"^```\n(.*?)^```", (DOCS / "night.md").read_text(), re.MULTILINE | re.DOTALL))
    assert [line for line in lines.splitlines() if line not in shown] == []


def test_docstrings_read_well_on_the_site() -> None:
    """No role of reStructuredText, and no inherited argument that is called required."""
    assert on_page_content("<p>:class:<code>~a.b.C</code>, :mod:<code>a.b</code></p>") == (
        "<p><code>C</code>, <code>a.b</code></p>"
    )
    row = "<tr><td>{}</td><td><p>x</p></td><td><em>required</em></td></tr>"
    assert "required" not in on_page_content(row.format(""))
    assert "required" in on_page_content(row.format("int"))
