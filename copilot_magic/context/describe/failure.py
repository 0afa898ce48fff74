"""Exceptions: what happened, and where in the user's own code."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ...text import count_of
from .description import BUDGET, Description, cut_middle, readable
from .foreign import Patience, Unanswered, full_type_name, is_a, is_kind, type_name
from .printer import Printer
from .userfiles import file_label, is_users, library_of

__all__ = ["describe_failure", "is_failure", "user_traceback"]

_CHAIN = 6  # most causes
_FRAMES = 16  # most frames of the user's in one traceback
_MEMBERS = 8  # most exceptions of a group
_MESSAGE = 3_000
_LONG = 100_000  # characters of a message that are looked at
_BEFORE, _AFTER = 3, 1  # lines around the one that failed

_CAUSE = "The exception above was the direct cause of this one:"
_CONTEXT = "While the exception above was handled, this one occurred:"
# What runs a cell; a user knows that a cell was run.
_MACHINERY = ("IPython", "ipykernel", "asyncio", "tornado", "traitlets", "copilot_magic")


@dataclass(frozen=True)
class _Frame:
    file: str
    line: int
    function: str
    library: str  # empty for the user's


def is_failure(value: object) -> bool:
    """Say whether the object is an exception."""
    return is_kind(value, BaseException)


def describe_failure(value: Any, budget: int | None, printer: Printer) -> Description:
    """Describe an exception by its traceback."""
    budget = BUDGET if budget is None else budget
    whole = _whole(value, printer.patience)
    text, left_out = cut_middle(whole, budget)
    return Description(f"exception {type_name(value)}", text, left_out)


def user_traceback(error: BaseException, budget: int = BUDGET) -> str:
    """Return a traceback cut to the user's frames, with the causes of the error.

    Frames of libraries are counted, and the last of them, which raised, is named.
    """
    try:
        return cut_middle(_whole(error, Patience()), budget)[0]
    except Exception:  # an error may be hostile in ways nobody thought of  # noqa: BLE001
        return type_name(error)


def _whole(error: BaseException, patience: Patience) -> str:
    return readable("\n".join(_chain(error, patience)))


def _chain(error: BaseException, patience: Patience, depth: int = 0) -> list[str]:
    """Return the lines of an error and its causes, the first cause first."""
    links: list[tuple[BaseException, str]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    link = ""
    while current is not None and id(current) not in seen and len(links) < _CHAIN:
        seen.add(id(current))
        links.append((current, link))
        current, link = _cause(current)
    lines: list[str] = []
    heads = [_headline(each, patience) for each, _ in links]
    for index in reversed(range(len(links))):
        each, link = links[index]
        frames = list(_frames(each))
        is_syntax = is_kind(each, SyntaxError)
        if is_syntax and all(frame.library for frame in frames):
            frames = []  # of the one who read the source
        # A library that raises its own error again says it twice.
        is_repeated = index > 0 and heads[index] == heads[index - 1]
        if is_repeated and not any(not frame.library for frame in frames):
            continue
        lines += _traceback(frames)
        lines += _syntax(each) if is_syntax else []
        lines += [heads[index], *_notes(each, patience), *_members(each, patience, depth)]
        if index:
            lines += ["", link, ""]
    return lines


def _cause(error: BaseException) -> tuple[BaseException | None, str]:
    cause = BaseException.__dict__["__cause__"].__get__(error)
    if cause is not None:
        return cause, _CAUSE
    if BaseException.__dict__["__suppress_context__"].__get__(error):
        return None, ""
    return BaseException.__dict__["__context__"].__get__(error), _CONTEXT


def _headline(error: BaseException, patience: Patience) -> str:
    name = full_type_name(error)
    if is_kind(error, SyntaxError) and type(error.args) is tuple and error.args:
        said = error.args[0] if type(error.args[0]) is str else ""
    else:
        try:
            said = patience.ask(lambda: str.__getitem__(str(error), slice(_LONG)), "its text")
        except Unanswered as reason:
            said = f"({reason})"
    message, _ = cut_middle(said, _MESSAGE)
    return f"{name}: {message}" if message else name


def _notes(error: BaseException, patience: Patience) -> list[str]:
    try:
        notes = patience.ask(lambda: getattr(error, "__notes__", ()), "its notes")
    except Unanswered:
        return []
    if not is_kind(notes, (list, tuple)):
        return []
    return [cut_middle(str(note), 500)[0] for note in notes[:5] if type(note) is str]


def _members(error: BaseException, patience: Patience, depth: int) -> list[str]:
    """Return the exceptions of a group, indented."""
    groups = ("builtins", "exceptiongroup")  # before Python 3.11 a package has them
    is_group = any(is_a(error, module, "BaseExceptionGroup") for module in groups)
    members = getattr(error, "exceptions", None) if is_group else None
    if type(members) is not tuple or not members:
        return []
    if depth > 2:
        return [f"  ({count_of(len(members), 'exception')} inside)"]
    lines: list[str] = []
    for number, member in enumerate(members[:_MEMBERS], 1):
        if is_kind(member, BaseException):
            lines.append(f"  {number}. of {count_of(len(members), 'exception')}:")
            inner = "\n".join(_chain(member, patience, depth + 1))
            lines += [f"    {line}" for line in inner.split("\n")]
    if len(members) > _MEMBERS:
        lines.append(f"  … {count_of(len(members) - _MEMBERS, 'more exception')} …")
    return lines


def _frames(error: BaseException) -> Iterator[_Frame]:
    tb: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    while tb is not None:
        code = tb.tb_frame.f_code
        module = tb.tb_frame.f_globals.get("__name__", "")
        module = module if type(module) is str else ""
        file = code.co_filename
        library = "" if is_users(file, module) else library_of(file, module)
        yield _Frame(file, tb.tb_lineno or 0, code.co_name, library)
        tb = tb.tb_next


def _traceback(frames: list[_Frame]) -> list[str]:
    """Return the lines of a traceback; runs of a library's frames are counted."""
    first = next((i for i, frame in enumerate(frames) if frame.library not in _MACHINERY), 0)
    runs = _runs(frames[first:])
    if not runs:
        return []
    lines = ["Traceback, the most recent call last:"]
    own = [index for index, (frame, _) in enumerate(runs) if not frame.library]
    shown = set(own[: _FRAMES // 4] + own[len(own) - min(len(own), _FRAMES * 3 // 4) :])
    skipped = 0
    for index, (frame, run) in enumerate(runs):
        if frame.library:
            lines.append(_left_out(run))
            continue
        if index not in shown:
            skipped += len(run)
            continue
        if skipped:
            lines.append(f"… {count_of(skipped, 'frame')} of your code left out …")
            skipped = 0
        lines += _frame_lines(frame)
        if len(run) > 1:
            lines.append(f"… the frame above {len(run) - 1:,} more times …")
    return lines


def _runs(frames: list[_Frame]) -> list[tuple[_Frame, list[_Frame]]]:
    """Return frames in runs: those of libraries, and repetitions of one line of the user's."""
    runs: list[tuple[_Frame, list[_Frame]]] = []
    for frame in frames:
        if runs and (frame == runs[-1][0] or (frame.library and runs[-1][0].library)):
            runs[-1][1].append(frame)
        else:
            runs.append((frame, [frame]))
    return runs


def _left_out(run: list[_Frame]) -> str:
    names = list(dict.fromkeys(frame.library for frame in run))
    of = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
    last = run[-1]
    where = f"{last.function} ({file_label(last.file)}, line {last.line})"
    the_last = f"in {where}" if len(run) == 1 else f"the last in {where}"
    return f"… {count_of(len(run), 'frame')} of {of} left out, {the_last} …"


def _frame_lines(frame: _Frame) -> list[str]:
    lines = [f"{file_label(frame.file)}, line {frame.line}, in {frame.function}"]
    for number in range(max(frame.line - _BEFORE, 1), frame.line + _AFTER + 1):
        source = _source_line(frame.file, number)
        if source or number == frame.line:
            mark = "-->" if number == frame.line else "   "
            lines.append(f"{mark} {number:>4} {one_line_of_code(source)}".rstrip())
    return lines


def _source_line(file: str, number: int) -> str:
    try:
        return linecache.getline(file, number).rstrip("\n")
    except Exception:  # noqa: BLE001  # the file may be anything by now
        return ""


def one_line_of_code(source: str) -> str:
    """Return a line of code with its indentation, cut if it is very long."""
    return source if len(source) <= 200 else f"{source[:199]}…"


def _syntax(error: Any) -> list[str]:
    """Return the line that Python could not read, with a caret below the place."""
    names = ("filename", "lineno", "offset", "text", "end_lineno", "end_offset")
    file, line, offset, text, _, end = (getattr(error, name, None) for name in names)
    lines = []
    if type(line) is int:
        lines.append(f"{file_label(file if type(file) is str else '')}, line {line}")
    if type(text) is not str and type(file) is str and type(line) is int:
        text = _source_line(file, line)
    if type(text) is not str or not text.strip():
        return lines
    source = text.split("\n")[0].rstrip()
    lines.append(f"    {one_line_of_code(source)}")
    if type(offset) is int and 0 < offset <= 200:
        offset = min(offset, len(source) + 1)
        width = end - offset if type(end) is int and offset < end <= len(source) + 1 else 1
        before = "".join(c if c == "\t" else " " for c in source[: offset - 1])
        lines.append(f"    {before}{'^' * width}")
    return lines
