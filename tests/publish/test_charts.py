"""Drawings: places worked out by hand, markup that a strict page policy accepts, hostile words as text."""

import subprocess
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import shapely

from pipeline.publish import charts
from pipeline.publish.charts.backtest import CaughtBar, caught_chart
from pipeline.publish.charts.canvas import Canvas, path_data
from tests.kit.released import HOSTILE

ALLOWED = {"svg", "path", "circle", "g", "text"}


def drawn(svg: str) -> ET.Element:
    root = ET.fromstring(svg)  # noqa: S314 - drawn here; it must be well-formed
    for node in root.iter():
        assert node.tag in ALLOWED
        assert not {"style", "href", "id"} & set(node.attrib)
        assert not any(name.startswith("on") for name in node.attrib)
    return root


def test_a_plot_puts_its_units_where_its_box_says() -> None:
    # A box 10 pt from the left and 20 pt from the bottom, 100 by 50 pt, for 0..1 and 0..10: SVG counts from the top.
    canvas = Canvas(width_pt=200, height_pt=100)
    plot = canvas.plot(10, 20, 100, 50, units=(0, 0, 1, 10))
    assert plot.on_drawing([(0, 0), (1, 10), (0.5, 2)]).tolist() == [[10, 80], [110, 30], [60, 70]]
    plot.line([0, 1], [0, 10], colour="#000", width=1)
    canvas.text(plot, 0.5, 2, "here", role="ax", dx=1.5, dy=2)
    root = drawn(canvas.svg("A line"))
    assert root[0].get("d") == "M10 80l100-50"
    assert (root[1].get("x"), root[1].get("y"), root[1].text) == ("61.5", "68", "here")
    assert root.get("viewBox") == "0 0 200 100"


def absolute(data: str) -> list[list[float]]:
    """Read one ring of path data back by the rules of SVG: M, then steps."""
    start, _, steps = data.removesuffix("z").removeprefix("M").partition("l")
    numbers = [float(n) for n in steps.replace("-", " -").split()]
    out = [[float(n) for n in start.replace("-", " -").split()]]
    for x, y in zip(numbers[::2], numbers[1::2], strict=True):
        out.append([out[-1][0] + x, out[-1][1] + y])
    return out


def test_steps_of_a_path_lead_to_its_points_however_long_it_is() -> None:
    ring = np.random.default_rng(7).uniform(-300, 300, (5000, 2))
    ring[-1] = ring[0]
    read = np.array(absolute(path_data(ring, closed=True)))
    assert np.abs(read - ring[:-1]).max() <= 0.0501  # a tenth of a point, rounded; errors do not add up


def test_two_neighbours_share_their_border_to_the_letter() -> None:
    border = np.array([[10.04, 3.0], [10.12, 7.77], [9.91, 12.3]])
    left = path_data(np.vstack([border, [[0, 0]], border[:1]]), closed=True)
    right = path_data(np.vstack([border, [[20, 0]], border[:1]]), closed=True)
    assert absolute(left)[:3] == absolute(right)[:3]


def a_map(name: str = "A") -> str:
    square = shapely.box(0, 0, 1000, 1000)
    return charts.area_map(
        outline=square,
        parts=[charts.Part(square, name, "s5")],
        neighbours=[charts.Neighbour(shapely.box(1000, 0, 2000, 1000), name)],
        water=shapely.MultiPolygon(),
        hotspots=[charts.HotspotMark(shapely.Point(500, 500).buffer(100), name)],
        width_pt=200,
        height_pt=200,
        label=name,
    )


@pytest.mark.parametrize("name", HOSTILE[:5])
def test_hostile_names_stay_text(name: str) -> None:
    root = drawn(a_map(name))
    assert root.get("aria-label") == name
    assert name[:9] in "".join(node.text or "" for node in root.iter("text"))  # folded into short lines
    assert "{{" not in a_map(name)


def test_the_same_figures_give_the_same_bytes() -> None:
    assert a_map() == a_map()


def test_a_hole_stays_a_hole_and_what_has_no_surface_is_left_out() -> None:
    ring = shapely.box(0, 0, 900, 900).difference(shapely.box(300, 300, 600, 600))
    svg = charts.locator(shapes=[ring, shapely.Point(1, 1)], chosen=0, width_pt=94, label="x")
    assert [node.get("d", "").count("M") for node in drawn(svg).iter("path")] == [2]


def test_a_backtest_with_one_method_without_hits_is_drawn_too() -> None:
    rows = [CaughtBar("Gi*", 12.5, 10.0, 15.0, "12.5%"), CaughtBar("<b>none</b>", 0.0, None, None, "0%", True)]
    text = caught_chart(rows, title="Hate <crime>", axis="per cent", label="x", standalone=True)
    root = ET.fromstring(text)  # noqa: S314 - drawn here
    words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Gi*", "<b>none</b>", "0", "10", "12.5%", "Hate <crime>"} <= set(words)
    assert caught_chart([], title="Empty", axis="", label="x").startswith("<svg")


@pytest.mark.slow
def test_publishing_loads_no_plotting_library() -> None:
    code = "import sys, pipeline.stages.publish, pipeline.commands.backtest; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
