"""Change one import statement, and keep its layout and comments."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst
from libcst.helpers import get_full_name_for_node

from airflow_dbt_rerun.cli.migration.names import MODULES, PACKAGE, TARGETS, Target, is_old

Small = cst.BaseSmallStatement
Say = Callable[[str], None]
"""Tell a person what is left to do at a statement."""


def changed(statement: Small, *, keep_name: Callable[[Target], bool], say: Say) -> list[Small]:
    """Return what stands for an import statement; the statement itself if it imports nothing old.

    :param keep_name: whether the old local name has to be kept, since the file uses the new one for something else.
    """
    if isinstance(statement, cst.Import):
        names = [_module_alias(alias) for alias in statement.names]
        return [statement.with_changes(names=_ended(names))]
    if not isinstance(statement, cst.ImportFrom) or statement.relative or statement.module is None:
        return [statement]
    module = get_full_name_for_node(statement.module) or ""
    if isinstance(statement.names, cst.ImportStar):
        if is_old(f"{module}."):
            say(f"from {module} import *: name what is imported, then run this again")
        return [statement]
    if module in MODULES:
        return _by_module(statement, module, keep_name, say)
    return _modules_themselves(statement, module, say)


def _by_module(
    statement: cst.ImportFrom, module: str, keep_name: Callable[[Target], bool], say: Say
) -> list[Small]:
    groups: dict[str, list[cst.ImportAlias]] = {}
    for alias in _aliases(statement):
        name = alias.evaluated_name
        target = TARGETS.get(f"{module}.{name}")
        if target is None:
            say(f"{name} has no counterpart: see docs/migrating.md")
        path = target.path if target else module
        new = _renamed(alias, target, keep=keep_name(target)) if target else alias
        known = [(each.evaluated_name, each.evaluated_alias) for each in groups.get(path, ())]
        if (new.evaluated_name, new.evaluated_alias) not in known:
            groups.setdefault(path, []).append(new)
    if len(groups) == 1:
        ((path, names),) = groups.items()
        return [_whole(statement, path, names)]
    return [_part(statement, path, names, first=not at) for at, (path, names) in enumerate(groups.items())]


def _renamed(alias: cst.ImportAlias, target: Target, *, keep: bool) -> cst.ImportAlias:
    asname = alias.asname
    if asname is None and keep:
        asname = cst.AsName(cst.Name(alias.evaluated_name))
    return alias.with_changes(name=cst.Name(target.name), asname=asname)


def _whole(statement: cst.ImportFrom, path: str, names: list[cst.ImportAlias]) -> cst.ImportFrom:
    ended = names if len(names) == len(_aliases(statement)) else _ended(names, statement)
    return statement.with_changes(module=_dotted(path), names=ended)


def _part(statement: cst.ImportFrom, path: str, names: list[cst.ImportAlias], *, first: bool) -> cst.ImportFrom:
    """Return an import of some of the names: on one line, unless there are comments to keep."""
    of = statement.with_changes(module=_dotted(path))
    if statement.lpar is None or "#" not in cst.Module([]).code_for_node(statement):
        flat = [each.with_changes(comma=cst.MaybeSentinel.DEFAULT) for each in names]
        return of.with_changes(names=flat, lpar=None, rpar=None)
    *front, last = names
    lpar = statement.lpar if first else _without_comment(statement.lpar)
    return of.with_changes(names=[*front, _closing(last, _aliases(statement)[-1])], lpar=lpar)


def _without_comment(lpar: cst.LeftParen) -> cst.LeftParen:
    space = lpar.whitespace_after
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return lpar
    return lpar.with_changes(whitespace_after=space.with_changes(first_line=cst.TrailingWhitespace()))


def _closing(alias: cst.ImportAlias, last: cst.ImportAlias) -> cst.ImportAlias:
    """Return a name as the last one in parentheses: its comment stays, what follows is as after the old last."""
    own, end = (_space_after(each) for each in (alias, last))
    if own is None or end is None:
        return alias.with_changes(comma=last.comma)
    space = own.with_changes(indent=end.indent, last_line=end.last_line)
    return alias.with_changes(comma=cst.Comma(whitespace_after=space))


def _space_after(alias: cst.ImportAlias) -> cst.ParenthesizedWhitespace | None:
    space = alias.comma.whitespace_after if isinstance(alias.comma, cst.Comma) else None
    return space if isinstance(space, cst.ParenthesizedWhitespace) else None


def _dotted(path: str) -> cst.Attribute | cst.Name:
    found = cst.parse_expression(path)
    assert isinstance(found, (cst.Attribute, cst.Name))
    return found


def _modules_themselves(statement: cst.ImportFrom, module: str, say: Say) -> list[Small]:
    """Change ``from airflow.providers.dbt.cloud.operators import dbt``."""
    old = [alias for alias in _aliases(statement) if f"{module}.{alias.evaluated_name}" in MODULES]
    others = [alias for alias in _aliases(statement) if alias not in old]
    if is_old(f"{module}.") and others:
        names = ", ".join(alias.evaluated_name for alias in others)
        say(f"from {module} import {names} has no counterpart: see docs/migrating.md")
    if not old:
        return [statement]
    kept = [_part(statement, module, others, first=True)] if others else []
    return [*kept, *(_package_as(alias.evaluated_alias or alias.evaluated_name) for alias in old)]


def _package_as(name: str) -> cst.Import:
    return cst.Import([cst.ImportAlias(cst.Name(PACKAGE), cst.AsName(cst.Name(name)))])


def _module_alias(alias: cst.ImportAlias) -> cst.ImportAlias:
    return alias.with_changes(name=cst.Name(PACKAGE)) if alias.evaluated_name in MODULES else alias


def _aliases(statement: cst.ImportFrom) -> list[cst.ImportAlias]:
    return [] if isinstance(statement.names, cst.ImportStar) else list(statement.names)


def _ended(names: list[cst.ImportAlias], statement: cst.ImportFrom | None = None) -> list[cst.ImportAlias]:
    """Return the names with the end that the statement's last name has."""
    *front, last = names
    end = _aliases(statement)[-1].comma if statement else cst.MaybeSentinel.DEFAULT
    return [*front, last.with_changes(comma=end)]
