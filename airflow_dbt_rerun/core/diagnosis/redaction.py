"""Redact an error message so that a stranger may publish it: only the error's fixed wording and codes remain.

Nothing is kept because it looks harmless. A word is kept if it is known fixed wording (:mod:`.fixed_wording`), a
number if it stands where a vendor writes a code, quoted text if it is an error message itself, and then word by
word. Everything else becomes a label such as ``relation_1``, the same one wherever it occurs in one report, or 0 if
it is a number. The shapes below (addresses, paths, ids) only choose the label's kind; what has none of these shapes
is masked, too.

Labels are numbered and not hashed: a hash of a table's name or of an account's number is found by trying.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from airflow_dbt_rerun.core.diagnosis.cleaning import (
    CATALOG_INDEX,
    DBT_HELPER,
    QUOTED,
    before_quote,
    error_lines,
    speaks,
)
from airflow_dbt_rerun.core.diagnosis.error_codes import code_places, is_code, is_key, is_quoted_code
from airflow_dbt_rerun.core.diagnosis.fixed_wording import ALSO, is_error_class, is_fixed, pattern_words

MOST_LINES = 24
"""Lines of a message, half of them from its start and half from its end."""

MOST_OF_A_LINE = 1000

NUMBER = "0"
SQL = "<sql>"

_SQL_BEGINS = re.compile(
    r"""(?:^|[:\[({"'`>]\s*|\.\s+)(?:
        select\b.{0,2000}?\bfrom\b | select\s | insert\s+(?:into|overwrite)\s | update\s+\S+\s+set\b
      | delete\s+from\s | merge\s+into\s | truncate\s+table\s | copy\s+into\s
      | (?:alter|drop)\s+(?:table|view|schema)\s | with\s+\S+\s+as\s*\(
      | create\s+(?:\w+\s+){0,4}(?:table|view|schema|function|index)\s
      | grant\s.{1,200}\sto\s | explain\s | describe\s+table\s | /\*
    ).*""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SQL_GOES_ON = re.compile(
    r"""(?:from|where|and|or|on|(?:left|right|inner|full|cross|outer)?\s*join|group\s+by|order\s+by|having|limit|union
      |set|values|case|when|then|else|end|select|with|insert|as|using|qualify|partition\s+by)\b | [,()*;] | --""",
    re.VERBOSE | re.IGNORECASE,
)
_COMMENT = re.compile(r"\s*/\*.*?(?:\*/|$)|(?:^|\s)--\s.*$")

_SHAPES = re.compile(
    r"""(?P<url>\b[\w+.-]{2,20}://[^\s"'`<>)\]}]+)
      | (?P<email>[\w.+%-]+@[\w-]+(?:\.[\w-]+)+)
      | (?P<arn>\barn:[\w:/*.+=,@-]+)
      | (?P<path>(?:\b[A-Za-z]:)?\\[^\s"'<>|]{3,}|(?<![\w.])~?/?(?:[\w.%=&?~+*$-]+/){2,}[\w.%=&?~+*$-]*
          |(?<![\w/])~?/[\w.%+*$-]{2,}|[\w.-]+\.(?:sql|ya?ml|py|csv|parquet|json|md|log|pem|key|p8)\b(?!\.\w))
      | (?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?|(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){3,7}(?![\w:]))
      | (?P<pair>(?i:\b(?:\w{0,20}(?:password|passwd|pwd|token|secret|credential|signature|api_?key|access_?key
          |_key)|account|user|username|login|host|hostname|server|database|dbname|catalog|schema|warehouse|role|project
          |projectid|project_id|bucket|tenant|tenant_id|client_id|region|uid|sid|service_name)\s?=\s?)[^\s,;)&]+)
      | (?P<said>(?i:\b(?:password|passwd|pwd|bearer|basic|api[ _-]?key|access[ _-]?key|authorization|token|secret)
          \s?:\s?|\bBearer\s|\bBasic\s)(?:Bearer\s|Basic\s|Token\s)?[^\s,;)"']+)
    """,
    re.VERBOSE,
)
_HOST = re.compile(r"(?:[\w-]+\.)+[A-Za-z][\w-]{1,30}(?::\d+)?")
_ID = re.compile(
    r"[0-9A-Fa-f]{8,}(?:-[0-9A-Fa-f]+)*|[0-9A-Fa-f]{2,}(?:-[0-9A-Fa-f]{2,}){2,}|0x[0-9A-Fa-f]+|(?=\D*\d)\w{16,}"
)
_AMOUNT = re.compile(r"[+-]?\d[\d.,:_/-]*(?P<unit>%|[a-zA-Zµ]{1,4}\b)?")
_UNITS = frozenset("""% s ms us ns min h d b kb mb gb tb kib mib gib tib x k m g th st nd rd""".split())

_ESCAPED_BREAK = re.compile(r"(?:\\+[nrt])+ ?")
_TOKEN = re.compile(r"""[^\s()\[\]{}<>,;:="'`|…!?]+""")
_EDGES = re.compile(r"^([^\w]*)(.*?)([^\w]*)$", re.DOTALL)

_ANNOUNCED = re.compile(
    r"\b(?P<noun>table|view|relation|object|model|test|seed|snapshot|source|node|macro|column|field|identifier|attribute"
    r"|schema|database|catalog|dataset|user|role|principal|account|project|warehouse|host|server|endpoint|function"
    r"|procedure|bucket|job|query|statement|session|partition|index|constraint|variable|var|type|key|value|package"
    r"|branch|repository|profile|target|cluster|stage|integration|file|directory|literal|string|date|timestamp)s?"
    r"(?:\ (?:name|named|with\ id|id))?[\s:=]*[\"'`(\[]?$",
    re.IGNORECASE,
)
_KINDS = {
    **dict.fromkeys(
        ("table", "view", "relation", "object", "index", "dataset", "partition", "constraint"), "relation"
    ),
    **dict.fromkeys(("model", "test", "seed", "snapshot", "source", "node", "macro"), "node"),
    **dict.fromkeys(("column", "field", "identifier", "attribute"), "column"),
    **dict.fromkeys(("schema", "database", "catalog"), "schema"),
    **dict.fromkeys(("user", "role", "principal"), "user"),
    **dict.fromkeys(("account", "project", "warehouse", "cluster"), "account"),
    **dict.fromkeys(("host", "server", "endpoint"), "host"),
    **dict.fromkeys(("job", "query", "statement", "session"), "id"),
    **dict.fromkeys(("value", "literal", "string", "date", "timestamp", "key"), "value"),
}


class Redactor:
    """Redacts the messages of one report, with the same label for the same name in all of them.

    :param keep: words that a person has judged to be the error's own.
    """

    def __init__(self, keep: Iterable[str] = ()) -> None:
        self._kept = frozenset(word.lower() for word in keep)
        self._names: set[str] = set()
        self._labels: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    @property
    def labels(self) -> Mapping[str, str]:
        """The label of each name, in lower case: for the person whose names they are."""
        return self._labels

    def know(self, names: Iterable[str]) -> None:
        """Mask these names even if they are common words, unless a signature needs the word."""
        self._names |= {name.lower() for name in names} - pattern_words()

    def redact(self, message: str) -> str:
        """Return the lines of a message that describe the error, redacted."""
        lines = [_ESCAPED_BREAK.sub(r"\\n ", line[:MOST_OF_A_LINE]) for line in error_lines(message)]
        if len(lines) > MOST_LINES:
            lines = [*lines[: MOST_LINES // 2], "…", *lines[-MOST_LINES // 2 :]]
        return "\n".join(map(self._line, _without_sql(lines)))

    def _line(self, text: str) -> str:
        """Redact text word by word, and quoted text as a whole unless it is an error message itself."""
        parts, place, codes = [], 0, code_places(text)
        for found in QUOTED.finditer(text):
            parts += [self._unquoted(text, place, found.start(), codes), self._quoted(found)]
            place = found.end()
        return "".join([*parts, self._unquoted(text, place, len(text), codes)])

    def _quoted(self, found: re.Match[str]) -> str:
        quoted, before = found[0], before_quote(found)
        mark, inside = quoted[0], quoted[1:-1]
        if is_key(found) or is_quoted_code(before, inside) or not inside.strip(" .…'"):
            return quoted
        if speaks(before, inside):
            return mark + self._line(inside) + mark
        if CATALOG_INDEX.match(quoted) and all(map(is_fixed, inside.split("_"))):
            return quoted
        helper = "__dbt_tmp" if DBT_HELPER.search(quoted) else ""
        return f"{mark}{self._label(inside, _kind(before) or 'name')}{helper}{mark}"

    def _unquoted(self, text: str, start: int, end: int, codes: frozenset[int]) -> str:
        """Redact a part of a text that has no quotes: names that have a shape, and the words between them."""
        parts, place = [], start
        for found in _SHAPES.finditer(text, start, end):
            parts += [self._words(text, place, found.start(), codes), self._shaped(found, codes)]
            place = found.end()
        return "".join([*parts, self._words(text, place, end, codes)])

    def _shaped(self, found: re.Match[str], codes: frozenset[int]) -> str:
        kind, text = found.lastgroup or "name", found[0]
        match kind:
            case "url":
                return f"{_scheme(text)}://{self._label(text, 'url')}"
            case "path":
                return text if is_fixed(text) else f"/path/{self._label(text, 'path').removeprefix('path_')}"
            case "pair" | "said":
                name, mark, value = re.split(r"([\s:=]+)", text, maxsplit=1)
                known = self._words(name, 0, len(name), codes)
                return text if value in ("YES", "NO") else f"{known}{mark}{self._label(value, 'value')}"
        return self._label(text, kind)

    def _words(self, text: str, start: int, end: int, codes: frozenset[int]) -> str:
        """Redact each word of a part of a text that has neither quotes nor shapes."""

        def redacted(found: re.Match[str]) -> str:
            opening, word, closing = _edges(found[0])
            place = found.start() + len(opening)
            if place in codes or not word:
                return found[0]
            return opening + self._word(word, text[max(0, place - 60) : place]) + closing

        parts, place = [], start
        for found in _TOKEN.finditer(text, start, end):
            parts += [text[place : found.start()], redacted(found)]
            place = found.end()
        return "".join([*parts, text[place:end]])

    def _word(self, word: str, before: str) -> str:
        if is_code(word, before) or word.lower() in self._kept:
            return word
        kind = _kind(before)
        if is_fixed(word) and word.lower() not in self._names and (kind is None or _may_follow_noun(word)):
            return word
        if (amount := _AMOUNT.fullmatch(word)) and (amount["unit"] or "s").lower() in _UNITS:
            return NUMBER + (amount["unit"] or "")
        return self._named(word, kind)

    def _named(self, word: str, kind: str | None) -> str:
        if DBT_HELPER.match(word):
            return self._label(word, "relation") + "__dbt_tmp"
        if "." in word and (is_error_class(word.rpartition(".")[2]) or is_fixed(word.rpartition(".")[0])):
            module, _, last = word.rpartition(".")
            known = module if is_fixed(module) else self._label(module, "module")
            return f"{known}.{last if is_error_class(last) else self._label(last, 'name')}"
        if kind is None:
            kind = "id" if _ID.fullmatch(word) else "host" if _HOST.fullmatch(word) else "word"
        return self._label(word, kind)

    def _label(self, name: str, kind: str) -> str:
        """Return the label of a name: the one it has already, of whatever kind, or a new one."""
        key = name.strip().lower()
        if key not in self._labels:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._labels[key] = f"{kind}_{self._counts[kind]}"
        return self._labels[key]


def _without_sql(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines with each statement cut, together with the lines that continue it."""
    in_sql = False
    for line in lines:
        cut = _COMMENT.sub(f" {SQL}", line)
        if in_sql and _SQL_GOES_ON.match(cut):
            continue
        found = _SQL_BEGINS.search(cut)
        in_sql = found is not None
        yield _cut(cut, found) if found else cut


def _cut(line: str, found: re.Match[str]) -> str:
    opening = re.match(r"[^\w/]*", found[0])
    return line[: found.start()] + (opening[0] if opening else "") + SQL


def _kind(before: str) -> str | None:
    """Return the kind of name that the words before announce."""
    found = _ANNOUNCED.search(before[-60:])
    return _KINDS.get(found["noun"].lower(), "name") if found else None


_AFTER_NOUN = frozenset(
    """is are was were be been has have had does do did not no cannot can could may must should will would of in on
    at to from by with without for and or but as if that which already exists exist failed error errors name
    names type types count limit when while because due than the a an""".split()
)


def _may_follow_noun(word: str) -> bool:
    """Return whether a known word after "table" goes on with the sentence instead of naming the table."""
    lower = word.lower()
    return lower in _AFTER_NOUN or lower in ALSO or lower in pattern_words()


def _scheme(url: str) -> str:
    scheme = url.partition("://")[0].lower()
    return scheme if scheme in _SCHEMES else "https"


_SCHEMES = frozenset(
    ("http", "https", "s3", "s3a", "gs", "abfss", "wasbs", "hdfs", "git", "ssh", "postgresql", "jdbc")
)


def _edges(token: str) -> tuple[str, str, str]:
    found = _EDGES.match(token)
    assert found is not None
    return found[1], found[2], found[3]
