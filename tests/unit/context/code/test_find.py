"""The code of an answer is taken exactly, whatever is around it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.code import find as module
from copilot_magic.context.code.find import FoundCode, find_code
from copilot_magic.context.code.python import Parsed, try_to_parse

# Name, answer, code, language, notes.
ANSWERS: list[tuple[str, str, str, str, tuple[str, ...]]] = [
    (
        "prose around",
        "Sure! Here's how:\n\n```python\ndf.groupby('a').sum()\n```\n\nLet me know if it works.",
        "df.groupby('a').sum()",
        "python",
        (),
    ),
    (
        "blank lines around, and blank lines within",
        "```python\n\n\nx = 1\n\n\ny = 2\n\n\n```",
        "x = 1\n\n\ny = 2",
        "python",
        (),
    ),
    (
        "several steps",
        "**Step 1**\n```python\nimport pandas as pd\n```\n"
        "**Step 2**\n```py\ndf = pd.read_csv('a')\n```\nFinally:\n```Python3\ndf.head()\n```",
        "import pandas as pd\n\ndf = pd.read_csv('a')\n\ndf.head()",
        "python",
        ("3 Python blocks joined",),
    ),
    (
        "an installation first",
        "First install it:\n```bash\npip install polars\n```\nThen:\n```python\nimport polars\n```",
        "import polars",
        "python",
        ("left out: 1 bash block",),
    ),
    (
        "the error repeated before, in a block that is said to be Python",
        "The error:\n```python\nTraceback, the most recent call last:\ncell 1, line 1\n"
        "NameError: name 'n' is not defined\n```\nCorrected:\n```python\nn = 1\n```",
        "n = 1",
        "python",
        (),
    ),
    (
        "the output after",
        "```python\nprint(1 + 1)\n```\nOutput:\n```\n2\n```\n"
        "as JSON:\n```json\n{}\n```\n```json\n[]\n```",
        "print(1 + 1)",
        "python",
        ("left out: 2 JSON blocks",),
    ),
    (
        "an unnamed block that may be code, after a named one",
        "```python\na()\n```\n```\nb = c()\n```",
        "a()",
        "python",
        ("left out: 1 unnamed block",),
    ),
    ("a fence without a name", "Try:\n```\nx = f(1)\nx\n```", "x = f(1)\nx", "python", ()),
    ("none as a name", "```none\nx = f(1)\n```", "x = f(1)", "python", ()),
    ("tildes", "~~~python\ns = '''\n```\n'''\n~~~", "s = '''\n```\n'''", "python", ()),
    (
        "a list and a quotation",
        "1. Do this:\n\n   ```python\n   if x:\n       y()\n   ```\n\n"
        "> and\n> ```python\n> z()\n> ```",
        "if x:\n    y()\n\nz()",
        "python",
        ("2 Python blocks joined",),
    ),
    (
        "an answer in a fence of its own",
        "````markdown\n# Answer\n```python\nx = 1\n```\n````",
        "x = 1",
        "python",
        (),
    ),
    (
        "an answer in a fence of its own that the fences in it close",
        "```markdown\nHere you go:\n```python\nx = 1\n```\nThat's it.\n```",
        "x = 1",
        "python",
        (),
    ),
    (
        "a cut answer",
        "```python\nfor i in x:\n    print(i",
        "for i in x:\n    print(i",
        "python",
        (),
    ),
    ("no fence at all", "import os\n\nos.getcwd()", "import os\n\nos.getcwd()", "python", ()),
    (
        "code among prose, without a fence",
        "Here's the code you're asking for:\n\nimport numpy as np\n\ndef f(x):\n    y = x + 1\n\n"
        "    return y\n\nIt isn't long, and (hopefully it works. Use it as f(1).",
        "import numpy as np\n\ndef f(x):\n    y = x + 1\n\n    return y",
        "python",
        (),
    ),
    (
        "indented code",
        "Try this:\n\n    x = f(1)\n    if x:\n        y\n\nDone, it works.",
        "x = f(1)\nif x:\n    y",
        "python",
        (),
    ),
    (
        "the lines that only IPython understands",
        "```python\n%matplotlib inline\n!pip install x\nfiles = !ls\nplt.plot?\n```",
        "%matplotlib inline\n!pip install x\nfiles = !ls\nplt.plot?",
        "python",
        (),
    ),
    ("a fence on one line", "Use this:\n\n```df.head(3)```\n", "df.head(3)", "python", ()),
    ("IPython without a fence", "%pip install polars", "%pip install polars", "python", ()),
    ("a shell block for IPython", "```bash\n!pip install x\n```", "!pip install x", "python", ()),
    (
        "a session",
        "```pycon\n>>> def f():\n...     return 1\n...\n>>> f()\n1\n>>> 'a'\n'a'\n```",
        "def f():\n    return 1\n\nf()\n'a'",
        "python",
        (),
    ),
    (
        "a session of IPython",
        "```ipython\nIn [1]: for i in x:\n   ...:     i\n   ...: \nOut[1]: 2\n\nIn [2]: y\n```",
        "for i in x:\n    i\n\ny",
        "python",
        (),
    ),
    (
        "prompts in a docstring",
        '```python\ndef f():\n    """\n    >>> f()\n    1\n    """\n```',
        'def f():\n    """\n    >>> f()\n    1\n    """',
        "python",
        (),
    ),
    (
        "a cell magic among other blocks",
        "```python\nf = g()\n```\n```python\n%%timeit\nf(1)\n```",
        "f = g()",
        "python",
        ("left out: 1 %%timeit block",),
    ),
    ("Gemini", "```tool_code\nprint(x)\n```", "print(x)", "python", ()),
    ("MyST", "```{code-cell} ipython3\nx = 1\n```", "x = 1", "python", ()),
    ("R Markdown", "```{python}\nx = 1\n```", "x = 1", "python", ()),
    ("Windows", "```python\r\nx = 1\r\ny = 2\r\n```\r\n", "x = 1\ny = 2", "python", ()),
    ("Python that does not parse", "```python\nprint 'a'\n```", "print 'a'", "python", ()),
    ("a shell", "```sh\nls -l\n```", "%%bash\nls -l", "bash", ()),
    (
        "a shell session",
        "```console\n$ cd a && \\\n  ls\nb c\n$ pwd\n/a\n```",
        "%%bash\ncd a && \\\n  ls\npwd",
        "bash",
        (),
    ),
    (
        "several shell blocks",
        "```bash\nls\n```\n```zsh\npwd\n```",
        "%%bash\nls\n\npwd",
        "bash",
        ("2 bash blocks joined",),
    ),
    (
        "a page",
        "```html\n<p>\n```\n```css\np {}\n```",
        "%%html\n<p>",
        "html",
        ("left out: 1 CSS block",),
    ),
    ("JavaScript", "```js\nalert(1)\n```", "%%javascript\nalert(1)", "javascript", ()),
    ("LaTeX", "```tex\n$x$\n```", "%%latex\n$x$", "latex", ()),
    ("SVG", "```svg\n<svg/>\n```", "%%svg\n<svg/>", "svg", ()),
    ("Perl", "```pl\nprint 1;\n```", "%%perl\nprint 1;", "perl", ()),
    ("Ruby", "```rb\nputs 1\n```", "%%ruby\nputs 1", "ruby", ()),
    ("Markdown", "```md\n# Head\n```", "%%markdown\n# Head", "markdown", ()),
    (
        "a language that a notebook cannot run",
        "```bash\ncargo new x\n```\n```rust\nfn main() {}\n```",
        "fn main() {}",
        "rust",
        ("the code is Rust", "left out: 1 bash block"),
    ),
    ("SQL", "```sql\nSELECT 1\n```", "SELECT 1", "sql", ("the code is SQL",)),
    ("C++", "```cpp\nint x;\n```", "int x;", "cpp", ("the code is C++",)),
    ("R", "```r\nx <- 1\n```", "x <- 1", "r", ("the code is R",)),
]


@pytest.mark.parametrize(
    ("answer", "text", "language", "notes"),
    [pytest.param(*answer[1:], id=answer[0]) for answer in ANSWERS],
)
def test_the_code_is_taken_exactly(
    answer: str, text: str, language: str, notes: tuple[str, ...]
) -> None:
    assert find_code(answer) == FoundCode(text, language, notes)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Yes",
        "No, thanks",
        "Answer: 42",
        "well-known",
        "Why?",
        "pass",
        "global warming",
        "return home",
        "# Only a heading",
        "```\n```",
        "```python\n\n```",
        "```text\nThis is what it prints.\n```",
        "```python\nTraceback (most recent call last):\n  File 'a.py'\nNameError: n\n```",
        "There's no code here, only words; see section (2).\n\nIt's fine - isn't it?",
        "- item\n- other\n",
    ],
)
def test_prose_is_no_code(answer: str) -> None:
    assert find_code(answer) is None


SAFE = st.text(alphabet="ab =()\"'#:\n>.%!?\\é", min_size=1, max_size=60).filter(
    lambda text: text.strip() and not re.search(r"^\s*(?:>>>|In \[|%%)", text, re.MULTILINE)
)


@given(st.lists(SAFE, min_size=1, max_size=4), st.sampled_from(["python", "py", "IPython"]))
def test_every_python_block_is_kept_exactly(blocks: list[str], language: str) -> None:
    answer = "\n\nprose\n\n".join(f"~~~{language}\n{block}\n~~~" for block in blocks)
    found = find_code(answer)
    assert found is not None
    trimmed = [re.sub(r"\A(?:[ \t]*\n)+", "", block.rstrip()) for block in blocks]
    assert found.text == "\n\n".join(trimmed)


@given(st.text(alphabet="`~>-1. abpython\n\t=()'\"%!?:$\x00\ud800é", max_size=200))
def test_nothing_raises(answer: str) -> None:
    find_code(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "x(\n" * 20_000,
        "It's fine.\n" * 20_000,
        "for x in y:\nwords\n" * 10_000,
        "'''\n" * 9_999,
        "f(" * 50_000,
        "%x\n" * 30_000,
    ],
)
def test_the_search_for_code_among_prose_is_bounded(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = [0]

    def counting(text: str) -> Parsed | int:
        parsed[0] += len(text)
        return try_to_parse(text)

    monkeypatch.setattr(module, "try_to_parse", counting)
    find_code(answer)
    assert parsed[0] <= 2_000_000 + 2 * len(answer)
