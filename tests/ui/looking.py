"""People's browsers: headless Chromium, which loads nothing but our own server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ui.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

SCREENSHOTS = os.environ.get("DBT_RERUN_SCREENSHOTS")
"""A folder for pictures; without it none are taken."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, or skip the test where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield browser
        browser.close()


class Looking:
    """One person in front of a browser.

    :param who: is logged in; None is nobody.
    """

    def __init__(
        self, browser: Browser, site: Site, who: str | None, *, theme: str = "light", width: int = 1_200
    ) -> None:
        self.site = site
        scheme: Any = theme
        self._context = browser.new_context(viewport={"width": width, "height": 760}, color_scheme=scheme)
        if who is not None:
            path = site.prefix + "/"
            host = {"name": "_token", "value": site.token(who), "domain": "127.0.0.1", "path": path}
            self._context.add_cookies([host])  # type: ignore[list-item]
        self._context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(30_000)
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def at(self, path: str, selector: str = ".dbt-rerun h2") -> Page:
        """Open a page and wait for what is looked for."""
        self.page.goto(self.site.url + path)
        self.page.wait_for_selector(selector)
        return self.page

    def text(self, selector: str = ".dbt-rerun") -> str:
        """Read what is written there."""
        return self.page.inner_text(selector)

    def picture(self, name: str) -> None:
        """Take a picture for the documentation."""
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")

    def leave(self) -> None:
        """Close the browser's windows."""
        self._context.close()
