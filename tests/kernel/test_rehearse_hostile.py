"""Clumsy and hostile code, rehearsed in a real kernel: nothing of it reaches the kernel."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rehearsing import RehearsingKernel

if sys.platform != "linux":
    pytest.skip("only Linux can confine a copy", allow_module_level=True)

pytest.importorskip("pandas")

# Each with a word that its summary must hold; empty if any outcome will do.
SNIPPETS: dict[str, tuple[str, str]] = {
    # Variables.
    "drop a column": ("df.drop(columns='price', inplace=True)", "changes `df`"),
    "a value in a table": ("df.loc[0, 'price'] = 99", "changes `df`"),
    "a table's columns": ("df.columns = list('abc')", "changes `df`"),
    "a new column": ("df['total'] = df.price * 2", "3 × 3 → DataFrame, 3 × 4"),
    "the array below a table": ("df['price'].to_numpy(copy=False).flags", "ran"),
    "an array": ("matrix[:] = 0", "changes `matrix`"),
    "an array's shape": ("matrix.shape = (12,)", "changes `matrix`"),
    "a view of an array": ("v = matrix[0]; v += 1", "changes `matrix`"),
    "memory of an array": (
        "import ctypes; ctypes.memset(matrix.ctypes.data, 0, matrix.nbytes)",
        "changes `matrix`",
    ),
    "a dictionary": ("nested.clear()", "changes `nested`"),
    "inside of a dictionary": ("nested['a'][1]['b'] = None", "changes `nested`"),
    "a list": ("numbers.sort()", "changes `numbers`"),
    "a deque": ("letters.rotate(1)", "changes `letters`"),
    "bytes": ("raw[:] = b''", "changes `raw`"),
    "an array of Python's": ("typed.append(9)", "ran"),
    "an attribute": ("thing.values.append(3); Thing.shared.clear(); del Thing.__init__", "ran"),
    "a function's code": ("double.__code__ = (lambda x: x).__code__", "ran"),
    "a series": ("series.iloc[0] = 7; series.name = 'x'", "changes `series`"),
    "delete everything": ("del df, series, matrix, nested, numbers", "removes"),
    "delete all names": (
        "for name in [n for n in globals() if not n.startswith('_')]: del globals()[name]",
        "removes",
    ),
    "reset": ("%reset -f", "removes"),
    "reset in": ("%reset -f in out", ""),
    "replace globals": ("globals().update(dict.fromkeys(list(globals()), 0))", ""),
    "by the garbage collector": (
        "import gc\nfor o in gc.get_objects():\n    if type(o) is list:\n        o.clear()",
        "",
    ),
    # Python itself.
    "builtins": ("import builtins; builtins.print = None; builtins.open = len", "builtins.open"),
    "builtins that we need": ("import builtins; builtins.len = builtins.isinstance = None", ""),
    "all builtins": ("import builtins; vars(builtins).clear()", ""),
    "json": ("import json; json.dumps = None; json.JSONEncoder = None", ""),
    "os": ("import os; os.write = os._exit = os.getpid = None", ""),
    "modules": ("import sys; sys.modules.clear()", ""),
    "a tracer": (
        "import sys\ndef trace(*a): raise OSError\nsys.settrace(trace); sys.setprofile(trace)",
        "",
    ),
    "recursion": ("def f(): return f()\nf()", "RecursionError"),
    "the recursion limit": ("import sys; sys.setrecursionlimit(10**5)\nf = lambda: f()\nf()", ""),
    "a crash": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "an abort": ("import os; os.abort()", "SIGABRT"),
    "no more signals": ("import signal; signal.signal(signal.SIGALRM, signal.SIG_IGN)", ""),
    "an alarm": ("import signal; signal.alarm(1)\nwhile True: pass", ""),
    "exit handlers": ("import atexit; atexit.register(print, 'EVIL')", "ran"),
    "the environment": ("import os; os.environ.clear(); os.chdir('/')", "ran"),
    "the path": ("import sys; sys.path.clear()", "ran"),
    # Descriptors and streams.
    "close descriptors": ("import os; os.closerange(0, 100)", ""),
    "close all descriptors": ("import os; os.closerange(0, 1000)", ""),
    "write to all descriptors": (
        "import os\nfor n in range(100):\n    try: os.write(n, b'EVIL')\n    except OSError: pass",
        "",
    ),
    "read from all descriptors": (
        "import os\nfor n in range(100):\n    try: os.read(n, 1)\n    except OSError: pass",
        "",
    ),
    "shut down all sockets": (
        "import os, socket\nfor n in range(3, 100):\n"
        "    try: socket.socket(fileno=n).shutdown(2)\n    except OSError: pass",
        "",
    ),
    "an open file": ("data_file.write('EVIL'); data_file.flush()", ""),
    "truncate an open file": ("data_file.truncate(0)", ""),
    "move in an open file": ("data_file.seek(3); data_file.read()", ""),
    "close an open file": ("data_file.close()", ""),
    "a pipe": ("import os; os.write(pipe_out, b'EVIL')", ""),
    "close the streams": ("import sys; sys.stdout.close(); sys.stderr = None; print('on')", "ran"),
    "no streams": ("import sys; del sys.stdout, sys.stderr, sys.stdin", ""),
    "the true streams": ("import sys; sys.__stdout__.write('EVIL'); sys.__stderr__.flush()", ""),
    # Files.
    "write a file": ("open('report.csv', 'w')", "wants to write report.csv: not tried"),
    "save a table": ("df.to_csv('report.csv')", "wants to write report.csv: not tried"),
    "truncate a file": ("import os; os.truncate('data.txt', 0)", "stopped"),
    "delete a file": ("import os; os.remove('data.txt')", "wants to delete data.txt: not tried"),
    "rename a file": ("import os; os.rename('data.txt', 'x.txt')", "stopped"),
    "permissions": ("import os; os.chmod('data.txt', 0)", "stopped"),
    "a link": ("import os; os.symlink('data.txt', 'x')", "stopped"),
    "a tree": ("import shutil; shutil.rmtree('.')", "stopped"),
    "a picture": (
        "import matplotlib.pyplot as plt; plt.plot([1]); plt.savefig('p.png')",
        "wants to write p.png: not tried",
    ),
    "swallowed refusals": (
        "try: open('x', 'w')\nexcept OSError: pass\ny = 1",
        "defines `y` (int 1); wants to write x: not tried",
    ),
    # The network, processes.
    "a connection": ("import socket; socket.create_connection(('127.0.0.1', 9))", "not tried"),
    "a listener": ("import socket; socket.socket().bind(('', 0))", "not tried"),
    "a name": ("import socket; socket.gethostbyname('example.org')", "not tried"),
    "a page": ("import urllib.request as u; u.urlopen('http://127.0.0.1:9/')", "not tried"),
    "a process": ("import subprocess; subprocess.run(['touch', 'x'])", "start a process: touch"),
    "a shell": ("import os; os.system('touch x')", "start a process: touch x"),
    "a fork": ("import os; os.fork()", "stopped"),
    "a pool": ("import multiprocessing as m; m.get_context('fork').Process().start()", ""),
    "the end of the parent": ("import os, signal; os.kill(os.getppid(), signal.SIGKILL)", ""),
    "the end of all": ("import os, signal; os.killpg(0, signal.SIGKILL)", ""),
    "!ls": ("!touch x", "wants to start a process: touch x: not tried"),
    "x = !ls": ("x = !touch x", "wants to start a process: touch x: not tried"),
    "pip": ("%pip install x", "pip install x: not tried"),
    "bash": ("%%bash\ntouch x", "stopped"),
    "cd": ("%cd /", "ran"),
    "writefile": ("%%writefile x.py\nEVIL = 1", "wants to write x.py: not tried"),
    "store": ("%store df", "stopped"),
    "logstart": ("%logstart", ""),
    "save": ("%save -f x 1", ""),
    # IPython.
    "publish to iopub": (
        "k = get_ipython().kernel\n"
        "k.session.send(k.iopub_socket, 'stream', {'name': 'stdout', 'text': 'EVIL'})\n"
        "type(k.session).send(k.session, k.iopub_socket, 'stream', {'text': 'EVIL'})",
        "",
    ),
    "zmq itself": (
        "k = get_ipython().kernel\n"
        "s = getattr(k.iopub_socket, 'io_thread', k.iopub_thread).socket\n"
        "s.send_multipart([b'EVIL'] * 8)",
        "",
    ),
    "close the sockets": (
        "import gc, zmq\nfor o in gc.get_objects():\n"
        "    if isinstance(o, zmq.Socket): o.close(0)\nzmq.Context.instance().term()",
        "",
    ),
    "send_response": (
        "k = get_ipython().kernel; k.send_response(k.iopub_socket, 'stream', {'text': 'EVIL'})",
        "ran",
    ),
    "a comm": ("from ipykernel.comm import Comm; Comm(target_name='EVIL', data={})", "ran"),
    "a widget": ("import ipywidgets as w; s = w.IntSlider(); display(s); s.value = 5", "ran"),
    "an output widget": (
        "import ipywidgets as w; o = w.Output()\nwith o: print('EVIL')\ndisplay(o)",
        "ran",
    ),
    "interact": ("import ipywidgets as w; w.interact(lambda x: print(x), x=(0, 3))", "ran"),
    "history": (
        "h = get_ipython().history_manager\n"
        "h.store_inputs(99, 'EVIL', 'EVIL'); h.writeout_cache(); h.new_session()\n"
        "h.db.execute('DELETE FROM history')",
        "",
    ),
    "the history file": (
        "import sqlite3; h = get_ipython().history_manager\n"
        "c = sqlite3.connect(h.hist_file); c.execute('DELETE FROM history'); c.commit()",
        "",
    ),
    "the next cell": ("get_ipython().set_next_input('EVIL')", "ran"),
    "a payload": ("get_ipython().payload_manager.write_payload({'source': 'EVIL'})", "ran"),
    "a hook": ("get_ipython().events.register('post_run_cell', lambda *a: print('EVIL'))", ""),
    "all hooks": ("[c.clear() for c in get_ipython().events.callbacks.values()]", "ran"),
    "the end of the kernel": ("exit", "wants to end this kernel: not tried"),
    "a shutdown": ("get_ipython().kernel.do_shutdown(False)", ""),
    "the loop": ("get_ipython().kernel.io_loop.stop()", ""),
    "a question": ("input('name? ')", "wants to ask for input: not tried"),
    "a secret question": ("import getpass; getpass.getpass()", "wants to ask for input"),
    "the kernel's question": ("get_ipython().kernel.raw_input('?')", "wants to ask for input"),
    "a debugger": ("import pdb; pdb.set_trace()", ""),
    "debug": ("%debug", ""),
    "our own magics": ("%load_ext copilot_magic\n%copilot list", ""),
    "a rehearsal": ("rehearse('1')", "RehearsalError"),
    "unload": ("%unload_ext copilot_magic", ""),
    # Threads and time.
    "a thread that prints later": (
        "import threading; threading.Timer(0.2, print, ['EVIL']).start()",
        "ran",
    ),
    "a thread that never ends": (
        "import threading, time\nthreading.Thread(target=lambda: [time.sleep(1) for _ in [1] * 99])"
        ".start()",
        "ran",
    ),
    "an endless task": ("import asyncio; asyncio.create_task(asyncio.sleep(99)); 1", "ran"),
    "_exit": ("import os; os._exit(0)", "failed"),
    "sys.exit": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "raise BaseException": ("raise BaseException('x')", "BaseException: x"),
    "an error that cannot be shown": (
        "class E(Exception):\n    def __str__(self): raise KeyboardInterrupt\nraise E",
        "failed",
    ),
    "an object that cannot be shown": (
        "class O:\n    def __repr__(self): raise SystemExit\no = O()\no",
        "",
    ),
    "names that are none": ("globals()['<b>`x`'] = 1; globals()[3] = 4", "ran"),
    "much text": ("print('x' * 10**8)", "ran"),
    "many displays": ("for i in range(5000): display(i)", "ran"),
    "much memory": ("x = bytearray(10**11)", "MemoryError"),
    "memory, bit by bit": ("x = []\nwhile True: x.append(bytearray(10**7))", ""),
    "forged messages": (
        "import gc\nfor o in gc.get_objects():\n"
        "    if type(o).__name__ == 'Telling':\n"
        "        o._report({'kind': 'outcome', 'line': 7}); o._report({'kind': ['x']})\n"
        "        o._report({'kind': 'text', 'stream': [], 'text': {}}); o._report({})\n"
        "        o._report({'kind': 'names', 'new': [], 'changed': {'a': 3}, 'removed': [[]]})",
        "",
    ),
}


@pytest.fixture(scope="module")
def rehearsing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RehearsingKernel]:
    kernel = RehearsingKernel(tmp_path_factory.mktemp("rehearsing"))
    yield kernel
    kernel.close()


@pytest.mark.parametrize("name", SNIPPETS)
def test_nothing_of_it_reaches_the_kernel(rehearsing: RehearsingKernel, name: str) -> None:
    code, said = SNIPPETS[name]
    found = rehearsing.rehearse(code)
    assert found["changes"] == {}
    assert said in found["summary"]
    assert found["seconds"] < 20
    assert rehearsing.answers()


def test_endless_code_is_ended_and_the_kernel_answers(rehearsing: RehearsingKernel) -> None:
    for code in (
        "while True: pass",
        "import time; time.sleep(99)",
        "import threading\nl = threading.Lock(); l.acquire(); l.acquire()",
    ):
        found = rehearsing.rehearse(code, seconds=1.0)
        assert found["changes"] == {}
        assert found["how"] == "timed out"
        assert "it did not end within 1 s" in found["summary"]
        assert rehearsing.answers()


def test_afterwards_nothing_of_it_is_heard_or_stored(rehearsing: RehearsingKernel) -> None:
    """Threads that were to print later would have done so by now."""
    time.sleep(0.5)
    late = rehearsing.late()
    heard = [m for m in [*rehearsing.heard, *late] if m["msg_type"] == "stream"]
    assert not [
        m for m in heard if "EVIL" in m["content"]["text"] and "summary" not in m["content"]["text"]
    ]
    assert not [m for m in late if m["msg_type"] != "status"]
    rows = rehearsing.run(
        "import sqlite3; h = get_ipython().history_manager; h.writeout_cache()\n"
        "c = sqlite3.connect(h.hist_file)\n"
        "print([r for r in c.execute('SELECT source_raw FROM history') if '_try(' not in r[0]])"
    ).text
    assert "6 * 7" in rows
    assert "EVIL" not in rows.replace("EVIL' not in", "")
    assert rehearsing.run("%history -n").text.count("print(6 * 7)") >= 50
    assert Path(rehearsing.folder / "data.txt").read_text() == "precious"
