"""Parse a page as a browser would, and find what it would fetch or run."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """Checks that elements are closed, and keeps what a browser would fetch or run."""

    VOID = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.active: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element."""
        if tag in ("script", "link", "img", "iframe", "object", "form") or any(
            name == "src" or name.startswith("on") for name, _ in attrs
        ):
            self.active.append((tag, attrs))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Drop an empty element."""

    def handle_endtag(self, tag: str) -> None:
        """Check the order."""
        assert self.open.pop() == tag
