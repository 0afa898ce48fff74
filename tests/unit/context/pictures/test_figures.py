"""A figure is rendered at a size for models, and stays as it was."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from copilot_magic.context.pictures.figures import is_from, matplotlib_figure, plotly_png, rendered
from copilot_magic.context.pictures.pixels import LONGEST, recognise
from copilot_magic.errors import PictureError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    matplotlib: Any = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    plt: Any = pytest.importorskip("matplotlib.pyplot")
numpy: Any = pytest.importorskip("numpy")


@pytest.fixture(autouse=True)
def no_figures() -> Any:
    yield
    plt.close("all")


@pytest.fixture
def figure() -> Any:
    made = plt.figure()
    made.subplots().plot([1, 2])
    return made


def size_of(data: bytes) -> tuple[int, int]:
    found = recognise(data)
    assert found is not None and found[0] == "image/png"
    return found[1]


def test_a_figure_is_found_from_all_its_parts(figure: Any) -> None:
    axes = figure.axes[0]
    line = axes.lines[0]
    for part in (figure, axes, line, [axes, axes], [line], (figure, axes), {"a": axes}):
        assert matplotlib_figure(part) is figure
    assert matplotlib_figure(axes.bar([1, 2], [3, 4])) is figure


def test_what_subplots_returns_is_a_figure() -> None:
    made = plt.subplots(2, 3)
    assert matplotlib_figure(made) is made[0]
    assert matplotlib_figure(made[1]) is made[0]
    assert matplotlib_figure(list(made[1])) is made[0]
    mosaic = plt.subplot_mosaic("AB")
    assert matplotlib_figure(mosaic) is matplotlib_figure(mosaic[1]) is mosaic[0]


def test_a_subfigure_belongs_to_its_figure() -> None:
    figure = plt.figure()
    inner = figure.subfigures(1, 2)[0]
    assert matplotlib_figure(inner) is matplotlib_figure(inner.subplots()) is figure


def test_what_has_no_single_figure_is_none(figure: Any) -> None:
    other = plt.figure().subplots()
    lone = matplotlib.lines.Line2D([1], [2])
    mixed = [figure.axes[0], other]
    for value in (mixed, [figure, 1], [], {}, lone, [lone], 1, "x", None, numpy.zeros(3), plt):
        assert matplotlib_figure(value) is None
    assert matplotlib_figure([figure.axes[0]] * 100_000) is None


def test_a_grid_of_seaborn_is_its_figure(figure: Any) -> None:
    class FacetGrid:
        def __init__(self) -> None:
            self.figure = figure

    assert matplotlib_figure(FacetGrid()) is None
    FacetGrid.__module__ = "seaborn.axisgrid"
    assert matplotlib_figure(FacetGrid()) is figure
    assert matplotlib_figure(type("Mine", (FacetGrid,), {})()) is figure


def test_a_figure_is_rendered_at_its_own_resolution_cut_to_what_is_drawn(figure: Any) -> None:
    width, height = size_of(rendered(figure))
    assert 500 < width < 640 and 370 < height < 480


@pytest.mark.parametrize("inches", [(30, 10), (3, 300), (2_000, 1_000)])
def test_a_large_figure_is_rendered_at_a_lower_resolution(inches: Any) -> None:
    figure = plt.figure(figsize=inches)
    figure.add_axes((0, 0, 1, 1))
    assert LONGEST - 20 <= max(size_of(rendered(figure))) <= LONGEST


def test_rendering_changes_nothing_in_a_figure(figure: Any) -> None:
    plt.close(figure)  # as the inline backend does
    figure.set_dpi(333)

    def state() -> list[Any]:
        return [figure.dpi, *figure.get_size_inches(), figure.canvas, figure.get_facecolor()]

    before = state()
    size = size_of(rendered(figure))
    assert state() == before and plt.get_fignums() == []
    assert LONGEST - 200 < max(size) <= LONGEST
    assert rendered(matplotlib.figure.Figure())


def test_text_far_outside_does_not_make_a_figure_huge(figure: Any) -> None:
    figure.axes[0].text(90, 1, "far")
    assert size_of(rendered(figure)) == (640, 480)


def test_a_figure_that_cannot_be_drawn_is_one_readable_line(figure: Any) -> None:
    figure.axes[0].set_title(r"$\frac{$")
    with pytest.raises(PictureError) as caught:
        rendered(figure)
    assert caught.value.message.startswith("matplotlib cannot draw the figure: ")


def test_a_plotly_figure_needs_kaleido(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: Any = pytest.importorskip("plotly.graph_objects")
    figure = graphs.Figure()
    if __import__("importlib.util").util.find_spec("kaleido") is None:
        with pytest.raises(PictureError) as caught:
            plotly_png(figure)
        assert caught.value.package == "kaleido" and "pip install kaleido" in str(caught.value)
    monkeypatch.setattr(graphs.Figure, "to_image", lambda self, format: b"a file", raising=True)
    assert plotly_png(figure) == b"a file"
    assert plotly_png(1) is None


def test_a_class_of_a_module_that_is_not_loaded_has_no_instances() -> None:
    assert not is_from(1, "no.such.module", "Figure")
    assert not is_from(plt, "matplotlib", "no_such_name")
    assert not is_from(1, "matplotlib", "use")
