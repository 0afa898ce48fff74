"""Pictures among the user's objects become parts of a message; other objects do not."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from copilot_magic.context.pictures.picture import Picture, picture_of
from copilot_magic.errors import PictureError, UsageError

Image: Any = pytest.importorskip("PIL.Image")


def png(width: int = 70, height: int = 30) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, "PNG")
    return file.getvalue()


def read(name: str) -> bytes:
    return Path(name).read_bytes()


def sent(picture: Picture | None) -> Any:
    assert picture is not None and picture.part["type"] == "image_url"
    head, _, data = picture.part["image_url"]["url"].partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    assert head == f"data:{Image.MIME[image.format]}"
    return image


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_contents_of_a_picture_file_are_a_picture(kind: Any) -> None:
    picture = picture_of(kind(png()))
    assert sent(picture).size == (70, 30)
    assert picture is not None and picture.kind == "picture, 70 × 30 pixels, 1 kB"


def test_a_picture_that_was_scaled_down_says_so() -> None:
    picture = picture_of(png(12_800, 640))
    assert picture is not None
    assert picture.kind.startswith("picture, 1,280 × 64 pixels, scaled down from 12,800 × 640, ")


def test_an_image_of_pillow_is_a_picture() -> None:
    assert sent(picture_of(Image.new("RGBA", (9, 9)))).getpixel((4, 4)) == (255, 255, 255)


def test_a_figure_is_a_picture() -> None:
    figures: Any = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure()
    axes = figure.subplots(2)
    for value in (figure, axes, axes[0]):
        picture = picture_of(value)
        assert sent(picture).format == "PNG"
        assert picture is not None and picture.kind.startswith("matplotlib figure, ")


def test_an_image_of_ipython_is_a_picture(tmp_path: Path) -> None:
    display: Any = pytest.importorskip("IPython.display")
    file = tmp_path / "a.png"
    file.write_bytes(png())
    embedded = [display.Image(data=png()), display.Image(filename=str(file))]
    for image in (*embedded, display.Image(filename=str(file), embed=False)):
        assert sent(picture_of(image, read=read)).size == (70, 30)
    picture = picture_of(display.Image(url="https://a.example/x.png?token=secret"))
    assert picture is not None and picture.kind == "picture at https://a.example/x.png"
    assert picture.part["image_url"]["url"] == "https://a.example/x.png?token=secret"
    assert picture_of(display.Image(url="file:///etc/passwd", embed=False)) is None


def test_a_path_of_a_picture_file_is_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "a plot.PNG"
    file.write_bytes(png())
    picture = picture_of(file, read=read)
    assert sent(picture).size == (70, 30)
    assert picture is not None and picture.kind == "picture a plot.PNG, 70 × 30 pixels, 1 kB"
    assert picture_of(file) is None


def test_any_other_path_and_any_string_is_none_and_is_not_read() -> None:
    def fail(name: str) -> bytes:
        raise AssertionError(name)

    for value in (Path("data.csv"), "a.png", "https://a.example/a.png", Path()):
        assert picture_of(value, read=fail) is None


def test_a_string_names_a_file_if_told_so(tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(png())
    for name in (str(file), file):
        assert sent(picture_of(name, read=read, names_files=True)).size == (70, 30)
    on_web = picture_of("https://a.example/a.png", read=read, names_files=True)
    assert on_web is not None and on_web.part["image_url"]["url"] == "https://a.example/a.png"
    assert picture_of("a.png", names_files=True) is None


def test_a_file_that_cannot_be_sent_is_one_readable_line(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    with pytest.raises(PictureError, match=r"notes.txt is not a PNG, JPEG, GIF or WebP file"):
        picture_of(str(file), read=read, names_files=True)
    with pytest.raises(PictureError, match=r"There is no file missing.png. Check the path"):
        picture_of(Path("missing.png"), read=read)
    with pytest.raises(PictureError, match="cannot be read: Is a directory"):
        picture_of(str(tmp_path), read=read, names_files=True)
    assert issubclass(PictureError, UsageError)


def test_an_object_that_shows_itself_as_a_picture_is_one() -> None:
    class Plain:
        def _repr_png_(self) -> Any:
            return png()

    class WithMetadata:
        def _repr_jpeg_(self) -> Any:
            return base64.b64encode(png()).decode(), {"width": 7}

    class Bundle:
        def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
            return {"image/png": png(), "text/plain": "x"}, {}

    for value in (Plain(), WithMetadata(), Bundle()):
        picture = picture_of(value)
        assert sent(picture).size == (70, 30)
        assert picture is not None and picture.kind.startswith(f"{type(value).__name__}, 70 × 30")


def test_an_object_with_a_better_text_form_is_none() -> None:
    class Formula:
        def _repr_png_(self) -> Any:
            raise AssertionError

        def _repr_latex_(self) -> str:
            return "$x$"

    assert picture_of(Formula()) is None


def test_other_objects_are_none() -> None:
    class Anything:
        def __getattr__(self, name: str) -> Any:
            return lambda *args, **options: png()

    numpy: Any = pytest.importorskip("numpy")
    pandas: Any = pytest.importorskip("pandas")
    array = numpy.zeros((9, 9, 3), "uint8")
    values = (1, None, "x", b"x", [], {}, object(), int, array, pandas.DataFrame({"a": [1]}))
    for value in (*values, Anything(), Formula, memoryview(array)[::2]):
        assert picture_of(value) is None


class Formula:
    def _repr_png_(self) -> Any:
        raise AssertionError


def test_code_of_an_object_that_raises_is_no_error_of_ours() -> None:
    class Broken:
        def _repr_png_(self) -> Any:
            raise RuntimeError("no")

        def _repr_mimebundle_(self) -> Any:
            return 7

    class Path:
        def __fspath__(self) -> Any:
            raise RuntimeError("no")

    assert picture_of(Broken()) is None
    assert picture_of(Path(), read=read) is None
    assert picture_of(Formula()) is None


def test_recognising_pictures_imports_no_library() -> None:
    code = (
        "import sys; from copilot_magic.context.pictures.picture import picture_of;"
        "[picture_of(value) for value in (1, [1], {}, b'x', object())];"
        "print([name for name in ('PIL', 'matplotlib', 'numpy', 'plotly', 'IPython', 'pathlib')"
        " if name in sys.modules and name not in before])"
    )
    code = f"import sys; before = set(sys.modules)\n{code}"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
