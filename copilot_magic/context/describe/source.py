"""Functions, classes and modules: their source, or what is known about them without it."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import linecache
import types
from typing import Any

from ...text import count_of, one_line
from .description import BUDGET, LONG_BUDGET, Description, cut_middle, readable
from .foreign import Unanswered, is_a, is_kind, namespace, type_name
from .printer import Printer
from .userfiles import is_cell

__all__ = ["describe_source", "is_source", "source_of"]

_FUNCTIONS = (
    *(types.FunctionType, types.MethodType, types.BuiltinFunctionType),
    *(types.WrapperDescriptorType, types.MethodWrapperType, types.MethodDescriptorType),
    *(types.ClassMethodDescriptorType, functools.partial, type(functools.lru_cache(len))),
    *(staticmethod, classmethod, property, functools.cached_property),
)
_NAMES = 100  # most public names of a module
_DOC = 1_000


def is_source(value: object) -> bool:
    """Say whether the object is a function, a class or a module."""
    return is_kind(value, (*_FUNCTIONS, type, types.ModuleType)) or is_a(value, "numpy", "ufunc")


def describe_source(value: Any, budget: int | None, printer: Printer) -> Description:
    """Describe a function, a class or a module."""
    if is_kind(value, types.ModuleType):
        return _module(value, BUDGET if budget is None else budget)
    budget = LONG_BUDGET if budget is None else budget
    is_class = is_kind(value, type)
    kind = f"{'class' if is_class else _function_kind(value)} {_name(value)}".rstrip()
    head = ""
    if is_kind(value, types.MethodType):
        head = f"# bound to: {printer.brief(value.__self__, 100)}\n"
    elif is_kind(value, functools.partial):
        head = f"# {_partial(value, printer)}\n"
    try:
        source = printer.patience.ask(lambda: source_of(value), "its source")
    except Unanswered:
        source = ""
    if source and (len(source) + len(head) <= budget or not is_class):
        text, left_out = cut_middle(readable(head + source), budget)
        return Description(kind, text, left_out, "python")
    outline = _class_outline(value) if is_class else _signature(value)
    text, left_out = cut_middle(readable(head + outline), budget)
    if source:
        left_out = f"all but an outline of {count_of(len(source), 'character')} left out"
    return Description(kind, text, left_out, "python")


def source_of(value: Any) -> str:
    """Return the source of a function or a class, also of one defined in a notebook; or ""."""
    if is_kind(value, (property, functools.cached_property)):
        value = value.fget if is_kind(value, property) else value.func
    while is_kind(value, functools.partial):
        value = value.func
    try:
        if is_kind(value, type):
            return _class_source(value)
        return _dedented(inspect.getsource(value))
    except (OSError, TypeError, ValueError, SyntaxError, IndexError):
        return ""


def _dedented(source: str) -> str:
    import textwrap

    return textwrap.dedent(source).strip("\n")


def _class_source(cls: type) -> str:
    """Return the source of a class.

    A class of a notebook has no file, but its methods know the cell; a class without methods is
    searched in the cells, from the latest one on.
    """
    found = _class_in_cells(cls) if namespace(cls).get("__module__") == "__main__" else ""
    return found or _dedented(inspect.getsource(cls))


def _class_in_cells(cls: type) -> str:
    name = type.__dict__["__qualname__"].__get__(cls)
    codes = [m.__code__ for m in namespace(cls).values() if type(m) is types.FunctionType]
    # Methods that a decorator made, such as those of a dataclass, are elsewhere or in no file.
    lines = {(c.co_filename, c.co_firstlineno) for c in codes if is_cell(c.co_filename)}
    cells = [file for file in reversed(list(linecache.cache)) if is_cell(file)]
    for file in [*(file for file, _ in lines), *cells]:
        own = {line for other, line in lines if other == file}
        if (own or not lines) and (found := _class_in(linecache.getlines(file), name, own)):
            return found
    return ""


def _class_in(lines: list[str], name: str, own: set[int]) -> str:
    """Return the last class of that name in a source that has these lines, if any are known."""
    source = "".join(lines)
    last = name.rpartition(".")[2]
    if f"class {last}" not in source:
        return ""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):  # such as a cell with a magic in it
        return ""
    found = ""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == last:
            start = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            end = node.end_lineno or start
            if not own or any(start <= line <= end for line in own):
                found = _dedented("".join(lines[start - 1 : end]))
    return found


def _name(value: Any) -> str:
    if is_kind(value, type):  # not by its metaclass, which may do as it likes
        found = type.__dict__["__qualname__"].__get__(value)
    else:
        found = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    return one_line(found.rpartition("<locals>.")[2], 100) if type(found) is str else ""


def _function_kind(value: Any) -> str:
    if is_kind(value, (property, functools.cached_property)):
        return "property"
    if is_kind(value, types.MethodType):
        return "method"
    if is_kind(value, functools.partial):
        return "partial function"
    if is_a(value, "numpy", "ufunc"):
        return "NumPy function"
    if is_kind(value, types.FunctionType) or hasattr(value, "__wrapped__"):
        return "function"
    return "built-in function"


def _partial(value: Any, printer: Printer) -> str:
    given = [printer.brief(each, 60) for each in value.args[:10]]
    for key, each in list(value.keywords.items())[:10]:
        given.append(f"{key}={printer.brief(each, 60, printer.named(key))}")
    return (
        f"{_name(value.func) or type_name(value.func)} with {', '.join(given) or 'nothing'} given"
    )


def _signature(value: Any) -> str:
    """Return the signature of something callable and the beginning of its documentation."""
    try:
        signature = one_line(str(inspect.signature(value)), 500)
    except (TypeError, ValueError):
        signature = "(...)"
    return f"def {_name(value)}{signature}:\n{_doc(value)}    ..."


def _doc(value: Any) -> str:
    is_class = is_kind(value, type)
    doc = namespace(value).get("__doc__") if is_class else getattr(value, "__doc__", None)
    if type(doc) is not str or not doc.strip():
        return ""
    text = inspect.cleandoc(doc)
    if len(text) > _DOC:  # the beginning says what it is for
        text = text[: text.rfind("\n", 0, _DOC) + 1 or _DOC].rstrip() + "\n…"
    text = text.replace("\n", "\n    ").replace("\n    \n", "\n\n")
    return f'    """{text}"""\n'


def _class_outline(cls: Any) -> str:
    """Return a class without the bodies of its methods."""
    bases = ", ".join(
        _name(base) for base in type.__dict__["__bases__"].__get__(cls) if base is not object
    )
    lines = [f"class {_name(cls)}{f'({bases})' if bases else ''}:", _doc(cls).rstrip("\n")]
    methods = others = 0
    for name, member in list(namespace(cls).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if is_kind(member, (staticmethod, classmethod)):
            lines.append(f"    @{type_name(member)}")
            member = member.__func__
        if is_kind(member, (*_FUNCTIONS, property)):
            lines.append(f"    {_member(name, member)}")
            methods += 1
        elif not is_kind(member, types.GetSetDescriptorType):
            lines.append(f"    {name}: {type_name(member)}")
            others += 1
    if not methods + others:
        lines.append("    ...")
    return "\n".join(line for line in lines if line)


def _member(name: str, member: Any) -> str:
    if is_kind(member, (property, functools.cached_property)):
        return f"{name}: property"
    try:
        signature = one_line(str(inspect.signature(member)), 200)
    except (TypeError, ValueError):
        signature = "(...)"
    return f"def {name}{signature}: ..."


def _module(value: Any, budget: int) -> Description:
    """Describe a module by its own names; one that loads lazily loads nothing for this."""
    names: dict[str, Any] = dict(types.ModuleType.__getattribute__(value, "__dict__"))
    own = names.get("__name__") if type(names.get("__name__")) is str else type_name(value)
    version = names.get("__version__")
    kind = f"module {one_line(str(own), 100)}"
    lines = [kind]
    if type(version) is str:
        lines.append(f"version: {one_line(version, 60)}")
    if type(names.get("__doc__")) is str and names["__doc__"].strip():
        lines.append(f"about: {one_line(names['__doc__'].strip().splitlines()[0])}")
    groups: dict[str, list[str]] = {"classes": [], "functions": [], "modules": [], "others": []}
    listed = names.get("__all__")
    public = list(names)
    if isinstance(listed, (list, tuple)):
        public = [name for name in listed if type(name) is str]
    for name in itertools.islice(public, 5_000):
        if not name.startswith("_"):
            groups[_group(names.get(name))].append(name)
    for title, members in groups.items():
        if members:
            more = f", … {len(members) - _NAMES:,} more" if len(members) > _NAMES else ""
            lines.append(f"{title}: {', '.join(members[:_NAMES])}{more}")
    text, left_out = cut_middle(readable("\n".join(lines)), budget)
    return Description(kind, text, left_out)


def _group(value: object) -> str:
    if is_kind(value, type):
        return "classes"
    if is_kind(value, types.ModuleType):
        return "modules"
    return "functions" if is_kind(value, _FUNCTIONS) or is_source(value) else "others"
