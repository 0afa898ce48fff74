"""Texts such as models write."""

from __future__ import annotations

__all__ = ["TOKEN", "sample"]

TOKEN = 4
"""Characters of a token."""

PARAGRAPH = (
    "The mean of a sample is the *sum* of its values divided by their number, and it is **not** "
    "robust: one wild value moves it as far as it likes. The `median` stays where it is until "
    "half of the values are wild, which is why people who measure prices prefer it. Part {n}."
)
LIST = """\
- **first**: look at the data before you do anything else, number {n}
- *second*: count what is missing, with `df.isna().sum()`
- third: decide what to do about it, and write down why
"""
CODE = """\
```python
def summary_{n}(frame: pd.DataFrame, column: str) -> dict[str, float]:
    \"\"\"Return what is worth knowing about a column.\"\"\"
    values = frame[column].dropna().to_numpy()
    if len(values) == 0:
        return {{"count": 0, "mean": float("nan")}}
    return {{
        "count": len(values),
        "mean": float(values.mean()),  # not robust
        "median": float(np.median(values)),
    }}
```
"""
TABLE = """\
| column {n} | mean | median |
| --- | ---: | ---: |
| price | 12.5 | 9.9 |
| weight | 3.25 | 3.1 |
| length | 100.0 | 99.5 |
"""
MATH = r"It follows that $\bar{{x}}_{{{n}}} = \frac{{1}}{{n}} \sum_i x_i$, which was to be shown."
BLOCKS = ("## Step {n}", PARAGRAPH, LIST, CODE, PARAGRAPH, MATH, TABLE, PARAGRAPH)


def sample(characters: int) -> str:
    """Return an answer such as models write, of about that many characters; no two blocks alike."""
    blocks: list[str] = []
    length = 0
    while length < characters:
        number = len(blocks)
        blocks.append(BLOCKS[number % len(BLOCKS)].format(n=number).rstrip("\n"))
        length += len(blocks[-1]) + 2
    return "\n\n".join(blocks)
