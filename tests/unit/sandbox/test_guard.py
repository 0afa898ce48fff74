"""The words for what is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from copilot_magic.sandbox.guard import Guard

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux makes copies")

WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return a scratch directory and a working directory with a file in each."""
    scratch, here = tmp_path / "scratch", tmp_path / "here"
    for folder in (scratch, here):
        folder.mkdir()
        (folder / "data.csv").write_text("1")
    monkeypatch.chdir(here)
    return scratch, here


def refusal(scratch: Path, event: str, *arguments: Any) -> str:
    """Return what the guard tells of an event, or an empty string if it lets it pass."""
    told: list[str] = []
    try:
        Guard(str(scratch), told.append)(event, arguments)
    except PermissionError as error:
        assert str(error).endswith(f"A copy of this process must not {told[0]}")
        return told[0]
    assert not told
    return ""


@pytest.mark.parametrize(
    ("event", "arguments", "wish"),
    [
        ("open", ("data.csv", "w", WRITE), "write data.csv"),
        ("open", ("new.csv", None, WRITE), "write new.csv"),
        ("open", (b"new.csv", "w", WRITE), "write new.csv"),
        ("open", (Path("new.csv"), "w", WRITE), "write new.csv"),
        ("os.remove", ("data.csv", -1), "delete data.csv"),
        ("shutil.rmtree", ("../here", None), "delete ../here"),
        ("os.rename", ("data.csv", "b.csv", -1, -1), "rename data.csv to b.csv"),
        ("os.mkdir", ("new", 0o777, -1), "create the folder new"),
        ("os.link", ("data.csv", "b.csv", -1, -1), "link data.csv as b.csv"),
        ("os.symlink", ("data.csv", "b.csv", -1), "create the link b.csv"),
        ("os.truncate", ("data.csv", 0), "shorten data.csv"),
        ("os.chmod", ("data.csv", 0, -1), "change the permissions of data.csv"),
        ("os.chown", ("data.csv", 0, 0, -1), "change the owner of data.csv"),
        ("os.utime", ("data.csv", None, None, -1), "change the times of data.csv"),
        ("os.setxattr", ("data.csv", "a", b"b", 0), "change the attributes of data.csv"),
        ("sqlite3.connect", ("new.db",), "write new.db"),
        ("socket.connect", (None, ("example.org", 443)), "connect to example.org:443"),
        ("socket.connect", (None, "/run/x"), "connect to /run/x"),
        ("socket.connect", (None, b"\0name"), "connect to name"),
        ("socket.bind", (None, ("", 80)), "listen on this machine:80"),
        ("socket.sendto", (None, ("10.0.0.1", 53)), "send to 10.0.0.1:53"),
        ("socket.getaddrinfo", ("example.org", 443, 0, 0, 0), "connect to example.org:443"),
        ("socket.getaddrinfo", ("example.org", None, 0, 0, 0), "connect to example.org"),
        ("socket.gethostbyname", ("example.org",), "look up example.org"),
        ("urllib.Request", ("http://me:key@h/a?k=1", None, {}, "GET"), "connect to http://h/a"),
        ("http.client.connect", (None, "h", 80), "connect to h:80"),
        (
            "subprocess.Popen",
            ("rm", ["rm", "-rf", "x y"], None, None),
            "start a process: rm -rf x y",
        ),
        ("subprocess.Popen", ("sh", "rm x", None, None), "start a process: rm x"),
        ("os.system", (b"rm x",), "start a process: rm x"),
        ("os.posix_spawn", ("/bin/rm", ["rm"], {}), "start a process: rm"),
        ("os.fork", (), "start a process"),
        ("os.kill", (1, 9), "send a signal to process 1"),
        ("os.killpg", (1, 9), "send a signal to process group 1"),
    ],
)
def test_a_wish_is_named_as_a_reader_says_it(
    places: tuple[Path, Path], event: str, arguments: tuple[Any, ...], wish: str
) -> None:
    assert refusal(places[0], event, *arguments) == wish


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("open", ("data.csv", "r", os.O_RDONLY | os.O_CLOEXEC)),
        ("open", ("/dev/null", "w", WRITE)),
        ("open", (3, "w", WRITE)),
        ("open", ("none/new.csv", "w", WRITE)),  # fails anyway
        ("open", ("data.csv", "x", WRITE | os.O_EXCL)),  # likewise
        ("open", ("nul\0", "w", WRITE)),
        ("open", (object(), "w", WRITE)),
        ("os.remove", ("none.csv", -1)),
        ("os.mkdir", ("../here", 0o777, -1)),
        ("os.rename", ("none.csv", "b.csv", -1, -1)),
        ("sqlite3.connect", (":memory:",)),
        ("sqlite3.connect", ("data.csv",)),
        ("os.kill", (os.getpid(), 9)),
        ("socket.__new__", (None, 1, 1, 0)),
        ("urllib.Request", ("file:///etc/hosts", None, {}, "GET")),
        ("socket.connect", ()),  # not what the event's documentation says
        ("import", ("os", None, None, None, None)),
    ],
)
def test_what_does_no_harm_or_fails_anyway_passes(
    places: tuple[Path, Path], event: str, arguments: tuple[Any, ...]
) -> None:
    assert refusal(places[0], event, *arguments) == ""


def test_everything_may_be_done_in_the_scratch_directory(places: tuple[Path, Path]) -> None:
    scratch, _ = places
    inside, new = str(scratch / "data.csv"), str(scratch / "new")
    for event, *arguments in (
        ("open", inside, "w", WRITE),
        ("open", str(scratch), None, os.O_RDWR),  # O_TMPFILE
        ("os.remove", inside, -1),
        ("os.rename", inside, new, -1, -1),
        ("os.mkdir", new, 0, -1),
        ("os.symlink", "/", new, -1),
        ("os.link", inside, new, -1, -1),
        ("os.truncate", inside, 0),
        ("sqlite3.connect", new),
    ):
        assert refusal(scratch, event, *arguments) == ""


def test_a_way_out_of_the_scratch_directory_is_seen(places: tuple[Path, Path]) -> None:
    scratch, here = places
    (scratch / "out").symlink_to(here)
    (scratch / "file").symlink_to(here / "data.csv")
    for path in (scratch / "out" / "new", scratch / "../here/new", scratch / "file"):
        assert refusal(scratch, "open", str(path), "w", WRITE).startswith("write ")
    assert refusal(scratch, "os.remove", str(scratch / "out" / "data.csv"), -1)
    # The link itself is in there.
    assert not refusal(scratch, "os.remove", str(scratch / "file"), -1)
    assert refusal(scratch, "os.remove", str(scratch), -1)
    assert refusal(scratch, "os.rename", str(here / "data.csv"), str(scratch / "b"), -1, -1)


def test_a_name_in_an_open_folder_is_found(places: tuple[Path, Path]) -> None:
    scratch, here = places
    for folder, wish in ((scratch, ""), (here, "delete data.csv")):
        descriptor = os.open(folder, os.O_RDONLY)
        assert refusal(scratch, "os.remove", "data.csv", descriptor) == wish
        os.close(descriptor)


def test_an_open_file_is_found(places: tuple[Path, Path]) -> None:
    scratch, here = places
    for folder, wish in ((scratch, ""), (here, "change the permissions of data.csv")):
        descriptor = os.open(folder / "data.csv", os.O_RDONLY)
        assert refusal(scratch, "os.chmod", descriptor, 0o777, -1) == wish
        os.close(descriptor)


def test_reading_from_a_pipe_would_take_something_away(places: tuple[Path, Path]) -> None:
    os.mkfifo("fifo")
    assert refusal(places[0], "open", "fifo", "r", os.O_RDONLY) == "read from the pipe fifo"


def test_a_long_or_unprintable_name_is_cut(places: tuple[Path, Path]) -> None:
    wish = refusal(places[0], "open", "a\x1b[2J\n" + "x" * 200, "w", WRITE)
    assert wish.isprintable()
    assert len(wish) <= 130


def test_a_pipe_that_is_broken_still_refuses(places: tuple[Path, Path]) -> None:
    def tell(wish: str) -> None:
        raise BrokenPipeError

    with pytest.raises(PermissionError):
        Guard(str(places[0]), tell)("os.fork", ())


def test_what_an_installed_package_tries_while_it_is_imported_is_not_told(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, here = places
    source = "import guarding\nguarding.hook('open', ('new.csv', 'w', guarding.WRITE))\n"
    for name, folder in (("at_home", here / "site-packages"), ("of_user", here)):
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder))
    told: list[str] = []
    guarding = type(sys)("guarding")
    guarding.hook, guarding.WRITE = Guard(str(scratch), told.append), WRITE  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "guarding", guarding)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with pytest.raises(PermissionError):
        __import__("at_home")
    assert told == []
    with pytest.raises(PermissionError):
        __import__("of_user")
    assert told == ["write new.csv"]
