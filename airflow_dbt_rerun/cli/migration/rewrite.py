"""Change a DAG file from the official provider to this package. Needs libcst, which keeps comments and layout."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import (
    GlobalScope,
    MetadataWrapper,
    PositionProvider,
    QualifiedNameProvider,
    QualifiedNameSource,
    ScopeProvider,
)

from airflow_dbt_rerun.cli.migration import arguments, imports
from airflow_dbt_rerun.cli.migration.names import (
    INSTEAD,
    JOB,
    MODULES,
    NOT_OFFERED,
    OLD_NAMES,
    PACKAGE,
    RUN_SENSOR,
    STATUS,
    STATUSES,
    UNCHANGED,
    Target,
    is_old,
    new_name,
    old_target,
)

_OLD_PATH = re.compile(r"(?:airflow|astronomer)\.providers\.dbt\.cloud(?:\.\w+)*")
_TOO_DEEP = "nested too deeply to be read; shorten the longest expression"
_MAPPED = ("partial", "expand", "expand_kwargs")
_DERIVED = (JOB, RUN_SENSOR, "DbtCloudRerunHook")


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """Something that a person has to change."""

    line: int
    words: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A changed file.

    :param code: the whole file, in its own encoding.
    :param remarks: what is left to a person, with line numbers of the file as it was.
    """

    code: bytes
    remarks: tuple[Remark, ...]


def rewrite(source: bytes) -> Rewritten:
    """Change the imports, names and arguments in the text of a Python file.

    :raises SyntaxError: if it is no Python, or nested too deeply.
    """
    _check_depth(source)
    try:
        module = cst.parse_module(source)
    except cst.ParserSyntaxError as error:
        raise SyntaxError(f"line {error.raw_line}: {error.message}") from error
    rewriter = _Rewriter()
    try:
        changed = MetadataWrapper(module, unsafe_skip_copy=True).visit(rewriter)
    except RecursionError:
        raise SyntaxError(_TOO_DEEP) from None
    remarks = tuple(sorted(set(rewriter.remarks))) if rewriter.is_concerned else ()
    return Rewritten(changed.bytes, remarks)


def _check_depth(source: bytes) -> None:
    """Refuse what is too deep for Python itself: it would end libcst's parser, and this process with it."""
    try:
        ast.parse(source)
    except (RecursionError, MemoryError):
        raise SyntaxError(_TOO_DEEP) from None
    except (SyntaxError, ValueError) as error:
        if "too many nested" in str(error):
            raise SyntaxError(_TOO_DEEP) from None


class _Rewriter(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (PositionProvider, QualifiedNameProvider, ScopeProvider)

    def __init__(self) -> None:
        super().__init__()
        self.remarks: list[Remark] = []
        self.is_concerned = False
        """Whether the file uses the official provider, or this package."""
        self._local: set[str] = set()
        """Local names that an import gives by ``as``; they stay."""
        self._taken: set[str] = set()
        """New names that the file uses for something else."""

    def _say(self, node: cst.CSTNode, words: str) -> None:
        self.remarks.append(Remark(self.get_metadata(PositionProvider, node).start.line, words))

    def _names(self, node: cst.CSTNode) -> set[str]:
        """Return the full names that a node may stand for, as far as they are imported."""
        found = self.get_metadata(QualifiedNameProvider, node, set())
        found = found() if callable(found) else found
        return {each.name for each in found if each.source is QualifiedNameSource.IMPORT}

    # --- Imports

    def visit_Module(self, node: cst.Module) -> None:  # noqa: N802 - libcst's names
        """Learn which new names the file uses for something else."""
        scope = self.get_metadata(ScopeProvider, node)
        if not isinstance(scope, GlobalScope):
            return
        for assignment in scope.assignments:
            names = {each.name for each in scope.get_qualified_names_for(assignment.name)}
            if not any(name.startswith(f"{PACKAGE}.") for name in names):
                self._taken.add(assignment.name)

    def visit_Import(self, node: cst.Import) -> bool:  # noqa: N802 - as above
        """Note what is imported; the statement is changed as a whole."""
        self._note([alias.evaluated_name for alias in node.names])
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:  # noqa: N802 - as above
        """Note what is imported, and under which local name."""
        if node.module is None or node.relative:
            return False
        module = cst.Module([]).code_for_node(node.module)
        self._note([f"{module}."])
        if not isinstance(node.names, cst.ImportStar) and is_old(f"{module}."):
            self._local |= {alias.evaluated_alias for alias in node.names if alias.evaluated_alias}
        return False

    def _note(self, modules: list[str]) -> None:
        self.is_concerned |= any(is_old(f"{name}.") or f"{name}.".startswith(f"{PACKAGE}.") for name in modules)

    def leave_SimpleStatementLine(  # noqa: N802 - as above
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        """Change import statements; one may become two lines."""
        found = [self._import(old, new) for old, new in zip(original_node.body, updated_node.body, strict=True)]
        body = [small for each in found for small in each]
        if len(found) == 1:
            first, *more = body
            lines = [cst.SimpleStatementLine([small]) for small in more]
            return cst.FlattenSentinel([updated_node.with_changes(body=[first]), *lines])
        return updated_node.with_changes(body=body)

    def _import(self, old: cst.BaseSmallStatement, new: cst.BaseSmallStatement) -> list[cst.BaseSmallStatement]:
        return imports.changed(new, keep_name=self._keeps_old_name, say=lambda words: self._say(old, words))

    def _keeps_old_name(self, target: Target) -> bool:
        return target.name in self._taken and target.name not in UNCHANGED

    # --- Uses

    def visit_Attribute(self, node: cst.Attribute) -> None:  # noqa: N802 - as above
        """Name what has no counterpart."""
        if new_name(self._names(node.value)) == STATUS and node.attr.value not in STATUSES:
            self._say(node, f"RunStatus has no {node.attr.value}: name the statuses, as RunStatus.SUCCESS")
        if instead := NOT_OFFERED.get(node.attr.value):
            self._say(node, f"the hook has no {node.attr.value}: {instead}")
        lost = [name for name in self._names(node) if name.rpartition(".")[0] in MODULES]
        if lost and not old_target(set(lost)):
            self._say(node, f"{lost[0].rpartition('.')[2]} has no counterpart: see docs/migrating.md")

    def leave_Attribute(  # noqa: N802 - as above
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        """Change ``module.Name``."""
        target = old_target(self._names(original_node))
        if target is None:
            return updated_node
        renamed = updated_node.with_changes(attr=cst.Name(target.name))
        by_path = cst.Module([]).code_for_node(original_node.value) in MODULES
        return renamed.with_changes(value=cst.Name(PACKAGE)) if by_path else renamed

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:  # noqa: N802 - as above
        """Change a name that was imported, unless ``as`` gave it."""
        if original_node.value in self._local:
            return updated_node
        target = old_target(self._names(original_node))
        if target is None or self._keeps_old_name(target):
            return updated_node
        return updated_node.with_changes(value=target.name)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:  # noqa: N802 - as above
        """Change the arguments of a task or a hook."""
        names = self._names(_class_of(original_node))
        cls, target = new_name(names), old_target(names)
        if cls is None:
            return updated_node
        for words in arguments.remarks(original_node.args, cls):
            self._say(original_node, words)
        if target is None:
            return updated_node  # it was written for this package: a positional argument means another thing
        adds = target.deferrable and not _is_expansion(original_node)
        return updated_node.with_changes(args=arguments.changed(updated_node.args, cls, deferrable=adds))

    # --- What only a person can change

    def visit_ClassDef(self, node: cst.ClassDef) -> None:  # noqa: N802 - as above
        """Name the classes that derive from one of these."""
        for base in node.bases:
            if (cls := new_name(self._names(base.value))) in _DERIVED:
                self._say(node, f"{node.name.value} derives from {cls}, which works differently: check its methods")

    def visit_DictElement(self, node: cst.DictElement) -> None:  # noqa: N802 - as above
        """Name arguments in ``default_args``, ``hook_params`` and the like, which are not changed."""
        name = node.key.evaluated_value if isinstance(node.key, cst.SimpleString) else None
        value = cst.Module([]).code_for_node(node.value)
        if isinstance(name, str) and name in INSTEAD and value not in ("False", "None"):
            self._say(node, f"{name} is not taken: {INSTEAD[name]}")
        elif name == "retry_from_failure" and value != "True":
            self._say(node, "retry_from_failure=False needs policy=None: leave it out to heal")

    def visit_SimpleString(self, node: cst.SimpleString) -> None:  # noqa: N802 - as above
        """Name texts that hold an old path or class, as in a test's ``mock.patch``."""
        text = node.evaluated_value
        if isinstance(text, str) and (_OLD_PATH.fullmatch(text) or text in OLD_NAMES):
            self._say(node, f"the text {text!r} names the official provider")


def _class_of(call: cst.Call) -> cst.BaseExpression:
    """Return the class that a call, or a chain of ``partial`` and ``expand``, makes tasks of."""
    func: cst.BaseExpression = call.func
    while isinstance(func, cst.Attribute) and func.attr.value in _MAPPED:
        func = func.value.func if isinstance(func.value, cst.Call) else func.value
    return func


def _is_expansion(call: cst.Call) -> bool:
    return isinstance(call.func, cst.Attribute) and call.func.attr.value in ("expand", "expand_kwargs")
