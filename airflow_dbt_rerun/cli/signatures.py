"""The subcommand ``signatures``: list the known errors, check your own, and try a message on them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_dbt_rerun.cli.cases import UnreadableError
from airflow_dbt_rerun.cli.files import read_text
from airflow_dbt_rerun.cli.options import complain
from airflow_dbt_rerun.cli.parsing import ending
from airflow_dbt_rerun.config.documents import read_data, read_signatures
from airflow_dbt_rerun.core.diagnosis.classify_message import match, matching
from airflow_dbt_rerun.core.diagnosis.one_line import clean
from airflow_dbt_rerun.core.messages import unknown
from airflow_dbt_rerun.core.signatures import Signature, adapters, table_names
from airflow_dbt_rerun.core.signatures.examples import problems
from airflow_dbt_rerun.core.signatures.table import raw_table

_DONE, _WRONG, _ARGUMENTS = 0, 1, 2


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``signatures``."""
    parser = subcommands.add_parser(
        "signatures",
        help="list the known errors, check your own, or try a message",
        description="List the known errors, with your own first; or try a message or log on them.",
        epilog=ending(
            (
                "signatures --adapter snowflake",
                "signatures --test message.txt --adapter redshift",
                "signatures --signatures dbt_rerun_signatures.yaml   # try the examples of your own",
            ),
            "0 done; 1 an example of your own is not decided by its row, a file could not be read, or no signature "
            "matches; 2 wrong arguments.",
        ),
    )
    add = parser.add_argument
    add("--adapter", metavar="NAME", help="only those of this warehouse: snowflake, bigquery, ...")
    add("--signatures", metavar="FILE", help="your own (YAML, JSON or TOML): their examples are tried")
    add(
        "--test", metavar="FILE", help="a message or log, or - for standard input: which signatures match, in order"
    )
    add("--json", action="store_true", help="print one JSON document for machines")
    parser.set_defaults(func=signatures, command="signatures")


def signatures(options: argparse.Namespace) -> int:
    """List, check or try signatures; return the exit status."""
    adapter = options.adapter.lower() if options.adapter else None
    if adapter and adapter not in adapters():
        complain(options, unknown("adapter", options.adapter, adapters()))
        return _ARGUMENTS
    try:
        document, own = _own(options.signatures)
        if options.test:
            return _try(options, read_text(options.test), adapter, own)
    except (UnreadableError, ValueError) as error:
        complain(options, str(error))
        return _WRONG
    rows = [*document, *_built_in(adapter)]
    sys.stdout.write(json.dumps(rows, indent=2) + "\n" if options.json else "".join(map(_line, rows)))
    return _check(options, document, adapter, own)


def _own(file: str | None) -> tuple[Sequence[Mapping[str, Any]], tuple[Signature, ...]]:
    """Read the user's own signatures, as rows and as signatures."""
    if file is None:
        return (), ()
    text = read_text(file)
    own = read_signatures(text, file)
    data = read_data(text, file)
    return (data.get("signatures") or () if isinstance(data, Mapping) else data), own


def _built_in(adapter: str | None) -> Iterator[Mapping[str, Any]]:
    names = adapters()[adapter]["tables"] if adapter else table_names()
    for name in names:
        yield from raw_table(name)["signatures"]


def _line(row: Mapping[str, Any]) -> str:
    name, source = row.get("name") or row.get("pattern"), row.get("source") or ""
    return (
        f"{row.get('id') or '(no id)':60} {row.get('category', ''):12} {name}{f' ({source})' if source else ''}\n"
    )


def _check(
    options: argparse.Namespace, rows: Sequence[Mapping[str, Any]], adapter: str | None, own: Sequence[Signature]
) -> int:
    """Report the examples of the user's rows that another signature decides. A row without one is left alone."""
    with_examples = [row for row in rows if row.get("examples") or row.get("not_examples")]
    found = list(problems(with_examples, adapter, lambda text, name: match(text, adapter=name, extra=own)[1]))
    for problem in found:
        complain(options, f"{options.signatures}: {problem}")
    return _WRONG if found else _DONE


def _try(options: argparse.Namespace, text: str, adapter: str | None, own: Sequence[Signature]) -> int:
    """Show what decides a message, and what else would match after it."""
    category, decided = match(text, adapter=adapter, extra=own)
    others = [signature for signature in matching(text, adapter=adapter, extra=own) if signature != decided]
    if options.json:
        document = {
            "category": str(category),
            "message": clean(text, decided),
            "matching": [_as_row(each) for each in (*([decided] if decided else []), *others)],
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write(f"{category}: {clean(text, decided)}\n")
        sys.stdout.writelines(
            f"  {'decided by' if each is decided else 'also matches'}  {_line(_as_row(each))}"
            for each in (*([decided] if decided else []), *others)
        )
    return _DONE if decided else _WRONG


def _as_row(signature: Signature) -> dict[str, str]:
    return {
        "id": signature.id,
        "category": str(signature.category),
        "name": signature.name,
        "source": signature.source,
    }
