"""Change the arguments of one call, and keep the layout of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from airflow_dbt_rerun.cli.migration.names import HOOK, HOOK_ARGUMENTS, INSTEAD, JOB

_MEANINGLESS = {
    "retry_from_failure": ("True", "False"),
    "reuse_existing_run": ("False", "None"),
    "openlineage_inject_parent_job_info": ("False", "None"),
}
"""Arguments of the job operator to leave out, with the values for which that changes nothing."""


def changed(args: Sequence[cst.Arg], cls: str, *, deferrable: bool) -> list[cst.Arg]:
    """Return the arguments of a call of a class, changed for this package.

    :param cls: the new name of the class.
    :param deferrable: whether to add ``deferrable=True``.
    """
    found = list(args)
    if cls == HOOK:
        return [_named(position, arg) for position, arg in enumerate(found)]
    if cls == JOB:
        for arg in args:
            if _switches_off(args, arg):
                found[found.index(arg)] = arg.with_changes(keyword=cst.Name("policy"), value=cst.Name("None"))
            elif _is_meaningless(arg) and not _starts_only(args, arg):
                found = _without(found, found.index(arg))
    if deferrable and not any(_name(arg) == "deferrable" for arg in found):
        found = _with_deferrable(found)
    return found


def remarks(args: Sequence[cst.Arg], cls: str) -> Iterator[str]:
    """Say what a person has to change in a call."""
    for arg in args:
        name, value = _name(arg), _value(arg)
        if cls == JOB and name in _MEANINGLESS and (not _is_meaningless(arg) or _starts_only(args, arg)):
            yield f"{name}={value} is not taken: {_instead(args, arg)}"
        elif cls == HOOK and name == "retry_args":
            yield f"retry_args is not taken: {INSTEAD[name]}"


def _instead(args: Sequence[cst.Arg], arg: cst.Arg) -> str:
    name = _name(arg) or ""
    if _starts_only(args, arg):
        return "this task does not wait; leave it out, and give policy=RerunPolicy() to the DbtCloudRunSensor"
    return INSTEAD.get(name, "leave it out, or give policy=None to rerun nothing")


def _starts_only(args: Sequence[cst.Arg], arg: cst.Arg) -> bool:
    """Return whether a rerun is wanted of a task that does not wait for its run."""
    wants = _name(arg) == "retry_from_failure" and _value(arg) == "True"
    return wants and any(_name(other) == "wait_for_termination" and _value(other) == "False" for other in args)


def _switches_off(args: Sequence[cst.Arg], arg: cst.Arg) -> bool:
    """Return whether a task that waits for its run was told not to rerun it, which the default policy would do."""
    others = {_name(other): _value(other) for other in args}
    says_no = _name(arg) == "retry_from_failure" and _value(arg) == "False"
    return says_no and others.get("wait_for_termination") != "False" and "policy" not in others


def _is_meaningless(arg: cst.Arg) -> bool:
    return _value(arg) in _MEANINGLESS.get(_name(arg) or "", ())


def _name(arg: cst.Arg) -> str | None:
    return arg.keyword.value if arg.keyword else None


def _value(arg: cst.Arg) -> str:
    return cst.Module([]).code_for_node(arg.value)


def _named(position: int, arg: cst.Arg) -> cst.Arg:
    """Name a positional argument of the hook after the first: here the second one is the account."""
    if position == 0 or position >= len(HOOK_ARGUMENTS) or arg.keyword or arg.star:
        return arg
    return _keyword(HOOK_ARGUMENTS[position], arg.value).with_changes(comma=arg.comma)


def _keyword(name: str, value: cst.BaseExpression) -> cst.Arg:
    none = cst.SimpleWhitespace("")
    equal = cst.AssignEqual(whitespace_before=none, whitespace_after=none)
    return cst.Arg(value, keyword=cst.Name(name), equal=equal)


def _with_deferrable(args: Sequence[cst.Arg]) -> list[cst.Arg]:
    """Add ``deferrable=True`` after the first argument, laid out as that is."""
    added = _keyword("deferrable", cst.Name("True"))
    if not args:
        return [added]
    first, *rest = args
    after = first.comma
    if not isinstance(after, cst.Comma):
        after = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        return [first.with_changes(comma=after), added]
    plain = after.with_changes(whitespace_after=_without_comment(after.whitespace_after))
    return [first, added.with_changes(comma=plain), *rest]


def _without_comment(space: cst.BaseParenthesizableWhitespace) -> cst.BaseParenthesizableWhitespace:
    if isinstance(space, cst.ParenthesizedWhitespace):
        return space.with_changes(first_line=cst.TrailingWhitespace())
    return space


def _without(args: Sequence[cst.Arg], index: int) -> list[cst.Arg]:
    """Leave out an argument; after the last one, the one before it stands where that stood."""
    left = [*args[:index], *args[index + 1 :]]
    if index == len(args) - 1 and left:
        left[-1] = _as_last(left[-1], args[index])
    return left


def _as_last(arg: cst.Arg, last: cst.Arg) -> cst.Arg:
    if not isinstance(last.comma, cst.Comma):
        return arg.with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
    own, space = arg.comma, last.comma.whitespace_after
    if isinstance(own, cst.Comma) and isinstance(own.whitespace_after, cst.ParenthesizedWhitespace):
        line = space.last_line if isinstance(space, cst.ParenthesizedWhitespace) else space
        space = own.whitespace_after.with_changes(last_line=line)
        if isinstance(last.comma.whitespace_after, cst.ParenthesizedWhitespace):
            space = space.with_changes(indent=last.comma.whitespace_after.indent)
    return arg.with_changes(comma=last.comma.with_changes(whitespace_after=space))
