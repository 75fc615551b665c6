"""Write the tables of messages in other languages, from the message catalogs of PostgreSQL, git and glibc.

``python tools/translated_signatures.py [LOCALE_FOLDER]``: a server speaks the language of its ``lc_messages``,
psycopg passes its text on without the SQLSTATE, and a deadlock on a German server says no word that the English
table knows.
"""

from __future__ import annotations

import gettext
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

TABLES = Path(__file__).parent.parent / "airflow_dbt_rerun" / "core" / "signatures" / "tables"
LOCALES = Path("/usr/share/locale")

Rows = dict[str, tuple[str, str, tuple[str, ...]]]
"""For each name of a row: category, source, and the English texts."""

Catalogs = dict[str, list[gettext.GNUTranslations]]
"""For each language its catalogs."""

POSTGRES: Rows = {
    "deadlock": ("transient", "PostgreSQL 40P01", ("deadlock detected",)),
    "serialization failure": (
        "transient",
        "40001",
        (
            "could not serialize access due to concurrent update",
            "could not serialize access due to concurrent delete",
            "could not serialize access due to read/write dependencies among transactions",
        ),
    ),
    "lock not available": (
        "transient",
        "55P03",
        (
            "canceling statement due to lock timeout",
            'could not obtain lock on relation "%s"',
            'could not obtain lock on row in relation "%s"',
        ),
    ),
    "conflict with recovery": (
        "transient",
        "PostgreSQL 40001",
        ("canceling statement due to conflict with recovery",),
    ),
    "connection ended by the server": (
        "transient",
        "57P01, 57P02, 25P03",
        (
            "terminating connection due to administrator command",
            "terminating connection due to conflict with recovery",
            "terminating connection because of crash of another server process",
            "terminating connection due to idle-in-transaction timeout",
        ),
    ),
    "starting or stopping": (
        "transient",
        "57P03",
        (
            "the database system is starting up",
            "the database system is shutting down",
            "the database system is in recovery mode",
            "the database system is not yet accepting connections",
            "the database system is not accepting connections",
        ),
    ),
    "connection lost": (
        "transient",
        "libpq",
        (
            (
                "server closed the connection unexpectedly\n"
                "\tThis probably means the server terminated abnormally\n"
                "\tbefore or while processing the request."
            ),
            "SSL connection has been closed unexpectedly",
        ),
    ),
    "too many connections": (
        "throttled",
        "53300",
        (
            "sorry, too many clients already",
            'too many connections for database "%s"',
            'too many connections for role "%s"',
            "remaining connection slots are reserved for non-replication superuser connections",
        ),
    ),
    "statement timeout": ("timed_out", "PostgreSQL 57014", ("canceling statement due to statement timeout",)),
    "cancelled by a user": ("cancelled", "PostgreSQL 57014", ("canceling statement due to user request",)),
    "out of memory": ("resources", "PostgreSQL 53200", ("out of memory", "out of shared memory")),
    "disk full": ("resources", "PostgreSQL 53100", ('could not extend file "%s": %m',)),
    "permission denied": (
        "access",
        "42501",
        (
            "permission denied for table %s",
            "permission denied for schema %s",
            "permission denied for database %s",
            "permission denied for function %s",
            "permission denied for sequence %s",
            'permission denied for database "%s"',
            "must be owner of table %s",
            "must be owner of view %s",
            "must be owner of schema %s",
        ),
    ),
    "login refused": (
        "access",
        "28P01, 28000",
        (
            'password authentication failed for user "%s"',
            'role "%s" does not exist',
            'role "%s" is not permitted to log in',
            'no pg_hba.conf entry for host "%s", user "%s", database "%s", %s',
        ),
    ),
    "unknown object": (
        "code",
        "42P01, 42703, 42883, 42704",
        (
            'relation "%s" does not exist',
            'relation "%s.%s" does not exist',
            'column "%s" does not exist',
            "column %s.%s does not exist",
            'column "%s" of relation "%s" does not exist',
            "function %s does not exist",
            'schema "%s" does not exist',
            'type "%s" does not exist',
            'database "%s" does not exist',
            "operator does not exist: %s",
            'relation "%s" already exists',
            'column reference "%s" is ambiguous',
        ),
    ),
    "wrong SQL or data": (
        "code",
        "classes 22, 23, 42",
        (
            "division by zero",
            'duplicate key value violates unique constraint "%s"',
            '%s at or near "%s"',
            "%s at end of input",
            'invalid input syntax for type %s: "%s"',
            'null value in column "%s" of relation "%s" violates not-null constraint',
            "value too long for type character varying(%d)",
            "integer out of range",
            "bigint out of range",
            'value "%s" is out of range for type %s',
            'invalid byte sequence for encoding "%s": %s',
            'column "%s.%s" must appear in the GROUP BY clause or be used in an aggregate function',
            "more than one row returned by a subquery used as an expression",
            "cannot drop %s because other objects depend on it",
            'date/time field value out of range: "%s"',
            "%s types %s and %s cannot be matched",
            'column "%s" is of type %s but expression is of type %s',
        ),
    ),
}

POSIX: Rows = {
    "connection lost": (
        "transient",
        "ECONNRESET, EPIPE, ECONNABORTED",
        ("Connection reset by peer", "Broken pipe", "Software caused connection abort"),
    ),
    "no connection": (
        "transient",
        "ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ENETDOWN",
        ("Connection refused", "Network is unreachable", "No route to host", "Network is down"),
    ),
    "no answer": ("transient", "ETIMEDOUT", ("Connection timed out",)),
    "name not resolved for now": ("transient", "EAI_AGAIN", ("Temporary failure in name resolution",)),
    "memory or disk": (
        "resources",
        "ENOSPC, EDQUOT, ENOMEM, EMFILE",
        ("No space left on device", "Disk quota exceeded", "Cannot allocate memory", "Too many open files"),
    ),
}

GIT: Rows = {
    "unknown repository or branch": (
        "code",
        "git clone, git fetch",
        ("Remote branch %s not found in upstream %s", "repository '%s' not found", "couldn't find remote ref %s"),
    ),
    "login refused": (
        "access",
        "git over HTTP",
        ("Authentication failed for '%s'", "could not read Username for %s"),
    ),
}

HEADS = {
    "postgres_languages": """\
# PostgreSQL in the languages of its message catalogs (PostgreSQL 15), written by tools/translated_signatures.py:
# psycopg passes the server's text on without its SQLSTATE, so only the words are left to know an error by.
# The English words are in postgres.toml.
""",
    "git_languages": """\
# git in the languages of its message catalogs, written by tools/translated_signatures.py.
# The English words are in general.toml.
""",
    "posix_languages": """\
# Errors of the operating system in the languages of glibc's catalogs, written by tools/translated_signatures.py.
# Servers and drivers add them to their own messages. The English words are in general.toml.
""",
}

_PLACE = re.compile(r"%(?:\d\$)?[-+ #0-9.]*(?:l|ll|z)?[sdiumcxX]|%m")
_MARKS = "\"'«»„“”‚‘’『』「」"
_QUOTED_PLACE = re.compile(rf"[{_MARKS}]\s?%(?:\d\$)?s\s?[{_MARKS}]")
_NAME = r".{1,120}"
_TELLING = 8
"""Letters that a pattern must have besides its places; half as many outside the Latin alphabet."""


def main(folder: Path) -> None:
    """Write the tables."""
    languages = sorted({path.parent.parent.name for path in folder.glob("*/LC_MESSAGES/postgres-*.mo")})
    write("postgres_languages", POSTGRES, read(folder, languages, ("postgres-*.mo", "libpq5-*.mo")))
    write("git_languages", GIT, read(folder, languages, ("git.mo",)))
    write("posix_languages", POSIX, read(folder, languages, ("libc.mo",)))


def read(folder: Path, languages: Iterable[str], kinds: Iterable[str]) -> Catalogs:
    """Read the catalogs of each language."""
    return {
        language: [
            gettext.GNUTranslations(path.open("rb"))
            for kind in kinds
            for path in (folder / language / "LC_MESSAGES").glob(kind)
        ]
        for language in languages
    }


def write(name: str, rows: Rows, catalogs: Catalogs) -> None:
    """Write one table."""
    written = (row(f"{name}/{slug(title)}", title, known, catalogs) for title, known in rows.items())
    (TABLES / f"{name}.toml").write_text(HEADS[name] + "\n" + "\n\n".join(written) + "\n", encoding="utf-8")


def row(identity: str, title: str, known: tuple[str, str, tuple[str, ...]], catalogs: Catalogs) -> str:
    """Return one row: the texts in every language."""
    category, source, texts = known
    translated = {text: list(translations(text, catalogs)) for text in texts}
    patterns = dict.fromkeys(as_pattern(one) for found in translated.values() for one in found)
    return "\n".join(
        [
            "[[signatures]]",
            f'id = "{identity}"',
            f'category = "{category}"',
            f'name = "{title}"',
            f'source = "{source}, translated"',
            *listed("patterns", [literal(pattern) for pattern in patterns if is_telling(pattern)]),
            *listed("examples", [json.dumps(example(one), ensure_ascii=False) for one in translated[texts[0]][:2]]),
        ]
    )


def translations(text: str, catalogs: Catalogs) -> Iterator[str]:
    """Yield a text in each language that has it."""
    for found in catalogs.values():
        several = (catalog.gettext(key) for catalog in found for key in (text, f"{text}\n"))
        first_lines = (one.strip().partition("\n")[0] for one in several)
        yield from {one for one in first_lines if one and one != text.partition("\n")[0]}


def as_pattern(text: str) -> str:
    """Return the pattern of a text with places for names."""
    parts = _PLACE.split(_QUOTED_PLACE.sub("%s", text).strip(" :.%m"))
    pattern = _NAME.join(re.escape(part).replace("\\ ", " ").replace("\\-", "-") for part in parts)
    return pattern.removeprefix(_NAME).removesuffix(_NAME).strip(f" {_MARKS}")


def is_telling(pattern: str) -> bool:
    """Return whether a pattern says enough: two places and a comma would match anything."""
    letters = re.sub(r"\.\{1,120\}|\W", "", pattern)
    return len(letters) >= (_TELLING if letters.isascii() else _TELLING // 2)


def example(text: str) -> str:
    """Return a message as dbt shows it."""
    return f"Database Error in model orders (models/orders.sql)\n  {_PLACE.sub('orders', text)}"


def listed(key: str, values: Iterable[str]) -> list[str]:
    """Return the lines of a TOML list."""
    return [f"{key} = [", *(f"    {value}," for value in values), "]"]


def literal(text: str) -> str:
    """Return a TOML literal."""
    return f"'''{text}'''" if "'" in text else f"'{text}'"


def slug(title: str) -> str:
    """Return the last part of a row's id."""
    return re.sub(r"\W+", "-", title.lower())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else LOCALES)
