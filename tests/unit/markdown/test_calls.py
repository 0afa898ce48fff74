"""Calls have the effects of what they call, and plain analysis has none."""

from __future__ import annotations

import ast

import pytest
from rendering import effects_of

from copilot_magic.markdown.calls import Calls
from copilot_magic.markdown.effect_names import EFFECTS
from copilot_magic.markdown.work import TooMuchWork, Work

# Each with the first letters of its effects.
CODE = {
    # files that are deleted
    "import os\nos.remove(x)": "d",
    "import os as o\no.unlink(x)": "d",
    "from shutil import rmtree as r\nr(x)": "d",
    "from os import *\nremove(x)": "d",
    "os.remove(x)": "d",
    "rmtree(x)": "d",
    "list(map(os.remove, names))": "d",
    "f = os.remove\nfor x in y:\n    f(x)": "d",
    "p.unlink(missing_ok=True)": "d",
    "list(map(Path.unlink, paths))": "d",
    "getattr(os, 'remove')(x)": "d",
    "__import__('os').remove(x)": "d",
    # files that are written
    "with open(x, 'w') as f:\n    f.write(y)": "w",
    "open(x, mode='a')": "w",
    "open(x, 'r+b')": "w",
    "open(x, 'rb' if y else 'wb')": "w",
    "mode = 'w'\nopen(x, mode)": "w",
    "import gzip\ngzip.open(x, 'wt')": "w",
    "import zipfile\nzipfile.ZipFile(x, 'w')": "w",
    "import tarfile\ntarfile.open(x, 'w:gz')": "w",
    "zip.extractall('out')": "w",
    "def f(fs):\n    fs.open(x, 'wb')": "w",
    "import shelve\nshelve.open(x)": "w",
    "os.open(x, os.O_WRONLY | os.O_CREAT)": "w",
    "os.rename(a, b)": "w",
    "import shutil\nshutil.copy(a, b)": "w",
    "Path(x).write_text(y)": "w",
    "p = Path(x)\np.replace(y)": "w",
    "(Path(x) / y).touch()": "w",
    "for p in Path(x).rglob('*.txt'):\n    p.rename(y)": "w",
    "def f(p: Path):\n    p.open('w')": "w",
    "df.to_csv('a.csv')": "w",
    "df.to_csv(path_or_buf=x)": "w",
    "df.to_parquet(x)": "w",
    "df.to_excel('a.xlsx', index=False)": "w",
    "df.write_csv(x)": "w",
    "df.write.mode('overwrite').parquet(x)": "w",
    "plt.savefig('a.png')": "w",
    "fig.write_html('a.html')": "w",
    "image.save('a.png')": "w",
    "image.save(f'{name}.png')": "w",
    "image.save(os.path.join(a, b))": "w",
    "np.save('a', x)": "w",
    "import joblib\njoblib.dump(model, x)": "w",
    "import logging\nlogging.basicConfig(filename='a.log')": "w",
    "import fileinput\nfileinput.input(x, inplace=True)": "w",
    # processes
    "import subprocess\nsubprocess.run(x)": "p",
    "from subprocess import Popen\nPopen(x)": "p",
    "os.system('make')": "p",
    "os.execvp(a, b)": "p",
    "os.fork()": "p",
    "from multiprocessing import Pool\nwith Pool(4) as p:\n    p.map(f, x)": "p",
    "subprocess.run(['rm', '-rf', x])": "dp",
    "os.system('pip install x')": "pn",
    "get_ipython().system('ls')": "p",
    "get_ipython().run_line_magic('pip', 'install x')": "pn",
    "get_ipython().run_cell_magic('bash', '', 'rm x')": "dp",
    # the network
    "import requests as r\nr.get(x)": "n",
    "requests.get(x).json()": "n",
    "from urllib.request import urlopen\nurlopen(x)": "n",
    "import urllib.request\nurllib.request.urlretrieve(x, y)": "wn",
    "async def f():\n    async with aiohttp.ClientSession() as s:\n        await s.get(x)": "n",
    "import socket\nsocket.socket()": "n",
    "import smtplib\nsmtplib.SMTP('a')": "n",
    "import boto3\nboto3.client('s3')": "n",
    "pd.read_csv('https://a.example/b.csv')": "n",
    "url = 'http://a.example'\npd.read_json(url)": "n",
    "base = 'https://a.example/'\npd.read_csv(base + x)": "n",
    "sns.load_dataset('tips')": "n",
    "from sklearn.datasets import fetch_openml\nfetch_openml('x')": "n",
    "datasets.MNIST('a', download=True)": "n",
    # text that is run
    "eval(x)": "c",
    "exec(open(x).read())": "c",
    "compile(x, 'a', 'exec')": "c",
    "import builtins\nbuiltins.exec(x)": "c",
    "__import__(x)": "c",
    "import runpy\nrunpy.run_path(x)": "c",
    "exec('import os; os.remove(x)')": "d",
    "get_ipython().run_cell(x)": "c",
}
HARMLESS = [
    "import pandas as pd\ndf = pd.read_csv('a.csv')\ndf.drop('a', axis=1).rename(columns=c)",
    "df.groupby('a').agg('sum').plot()\nplt.title('x')\nplt.show()",
    "df.replace('a', 'b')\ndf.query('a > 1')\ndf.eval('a + b')\npd.eval('1')",
    "df['a'].str.replace('x', 'y').str.extractall('(z)')",
    "df.to_csv()\ndf.to_csv(index=False)\ndf.to_json(orient='records')\ndf.to_html(None)",
    "df.to_dict()\ndf.to_numpy()\ndf.to_string()",
    "import io\nb = io.BytesIO()\nfig.savefig(b)\ndf.to_csv(b)",
    "df.to_csv(sys.stdout)",
    "names.remove(x)\nnames.copy()\ntext.replace('a', 'b')\nd.pop('x')\ndel d['x']",
    "model.save_hyperparameters()\nmodel.eval()\nmodel.compile(optimizer='adam')",
    "form.save(commit=False)\nmodel.save()\nrow.save(x)",
    "os.path.join(a, b)\nos.getcwd()\nos.listdir()\nos.environ['A']\nos.makedirs(x)",
    "re.compile(x)\nfrom re import compile\ncompile(x)",
    "open(x)\nopen(x, 'rb').read()\nopen(x, encoding='w')\nwith open('w') as f: pass",
    "Path(x).read_text().replace('a', 'b')\nPath(x).name.replace('a', 'b')\nPath(x).exists()",
    "import zipfile\nzipfile.ZipFile(x).read('a')",
    "import socket\nsocket.gethostname()",
    "from urllib.parse import urlparse\nurlparse('https://a.example')",
    "import subprocess\nsubprocess.CalledProcessError\nsubprocess.PIPE",
    "import requests\ntry:\n    pass\nexcept requests.exceptions.HTTPError:\n    pass",
    "import multiprocessing\nmultiprocessing.cpu_count()",
    "requests = pd.DataFrame()\nrequests.groupby('a')\nrequests.get('a')",
    "requests.groupby('a')\nsocket.mean()",
    "def open(x, mode): ...\nopen(x, 'w')",
    "def f(eval, exec):\n    eval(x)",
    "eval('1 + 1')\nimport ast\nast.literal_eval(x)",
    "exec(compile('x = 1', 'a', 'exec'))",
    "import importlib\nimportlib.import_module('a.b')",
    "import tempfile\ntempfile.mkdtemp()",
    "url = 'https://a.example'\nprint(url)",
    "# os.remove(x)\ns = 'os.remove(x); open(y, \"w\")'",
    "import pickle\npickle.load(f)\npd.read_pickle('a')",
    "print('!rm x')\na = b %c\nif a != b: pass",
    "cursor.execute('DROP TABLE x')",
]


@pytest.mark.parametrize("code", CODE)
def test_code_does(code: str) -> None:
    assert effects_of(code, "python") == [
        effect for effect in EFFECTS if CODE[code] and _letter(effect) in CODE[code]
    ]


def _letter(effect: str) -> str:
    return {"uses the network": "n", "starts processes": "p", "runs text as code": "c"}.get(
        effect, effect[0]
    )


@pytest.mark.parametrize("code", HARMLESS)
def test_plain_code_does_nothing_to_mention(code: str) -> None:
    assert effects_of(code, "python") == []


def test_names_of_one_tree_are_known_in_the_next() -> None:
    calls = Calls(Work(), lambda text: set(), lambda name, rest: set())
    assert calls.effects(ast.parse("import os as o")) == set()
    assert calls.effects(ast.parse("o.remove(x)")) == {"deletes files"}


def test_looking_at_nodes_is_work() -> None:
    calls = Calls(Work(10), lambda text: set(), lambda name, rest: set())
    with pytest.raises(TooMuchWork):
        calls.effects(ast.parse("a = b + c + d + e + f"))
