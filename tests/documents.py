"""Markdown texts that tests render: short ones by topic, long ones, and random ones."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["DOCUMENTS", "LONG", "TEXTS"]

DOCUMENTS = {
    "headings": (
        "# One\n\nSetext *one*\n=====\n\nSetext\ntwo\n---\ntext\n## Two ##\n###### Six\n"
        "#no heading\n"
    ),
    "paragraphs": "a\nb  \nc\\\nd\n\n\n  e\n      f\n\ttab\n",
    "emphasis": (
        "*a* **b** ***c*** _d_ __e__ ~~f~~ a*b*c a_b_c **a *b* c** * d * 2*3*4 **not\n\nclosed**\n"
    ),
    "links": (
        "[a](https://a.example/b_c_d 'title') <https://b.example> [c][1] [1] "
        "![i](https://c.example/i.png)"
        "\n\nhttps://d.example/x_(y)_z. (https://e.example/), http://f.example/?a=b&c=d#e\n"
    ),
    "definitions": (
        "[1]: https://a.example\n[2]:\nhttps://b.example\n'title'\n\n[x][1] [1] [2]\n\n"
        "> [3]: https://c.example\n\n[3]\n"
    ),
    "code spans": "`a` ``b ` c`` ` d `` e ` f\n`g\nh`\n",
    "fences": (
        "a\n```python\ndef f():\n\n    return '''\n```\n\n~~~\n```\n~~~\n````md\n```\n````\n"
        "```\nunclosed\n\n"
    ),
    "code with effects": (
        "```python\nimport os\nos.remove('a')\n```\n- a\n\n  ```py\n  %%bash\n  rm a\n  ```\n"
        "> ```\n> open(a, 'w')\n> ```\n\n    eval(x)\n\n~~~js\neval(x)\n~~~\n"
        "```python\nos.system(x)\n"
    ),
    "indented code": "a\n\n    code\n\n    more\n\n      and\ntext\n    lazy\n",
    "tight lists": (
        "- a\n- b\n  c\nd\n- e\n  - f\n    - g\n  - h\n* other\n+ third\n1. x\n2. y\n3) z\n"
    ),
    "loose lists": (
        "- a\n\n- b\n\n\n- c\n\n  d\n\n      code\n\n  ```\n  fence\n\n  ```\n10. ten\n\n"
        "    more\n11. eleven\n"
    ),
    "tasks": "- [ ] a\n- [x] b\n  1. [X] c\n- [y] d\n- [ ]e\n",
    "quotations": "> a\nlazy\n> - b\n>   c\n\n> # d\n>\n> > e\nf\n> ```\n> code\n\ng\n",
    "tables": (
        "| a | b |\n|:--|--:|\n| 1 | `x|y` |\n| 2 |\n\na | b\n:-:|-\n*c* | d | e\ntext\n\n"
        "| no | table\n| -- |\n"
    ),
    "rules": "a\n\n---\n***\n_ _ _\n- - -\n",
    "formulas": (
        "$a_1 * b_1 * c$ and $5 and $6, $$x_1$$ \\(a\\) \\[b\\] \\$1 $2$\n\n$$\na\n- b\n= c\n"
        "$$\n\n\\[\n\\begin{matrix}\n"
        "a & b \\\\\nc\n\\end{matrix}\n\\]\n\\begin{align*}\na &= b\n\\end{align*}\n\n- $$\n  x\n"
        "  $$\n- b\n\n$$\nunclosed\n\n$$ x $$\n"
    ),
    "entities": "&amp; &lt;b&gt; &copy; &#35; &#x1F600; &nosuch; &\n",
    "escapes": "\\*a\\* \\# \\[x\\](y) \\<b> \\\\ \\`c\\` 1\\. \\| \\~\n",
    "html": "<div>\n*a*\n</div>\n\n<!-- b --> <b>c</b>\n",
    "harmless html": (
        "a<br>b<br/>c<br />d H<sub>2</sub>O x<sup>*2*</sup> <kbd>Ctrl</kbd> <b>a <i>b</i></b> "
        "<u>c</u> <s>d</s> <mark>e</mark> <small>f</small> **a <b>b** c</b> <b>*c</b>* <i>d\n\ne"
        "</i> <b>f\n\n- [<b>g</b>](https://a.example) <B>h</B> <b >i</b>\n"
    ),
    "details": (
        "text\n<details>\n<summary>More *or* less</summary>\n\n- a\n\n```\n</details>\n```\n\n"
        "<details><summary>x</summary>\ny\n</details>\n\n</details>\nafter\n\n<details>\n\nunclosed\n"
        "\n> <details>\n> a\n> </details>\n\n- <details>\n  b\n  </details>\n- c\n"
    ),
    "footnotes": "a[^1] b[^12].\n\n[^1]: https://a.example\n[^12]: *c*\nd [^1]: e\n\n[^x] [^0-9]\n",
    "right to left": (
        "# שלום\n\nمرحبا *hello* `code`\n\n- אחת\n- two\n\n| א |\n|---|\n| ب |\n\n```\nא\n```\n"
    ),
    "chinese": "你好，**世界**。列表：\n- 一\n- 二\n\n见 https://a.example/x，谢谢。\n",
    "line ends": "a\r\nb\rc\n\r\n```\r\nx\ry\r\n```\r\n\r- d\r",
    "spaces at the ends": "   \n\n  a  \n\n \t\n",
    "empty": "",
    "gpt4free": (
        "[![prompt](https://a.example/i.png)](https://b.example)\n\n\n\n"
        "> [1] [Title](https://c.example)\n"
    ),
}
LONG = {
    "long code": "Look:\n```python\n"
    + "".join(f'def f{n}():\n    """Doc\n\n    {n}."""\n    return {n}\n\n' for n in range(120))
    + "```\nDone.\n",
    "long code with effects": "```python\nimport os as o\n"
    + "".join(
        f"def f{n}(x):\n    for y in x:\n        yield {n}\n{extra}\n"
        for n in range(60)
        for extra in [{40: "    o.remove(x)\n", 50: "    o.system(x)\n"}.get(n, "") + "\n" * 40]
    )
    + "```\n",
    "long string in code": "```python\nx = '''\n" + "text\n" * 3_000 + "'''\n```\n",
    "long plain code": "~~~~\n" + "line ```\n" * 900,
    "long bullet list": "".join(
        f"- item {n} with *some* text\n  - nested `{n}`\n" for n in range(200)
    )
    + "\nEnd.\n",
    "long numbered list": "".join(f"1. item {n}\n\n   paragraph of {n}\n\n" for n in range(150))
    + "End.\n",
    "long item": "1. a\n2. b\n\n"
    + "   Text of the item.\n\n" * 200
    + "   ```python\n"
    + "   x = 1\n" * 500
    + "   ```\n3. c\n",
    "long nested list": "- a\n  - b\n"
    + "".join(f"    - c{n}\n" for n in range(400))
    + "  - d\n- e\n",
    "long table": "| a | b |\n|---|--:|\n"
    + "".join(f"| {n} | *x* |\n" for n in range(600))
    + "\nEnd.\n",
    "long quotation": "".join(f"> Text {n}\n> more\n>\n" for n in range(300)) + "lazy\n\nEnd.\n",
    "long quoted code": "> ```\n" + "> code\n" * 900 + "> ```\n> text\n\nEnd.\n",
    "long hard-wrapped paragraph": "Some words with **strong\nwords** in them,\n" * 300,
    "long line": "Some words with **strong words** in them, and `code`. " * 500,
    "long word": "x" * 50_000,
    "long chinese line": "你好，世界。" * 3_000,
    "long line in code": "```\n" + "x " * 20_000 + "\n```\n",
    "long indented code": "a\n\n" + "    code\n\n" * 800 + "End.\n",
    "long formula": "$$\n" + "a + b\n" * 2_000 + "$$\n",
    "long details": "<details>\n<summary>x</summary>\n\n"
    + "Some words.\n\n" * 900
    + "</details>\n",
    "image in the text": "![x](data:image/png;base64," + "A" * 60_000 + ") text\n\nmore\n",
    "many definitions": "".join(f"[{n}]: https://a.example/{n}\n" for n in range(300))
    + "\n[7] [299]\n",
}

LINES = sorted({line for text in DOCUMENTS.values() for line in text.splitlines(keepends=True)})

TEXTS = st.one_of(
    st.lists(st.sampled_from(LINES), max_size=12).map("".join),
    st.lists(st.sampled_from([*DOCUMENTS.values()]), max_size=4).map("".join),
    st.text(alphabet="abא 1.\n\t`*_~[]()!<>#-+=|$\\&:;\"'/\r", max_size=60),
    st.text(max_size=60),
)
