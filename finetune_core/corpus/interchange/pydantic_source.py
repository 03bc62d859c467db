"""Pydantic classes in Python source, read without running a line of it.

The source is parsed, what a schema depends on is checked against a short list of what is known, and pydantic makes the
schemas from the types found. Anything else is refused with its line, never guessed.
"""

import ast
import datetime
import enum
import inspect
import typing
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, create_model

from finetune_core.errors import DatasetError
from finetune_core.records import Tool

MAX_CHARS = 200_000
COMMAND = 'python -c "import json, MODULE; print(json.dumps(MODULE.CLASS.model_json_schema()))"'
"""Prints the JSON Schema of any pydantic class where its code may run."""

_TYPES: dict[str, Any] = {
    "str": str, "int": int, "float": float, "bool": bool, "Any": Any, "list": list, "List": list, "dict": dict,
    "Dict": dict, "date": datetime.date, "datetime": datetime.datetime, "time": datetime.time,
}  # fmt: skip
_GENERIC: dict[str, Any] = {
    "list": list, "List": list, "Sequence": list, "set": set, "Set": set, "dict": dict, "Dict": dict,
    "Optional": typing.Optional, "Union": typing.Union,
}  # fmt: skip
_ENUMS: dict[frozenset[str], type[enum.Enum]] = {
    frozenset({"Enum"}): enum.Enum, frozenset({"StrEnum"}): enum.StrEnum, frozenset({"str", "Enum"}): enum.StrEnum,
    frozenset({"IntEnum"}): enum.IntEnum, frozenset({"int", "Enum"}): enum.IntEnum,
}  # fmt: skip
_CONSTRAINTS = frozenset({
    "default", "description", "title", "ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern",
    "examples",
})  # fmt: skip
_CONFIG = frozenset({"extra", "title", "str_strip_whitespace", "strict", "frozen", "use_enum_values"})


def tools_in(source: str, where: str) -> list[Tool]:
    """A function for each pydantic class that no other class is made of, named and described as the class is.

    Known are classes of `BaseModel` or of each other with fields of str, int, float, bool, dates, list, set, dict, Literal,
    Optional, Union, Any, enums and other such classes, with plain defaults or `Field(…)`. Methods change no schema and are
    passed over. Raises DatasetError that names the line of anything else.
    """
    if len(source) > MAX_CHARS:
        raise DatasetError(
            f"{where} has {len(source):,} characters; at most {MAX_CHARS:,} are read.", hint="Leave the classes alone."
        )
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise DatasetError(f"{where} is neither JSON nor Python: {error}.", hint="Correct it.") from error
    return _Reader(tree, where).tools()


class _Reader:
    """One source; classes and aliases become types when they are first needed."""

    def __init__(self, tree: ast.Module, where: str) -> None:
        self._where = where
        self._classes: dict[str, ast.ClassDef] = {}
        self._aliases: dict[str, ast.expr] = {}
        self._made: dict[str, Any] = {}
        self._making: list[str] = []
        self._used: set[str] = set()
        for node in tree.body:
            self._place(node)

    def tools(self) -> list[Tool]:
        """The functions, in the order of the source."""
        types = {name: self._named(name, node) for name, node in self._classes.items()}
        models = {name: made for name, made in types.items() if issubclass(made, BaseModel)}
        if not models:
            raise DatasetError(f"{self._where} has no pydantic class.", hint="Write one: class Order(BaseModel): …")
        return [
            {"type": "function", "function": self._function(name, made)}
            for name, made in models.items()
            if name not in self._used
        ]

    def _function(self, name: str, made: type[BaseModel]) -> Mapping[str, Any]:
        schema = self._by_pydantic(self._classes[name], made.model_json_schema)
        return {"name": name, "description": str(schema.pop("description", "")), "parameters": schema}

    def _place(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_text(node):
            return
        if isinstance(node, ast.ClassDef) and not node.decorator_list and not node.keywords:
            self._classes[node.name] = node
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            self._aliases[node.targets[0].id] = node.value
        else:
            self._refuse(node, "only imports, classes and names for types can be read")

    def _named(self, name: str, node: ast.AST) -> Any:
        """The type that a name stands for."""
        if name in self._made:
            return self._made[name]
        if name in self._making:
            self._refuse(node, f"{name} is made of itself")
        if name not in self._classes and name not in self._aliases:
            if name in _TYPES:
                return _TYPES[name]
            self._refuse(node, f"{name} is not known")
        self._making.append(name)
        if name in self._classes:
            self._made[name] = self._class(self._classes[name])
        else:
            self._made[name] = self._type(self._aliases[name])
        self._making.pop()
        return self._made[name]

    def _class(self, node: ast.ClassDef) -> Any:
        bases = [self._word(base) for base in node.bases]
        if kind := _ENUMS.get(frozenset(bases)):
            return self._enum(node, kind)
        if len(bases) != 1 or (bases[0] != "BaseModel" and bases[0] not in self._classes):
            self._refuse(node, f"{node.name} is no class of BaseModel alone")
        base = BaseModel
        if bases[0] != "BaseModel":
            base = self._named(bases[0], node)
            self._used.add(bases[0])
            if not issubclass(base, BaseModel):
                self._refuse(node, f"{bases[0]} is no pydantic class")
        fields: dict[str, Any] = {}
        config: dict[str, Any] = {}
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                fields[part.target.id] = self._field(part, part.target.id)
            elif isinstance(part, ast.Assign) and [self._word(one) for one in part.targets] == ["model_config"]:
                config = self._keywords(part.value, "ConfigDict", _CONFIG)
            elif not _is_passed_over(part):
                self._refuse(part, "only fields, model_config and methods can stand in a class")
        if config and base is not BaseModel:
            self._refuse(node, "model_config can only be read in a class of BaseModel itself")
        options: dict[str, Any] = {"__config__": ConfigDict(**config)} if config else {"__base__": base}  # type: ignore[typeddict-item]
        return self._by_pydantic(
            node, lambda: create_model(node.name, __doc__=_doc(node), __module__=__name__, **options, **fields)
        )

    def _enum(self, node: ast.ClassDef, kind: type[enum.Enum]) -> Any:
        members: dict[str, Any] = {}
        for part in node.body:
            if isinstance(part, ast.Assign) and len(part.targets) == 1:
                members[self._word(part.targets[0])] = self._value(part.value)
            elif not _is_passed_over(part):
                self._refuse(part, "an enum has members with plain values")
        made = self._by_pydantic(
            node,
            lambda: kind(node.name, members),  # type: ignore[call-arg]
        )
        made.__doc__ = _doc(node)
        return made

    def _field(self, node: ast.AnnAssign, name: str) -> Any:
        if name.startswith("_"):
            self._refuse(node, f"the field {name} starts with _")
        found = self._type(node.annotation)
        if node.value is None:
            return (found, ...)
        if isinstance(node.value, ast.Call):
            return (found, self._info(node.value))
        return (found, self._default(node.value))

    def _info(self, node: ast.Call) -> Any:
        """What `Field(…)` says."""
        options = self._keywords(node, "Field", _CONSTRAINTS, {"default_factory"})
        if node.args:
            options["default"] = self._default(node.args[0])
        if "default" not in options and "default_factory" not in options:
            return self._by_pydantic(node, lambda: Field(**options))
        default = options.pop("default", None)
        if factory := options.pop("default_factory", None):
            return self._by_pydantic(node, lambda: Field(default_factory=factory, **options))
        return self._by_pydantic(node, lambda: Field(default, **options))

    def _keywords(
        self, node: ast.expr, name: str, known: frozenset[str], factories: set[str] | frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        if not isinstance(node, ast.Call) or self._word(node.func) != name:
            self._refuse(node, f"only {name}(…) can stand here")
        found: dict[str, Any] = {}
        for one in node.keywords:
            factory = one.value.id if isinstance(one.value, ast.Name) else ""
            if one.arg is not None and one.arg in factories and factory in ("list", "dict", "set"):
                found[one.arg] = _GENERIC[factory]
            elif one.arg is not None and one.arg in known:
                found[one.arg] = self._default(one.value) if one.arg == "default" else self._value(one.value)
            else:
                self._refuse(node, f"{name}({one.arg}=…) is not known")
        return found

    def _type(self, node: ast.expr) -> Any:
        """The type that an annotation says."""
        if isinstance(node, ast.Constant) and node.value is None:
            return None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._type(self._parsed(node.value, node))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return typing.Union[self._type(node.left), self._type(node.right)]  # noqa: UP007 - made while running
        if not isinstance(node, ast.Subscript):
            name = self._word(node)
            if name in self._classes:
                self._used.add(name)
            return self._named(name, node)
        name = self._word(node.value)
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name == "Literal":
            return typing.Literal[tuple(self._value(one) for one in inner)]
        if name == "Annotated" and len(inner) == 2 and isinstance(inner[1], ast.Call):
            return typing.Annotated[self._type(inner[0]), self._info(inner[1])]
        if name not in _GENERIC:
            self._refuse(node, f"{name}[…] is not known")
        kinds = tuple(self._type(one) for one in inner)
        return self._by_pydantic(node, lambda: _GENERIC[name][kinds if len(kinds) > 1 else kinds[0]])

    def _parsed(self, text: str, node: ast.AST) -> ast.expr:
        try:
            body = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self._refuse(node, f"{text[:60]!r} is no type")
        for part in ast.walk(body):
            ast.copy_location(part, node)
        return body

    def _default(self, node: ast.expr) -> Any:
        """A default: a plain value, or a member of an enum of the source."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in self._classes:
            kind = self._named(node.value.id, node)
            if isinstance(kind, enum.EnumMeta) and node.attr in kind.__members__:
                return kind[node.attr]
        return self._value(node)

    def _value(self, node: ast.expr) -> Any:
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            self._refuse(node, "this is no plain value")

    def _word(self, node: ast.expr) -> str:
        """A name, or the last part of a dotted one, as in `typing.Optional`."""
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id not in self._classes:
            return node.attr
        self._refuse(node, "a name was expected")

    def _by_pydantic(self, node: ast.AST, make: Callable[[], Any]) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of names that pydantic's own methods have too
                return make()
        except Exception as error:  # whatever pydantic and enum think of a stranger's class
            self._refuse(node, " ".join(str(error).split())[:200])

    def _refuse(self, node: ast.AST, why: str) -> NoReturn:
        line = getattr(node, "lineno", 1)
        raise DatasetError(
            f"{self._where}, line {line}: {why}.",
            hint=f"The code is read, never run. Where it may run, this prints a JSON Schema to paste instead: {COMMAND}",
        )


def _doc(node: ast.ClassDef) -> str | None:
    text = ast.get_docstring(node)
    return inspect.cleandoc(text) if text else None


def _is_text(node: ast.stmt) -> bool:
    """A docstring, or a text or dots that stand alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_passed_over(node: ast.stmt) -> bool:
    """What changes no schema: texts, `pass`, and methods that do not say how a schema is made."""
    is_method = isinstance(node, ast.FunctionDef) and not node.name.startswith("__get_pydantic")
    return _is_text(node) or isinstance(node, ast.Pass) or is_method
