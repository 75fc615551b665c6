"""Draw what a command printed: ``airflow-dbt-rerun demo | python docs/picture.py > docs/demo.svg``."""

from __future__ import annotations

import html
import re
import sys

COLUMNS, LINE, LETTER = 150, 17, 7.3
COLOURS = {
    "[ok]": "#7ee787",
    "[FAILED]": "#ff7b72",
    "model": "#ffa657",
    "Decision": "#79c0ff",
    "Giving up": "#ff7b72",
    "Done": "#7ee787",
}


def main() -> None:
    """Read lines from standard input and write an SVG to standard output."""
    lines = [shorten(line.rstrip("\n")) for line in sys.stdin]
    height, width = (len(lines) + 2) * LINE, COLUMNS * LETTER + 2 * LINE
    sys.stdout.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-size="12"'
        ' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace">\n'
        f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#0d1117"/>\n'
    )
    for number, line in enumerate(lines, start=1):
        y = (number + 0.7) * LINE
        sys.stdout.write(f'<text x="{LINE}" y="{y:.0f}" fill="{colour(line)}" xml:space="preserve">')
        sys.stdout.write(f"{html.escape(line)}</text>\n")
    sys.stdout.write("</svg>\n")


def shorten(line: str) -> str:
    """Leave out addresses, which differ each time, and what does not fit."""
    line = re.sub(r" \(http://\S+\)", "", line)
    return line if len(line) <= COLUMNS else line[: COLUMNS - 3] + "..."


def colour(line: str) -> str:
    """Choose a line's colour by its first known word."""
    return next((value for word, value in COLOURS.items() if line.strip().startswith(word)), "#c9d1d9")


if __name__ == "__main__":
    main()
