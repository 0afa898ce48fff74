"""What an object was like when it went into a prompt, so that a later change is noticed.

A fingerprint is a small dict that JSON can hold. Making one costs the same for any size of object.
"""

from __future__ import annotations

import hashlib
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

from ..text import count_of, one_line
from .describe.columns import positions
from .describe.elements import length_of
from .describe.foreign import Patience, is_a, is_kind, type_name
from .describe.outline import is_array_like, is_frame, is_labelled
from .describe.plain import is_plain
from .describe.printer import Printer
from .describe.source import is_source, source_of

__all__ = ["changes", "fingerprint"]

_COLUMNS = 60  # named in a fingerprint; of further ones there is a hash
_SAMPLED_COLUMNS = 20
_ROWS = 60
_CONTAINERS = (list, tuple, dict, deque)
_PIECE = 500  # characters of one sample of a text
_NAMED = 5  # columns that are named in a change


def fingerprint(value: object) -> dict[str, Any]:
    """Return the fingerprint of an object; empty if changes to it cannot be noticed."""
    patience = Patience(together=2.0)
    try:
        return patience.ask(lambda: _fingerprint(value, patience), "its values")
    except Exception:  # noqa: BLE001  # objects can fail in any way
        return {}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return in a few words what differs between two fingerprints; "" if nothing does.

    What only one of them says, such as one that another version made, does not count.
    """
    try:
        return _changes(before, now)
    except Exception:  # noqa: BLE001  # a stored fingerprint may be anything
        return ""


def _fingerprint(value: Any, patience: Patience) -> dict[str, Any]:
    if is_frame(value):
        return _of_frame(value, patience)
    if is_labelled(value):
        return {"type": _type(value), "shape": [[str(n), s] for n, s in value.sizes.items()][:20]}
    if is_array_like(value):
        return _of_array(value, patience)
    if is_source(value):
        source = "" if type(value).__name__ == "module" else source_of(value)
        return {"type": type_name(value), "source": _hash([source])} if source else {}
    if is_kind(value, (str, bytes, bytearray)):
        base: Any = next(b for b in (str, bytes, bytearray) if is_kind(value, b))
        size = base.__len__(value)
        starts = positions(max(size - _PIECE, 0) + 1, 20)
        pieces = [base.__getitem__(value, slice(start, start + _PIECE)) for start in starts]
        return {"type": _type(value), "length": size, "sample": _hash(map(repr, pieces))}
    if is_kind(value, (set, frozenset)):  # their order differs from process to process
        return {"type": _type(value), "length": length_of(value, patience)}
    if is_kind(value, _CONTAINERS):
        found = Printer(patience, is_stable=True).print(value, 3_000)
        return {
            "type": _type(value),
            "length": length_of(value, patience),
            "sample": _hash([found.text]),
        }
    if is_plain(value):
        text = Printer(patience, is_stable=True).print(value, 3_000).text
        found_value = {"value": text} if len(text) <= 40 else {"sample": _hash([text])}
        return {"type": _type(value), **found_value}
    return {}


def _of_frame(value: Any, patience: Patience) -> dict[str, Any]:
    printer = Printer(patience, is_stable=True)
    if is_a(value, "polars", "LazyFrame"):
        schema = list(value.collect_schema().items())
        return {"type": _type(value), **_columns([(str(n), str(t)) for n, t in schema])}
    is_pandas = is_a(value, "pandas", "DataFrame", "Series", "Index")
    found: dict[str, Any] = {"type": _type(value), "rows": len(value)}
    at = _sampled(len(value))
    if is_a(value, "pandas", "DataFrame"):
        count = len(value.columns)
        labels = [printer.brief(label, 60) for label in value.columns[:1_000].tolist()]
        kinds = [str(value.iloc[:, i].dtype) for i in range(min(count, _COLUMNS))]
        series = [value.iloc[:, i] for i in range(min(count, _SAMPLED_COLUMNS))]
    elif is_a(value, "polars", "DataFrame"):
        count = value.width
        labels = [repr(name) for name in value.columns[:1_000]]
        kinds = [str(value.to_series(i).dtype) for i in range(min(count, _COLUMNS))]
        series = [value.to_series(i) for i in range(min(count, _SAMPLED_COLUMNS))]
    else:
        count, labels, kinds, series = 0, [], [], [value]
        found["dtype"] = str(value.dtype)
    if count:
        kinds += [""] * (len(labels) - len(kinds))
        found |= _columns(list(zip(labels, kinds, strict=True)), count)
    cells = [_cells(each, at, printer, is_pandas) for each in series]
    if is_a(value, "pandas", "DataFrame", "Series"):
        cells.append(_cells(value.index, at, printer, is_pandas))
    return {**found, "sample": _hash(text for column in cells for text in column)}


def _columns(columns: list[tuple[str, str]], count: int | None = None) -> dict[str, Any]:
    named = [[one_line(name, 60), one_line(kind, 60)] for name, kind in columns[:_COLUMNS]]
    found: dict[str, Any] = {"columns": named, "column_count": count or len(columns)}
    if len(columns) > _COLUMNS:
        found["more_columns"] = _hash(name for name, _ in columns[_COLUMNS:])
    return found


def _cells(series: Any, at: list[int], printer: Printer, is_pandas: bool) -> list[str]:
    if is_pandas:
        values = (series.iloc[at] if hasattr(series, "iloc") else series[at]).tolist()
    else:
        values = [series[position] for position in at]
    return [_element(value, printer) for value in values]


def _of_array(value: Any, patience: Patience) -> dict[str, Any]:
    shape = [int(size) for size in value.shape]
    found = {"type": _type(value), "shape": shape, "dtype": one_line(str(value.dtype), 80)}
    if is_a(value, "numpy", "ndarray") and value.size:
        np: Any = sys.modules["numpy"]  # the array is one of its, so it is loaded

        at = np.unravel_index(np.asarray(_sampled(value.size)), shape) if shape else ()
        printer = Printer(patience, is_stable=True)
        sample = np.asarray(value)[at].tolist()
        sample = sample if isinstance(sample, list) else [sample]
        found["sample"] = _hash(_element(each, printer) for each in sample)
    return found


def _element(value: Any, printer: Printer) -> str:
    """Return a value as text that says the same in another process."""
    if is_plain(value):
        return printer.print(value, 500).text
    if is_a(value, "pandas", "Timestamp", "Timedelta", "Period", "Interval"):
        return repr(value)
    return type_name(value)


def _sampled(size: int) -> list[int]:
    """Return evenly spaced positions, and the first and last few."""
    ends = [*range(min(5, size)), *range(max(size - 5, 0), size)]
    return sorted({*ends, *positions(size, _ROWS)})


def _hash(texts: Any) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\x00")
    return digest.hexdigest()


def _type(value: object) -> str:
    for library in ("pandas", "polars", "numpy", "xarray"):
        if str(type(value).__module__).partition(".")[0] == library:
            return f"{library}.{type_name(value)}"
    return type_name(value)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if not before:
        return ""
    old, new = before.get("type"), now.get("type")
    if old and not now:
        return f"no {_short(old)} any more"
    if old != new and old and new:
        short = (_short(old), _short(new))
        return f"{old} → {new}" if short[0] == short[1] else " → ".join(short)
    found = _sizes(before, now)
    found += _column_changes(before, now)
    for key, words in (("dtype", "type"), ("value", "")):
        if key in before and key in now and before[key] != now[key]:
            found.append(f"{words}: {before[key]} → {now[key]}".removeprefix(": "))
    if not found and _differs("source", before, now):
        found.append("other source")
    if not found and _differs("sample", before, now):
        found.append("other values")
    return one_line("; ".join(found), 300)


def _short(name: Any) -> str:
    return str(name).rpartition(".")[2]


def _differs(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return key in before and key in now and before[key] != now[key]


def _sizes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = []
    if _differs("rows", before, now):
        found.append(f"{before['rows']:,} → {count_of(now['rows'], 'row')}")
    if _differs("length", before, now):
        found.append(f"length {before['length']:,} → {now['length']:,}")
    if _differs("shape", before, now):
        found.append(f"shape {_shape(before['shape'])} → {_shape(now['shape'])}")
    return found


def _shape(sizes: list[Any]) -> str:
    texts = [f"{s[0]}: {s[1]:,}" if isinstance(s, (list, tuple)) else f"{s:,}" for s in sizes]
    return " × ".join(texts) or "of a single value"


def _column_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    if "columns" not in before or "columns" not in now:
        return []
    old = {str(name): str(kind) for name, kind in before["columns"]}
    new = {str(name): str(kind) for name, kind in now["columns"]}
    found = []
    counts = (before.get("column_count"), now.get("column_count"))
    are_all = max(len(old), len(new)) < _COLUMNS
    added = [name for name in new if name not in old]
    dropped = [name for name in old if name not in new]
    if (added or dropped) and are_all:
        found += [f"columns added: {_names(added)}"] if added else []
        found += [f"columns dropped: {_names(dropped)}"] if dropped else []
    elif counts[0] != counts[1] and None not in counts:
        found.append(f"{counts[0]:,} → {counts[1]:,} columns")
    elif added or dropped or _differs("more_columns", before, now):
        found.append("other columns")
    elif list(old) != list(new) or len(before["columns"]) != len(now["columns"]):
        found.append("columns in another order")
    others = [name for name in old if name in new and old[name] != new[name]]
    for name in others[:_NAMED]:
        found.append(f"type of `{name.strip(chr(39))}`: {old[name]} → {new[name]}")
    if len(others) > _NAMED:
        found.append(f"types of {len(others) - _NAMED:,} more columns")
    return found


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(name.strip("'") for name in names[:_NAMED]) + more
