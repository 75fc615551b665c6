"""How a condition, a stop or a wait is written: in Python, as plain data, and in the JSON Schema.

In data a call is a mapping with one key: ``{wait_fixed: 300}``, ``{node: {resource_type: test, tag: nightly}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.core.messages import shown, unknown
from airflow_dbt_rerun.core.policy.arguments import Value

Arguments = Mapping[str, Any]
"""The arguments of one call by name; those not given are absent."""


@dataclass(frozen=True)
class Call:
    """The arguments that a condition, stop or wait takes, and how they are written.

    :param positional: the arguments that are written without their names. A single one may also stand alone in
        data.
    :param named: the arguments that may be written with their names; by default all.
    :param spread: whether the one positional argument collects several values: ``any_node('a', 'b')``.
    :param needs: the least number of arguments.
    """

    name: str
    takes: Mapping[str, Value]
    positional: tuple[str, ...] = ()
    named: tuple[str, ...] | None = None
    spread: bool = False
    needs: int = 0

    @property
    def alone(self) -> str | None:
        """The argument that may be given without its name."""
        return self.positional[0] if len(self.positional) == 1 else None

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments that may be given by name."""
        if self.named is not None:
            return self.named
        return () if self.spread else tuple(self.takes)

    def check(self, arguments: Arguments, where: str = "") -> dict[str, Any]:
        """Check the arguments and return them in normalised form.

        :param where: the place of the call for error messages, if its name alone is not enough.
        :raises TypeError: if an argument has the wrong type; the message names it and what it takes.
        :raises ValueError: if a value is not allowed; the message is of the same form.
        """
        if len(arguments) < self.needs:
            raise ValueError(f"{self.name}() needs {self._choice}")
        place = f"{where}: {self.name}" if where else self.name
        return {
            name: self.takes[name].check(f"{place}({name}=...)" if name in self.names else f"{place}()", value)
            for name, value in arguments.items()
        }

    def written(self, arguments: Arguments) -> str:
        """Return the call as it is written in Python."""
        shown_alone = [_python(arguments[name]) for name in self.positional if name in arguments]
        if self.spread:
            shown_alone = [_python(each) for each in arguments[self.positional[0]]]
        by_name = [f"{name}={_python(arguments[name])}" for name in arguments if name not in self.positional]
        return f"{self.name}({', '.join(shown_alone + by_name)})"

    def read(self, data: object, where: str) -> dict[str, Any]:
        """Read the arguments of a call that was written as data.

        :raises TypeError: if something has the wrong type; the message names the place and what it takes.
        :raises ValueError: if a name or value is not allowed; the message is of the same form.
        """
        if not isinstance(data, Mapping):
            if self.alone is None:
                raise TypeError(f"{where} takes a mapping of {', '.join(self.names)}, not {shown(data)}")
            return {self.alone: self.takes[self.alone].check(where, data)}
        if not self.names:
            raise TypeError(f"{where} takes one value or a list, not {shown(data)}")
        for name in data:
            if name not in self.names:
                raise ValueError(f"{where}: {unknown('argument', name, self.names)}")
        if len(data) < self.needs:
            raise ValueError(f"{where} needs {self._choice}")
        return {name: self.takes[name].check(f"{where}.{name}", value) for name, value in data.items()}

    def data(self, arguments: Arguments) -> Any:
        """Return the call as data."""
        if not self.takes:
            return self.name
        if set(arguments) == {self.alone}:
            return {self.name: _plain(arguments[self.positional[0]])}
        return {self.name: {name: _plain(value) for name, value in arguments.items()}}

    def schema(self, name: str = "") -> dict[str, Any]:
        """Return the JSON Schema of the call as data.

        :param name: another name for the call.
        """
        if not self.takes:
            return {"const": self.name}
        forms = [] if self.alone is None else [self.takes[self.alone].schema()]
        if self.names:
            properties = {name: self.takes[name].schema() for name in self.names}
            forms.append(closed_object(properties, minProperties=self.needs))
        value = forms[0] if len(forms) == 1 else {"anyOf": forms}
        return closed_object({name or self.name: value}, required=[name or self.name])

    @property
    def _choice(self) -> str:
        return self.names[0] if len(self.names) == 1 else f"at least one of {', '.join(self.takes)}"


def closed_object(properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the JSON Schema of a mapping with these keys and no others."""
    return {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}


def _python(value: object) -> str:
    """Return a value as it is written in Python; an enum member as its word."""
    if isinstance(value, tuple):
        return _python(value[0]) if len(value) == 1 else f"[{', '.join(_python(each) for each in value)}]"
    return repr(str(value)) if isinstance(value, str) else repr(value)


def _plain(value: object) -> Any:
    """Return a value as JSON; a tuple with one element as that element."""
    if isinstance(value, tuple):
        return _plain(value[0]) if len(value) == 1 else [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value
