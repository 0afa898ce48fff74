"""The benchmarks claim all that the design promises, say what they lack, and go on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import claims, peers
from benchmarks.claims import Bench, Claim, Measurement, Unmeasurable, table
from benchmarks.report import PARTS, Report, measurements

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

# The rows of the design's tables of numbers to reach; what has two targets has two rows.
DESIGN = [
    "CPU per event over the reference loop's",
    "send to delta over a raw socket",
    "`%load_ext` over an empty extension",
    "first prompt of a kernel over a later one",
    "bytes on iopub for a byte of an answer at 100 tokens/s",
    "bytes on iopub for a byte of an answer at full speed",
    "growth of that for an answer ten times as long, at 100 tokens/s",
    "growth of that for an answer ten times as long, at full speed",
    "CPU of the kernel per token at 100 tokens/s",
    "answer complete through a Jupyter server",
    "browser's main thread over the time of streaming",
    "settled text keeps its DOM node, the selection and the scroll position",
    "rendering hostile texts of 200,000 characters",
    "64 workers against an endpoint of 50 ms",
    "rehearsal in a copy of a kernel that holds 1 GB",
]
SLOWER = Claim("one, ms", "theirs 9", "5", "≤ 3", False)
FASTER = Claim("two, ms", "theirs 9", "2", "≤ 3", True)


def lack(bench: Bench) -> list[Claim]:
    raise Unmeasurable("there is no Chromium")


def fail(bench: Bench) -> list[Claim]:
    raise ValueError("this is wrong\nvery wrong")


def run(*measured: Measurement, bench: Bench | None = None) -> tuple[Report, str]:
    """Return the report of a part, and its document."""
    pieces: list[str] = []
    report = Report(bench or Bench(say=lambda text: None), pieces.append)
    report.add("A part", measured)
    return report, "\n".join(pieces)


def test_every_row_of_the_design_is_measured_once() -> None:
    rows = [row for part in PARTS for measured in measurements(part) for row in measured.rows]
    assert [row for row in rows if row in DESIGN] == DESIGN
    assert len(set(rows)) == len(rows)


def test_a_part_is_a_table_in_markdown() -> None:
    assert table([SLOWER, FASTER, Claim("three", "–", "1")]) == (
        "| what | best peer | copilot_magic | target | reached |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| one, ms | theirs 9 | 5 | ≤ 3 | **no** |\n"
        "| two, ms | theirs 9 | 2 | ≤ 3 | yes |\n"
        "| three | – | 1 | – | – |"
    )


def test_a_missed_target_is_remembered() -> None:
    report, document = run(Measurement(lambda bench: [SLOWER, FASTER], ("one", "two")))
    assert report.missed == [SLOWER] and not report.failed
    assert document.startswith("## A part\n\n| what |")


def test_what_cannot_be_measured_here_is_a_note_and_no_fault() -> None:
    second = Measurement(lambda bench: [FASTER], ("two",))
    report, document = run(Measurement(lack, ("one", "more")), second)
    assert not report.missed and not report.failed
    assert "| two, ms |" in document
    assert "- Not measured here (one; more): there is no Chromium.\n" in document


def test_a_measurement_that_fails_is_a_note_and_a_fault() -> None:
    said: list[str] = []
    bench = Bench(say=said.append)
    second = Measurement(lambda bench: [FASTER], ("two",))
    report, document = run(Measurement(fail, ("one",)), second, bench=bench)
    assert report.failed == ["one"]
    assert "| two, ms |" in document
    assert "- **Failed** (one): ValueError: this is wrong\n" in document
    assert any("Traceback" in text for text in said)


def test_a_measurement_fills_the_rows_that_it_names() -> None:
    for claimed in ([], [FASTER], [SLOWER, FASTER]):
        report, _ = run(Measurement(lambda bench, claimed=claimed: claimed, ("one",)))
        assert report.failed == ["one"]


def test_a_peer_that_cannot_be_installed_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(peer: peers.Peer, fresh: bool) -> Path:
        raise subprocess.CalledProcessError(1, "uv", stderr="error: no network\nhint: none\n")

    monkeypatch.setattr(peers, "environment", unreachable)
    bench = Bench(say=lambda text: None)
    assert bench.peers("OpenAI SDK", "chatlas") == {}
    assert bench.peer("chatlas") is None
    assert bench.notes == [
        "OpenAI SDK could not be installed: error: no network hint: none",
        "chatlas could not be installed: error: no network hint: none",
    ]


def test_a_missing_package_of_this_environment_cannot_be_measured() -> None:
    bench = Bench(say=lambda text: None)
    bench.uses("copilot-magic")
    assert list(bench.versions) == ["copilot-magic"]
    with pytest.raises(Unmeasurable, match="no-such-package is not installed"):
        bench.uses("no-such-package")


def test_every_peer_that_a_part_asks_for_is_known() -> None:
    from benchmarks import batch_clients, cells, clients, loading, stream

    asked = {*stream.PEERS, *loading.EXTENSIONS, batch_clients.SDK}
    asked |= {way.peer for way in (cells.SDK, cells.CHATLAS, cells.JUPYTER_AI)}
    assert asked == set(peers.PEERS)
    assert set(stream.PEERS) <= set(clients.CLIENTS)


def test_a_home_holds_nothing_of_the_user() -> None:
    with claims.clean_home() as home:
        assert {home[name] for name in ("HOME", "XDG_DATA_HOME")} == {home["HOME"]}
        assert not list(Path(home["HOME"]).iterdir())
    assert not Path(home["HOME"]).exists()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, str(BENCHMARKS), *arguments], capture_output=True, text=True
    )


def test_the_help_names_all_parts_and_what_the_exit_status_means() -> None:
    done = command("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for part, title in PARTS.items():
        assert f"  {part:12}{title}\n" in done.stdout
    assert "exit status is 1 if a target was missed" in done.stdout


def test_an_unknown_part_is_an_error() -> None:
    done = command("stream", "no_such_part")
    assert done.returncode == 2 and done.stdout == ""
    assert "there is no part no_such_part; there are stream, loading" in done.stderr
