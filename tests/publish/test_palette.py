"""The shipped colours under normal and colour-deficient vision, and class limits against worked examples."""

import itertools

import numpy as np
import pytest

from pipeline.publish import palette

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
THEMES = {"light": palette.LIGHT, "dark": palette.DARK}


def linear(colour: str) -> np.ndarray:
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(colour: str, vision: str = "normal") -> np.ndarray:
    seen = np.clip(VISION[vision] @ linear(colour), 0, 1)
    x = TO_XYZ @ seen / np.array([0.95047, 1.0, 1.08883])
    f = np.where(x > (6 / 29) ** 3, np.cbrt(x), x / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a: str, b: str) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    high, low = sorted((float(weights @ linear(a)), float(weights @ linear(b))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_both_themes_name_the_same_colours() -> None:
    assert palette.LIGHT.keys() == palette.DARK.keys()
    for theme in THEMES.values():
        assert all(len(c) == 7 and c[0] == "#" and int(c[1:], 16) >= 0 for c in theme.values())


# Smallest difference (CIE 1976) between neighbouring classes, over the four kinds of vision.
@pytest.mark.parametrize(
    ("name", "theme", "least"),
    [
        ("sequential", "light", 14.9),
        ("sequential", "dark", 16.5),
        ("change", "light", 20),
        ("change", "dark", 19),
        ("significance", "light", 15),
        ("significance", "dark", 14),
        ("terrain", "light", 10),
        ("terrain", "dark", 11),
    ],
)
def test_neighbouring_classes_stay_apart_for_every_kind_of_vision(name: str, theme: str, least: float) -> None:
    colours = palette.ramp(name, theme=THEMES[theme])
    assert len(colours) == palette.RAMPS[name]
    for vision in VISION:
        apart = [np.linalg.norm(lab(a, vision) - lab(b, vision)) for a, b in itertools.pairwise(colours)]
        assert min(apart) >= least, vision


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_more_stands_out_more_from_the_ground(theme: str) -> None:
    ground = THEMES[theme]["land"]
    for name in ("sequential", "terrain"):
        steps = [contrast(c, ground) for c in palette.ramp(name, theme=THEMES[theme])]
        assert steps == sorted(steps), name
    for name in ("change", "significance"):
        steps = [contrast(c, ground) for c in palette.ramp(name, theme=THEMES[theme])]
        middle = len(steps) // 2
        assert steps[: middle + 1] == sorted(steps[: middle + 1], reverse=True), name
        assert steps[middle:] == sorted(steps[middle:]), name


@pytest.mark.parametrize(("theme", "least"), [("light", 5.2), ("dark", 7.0)])
def test_changes_stand_out_from_no_change_and_carry_a_triangle(theme: str, least: float) -> None:
    lower, steady, higher = palette.ramp("change", theme=THEMES[theme])
    assert min(contrast(lower, steady), contrast(higher, steady)) >= least
    # The triangle on them is drawn in the colour of the paper.
    assert min(contrast(c, THEMES[theme]["paper"]) for c in (lower, higher)) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_controls_meet_wcag_contrast(theme: str) -> None:
    t = THEMES[theme]
    for text in ("ink", "ink-2", "ink-3", "link"):
        for ground in ("paper", "paper-2"):
            assert contrast(t[text], t[ground]) >= 4.5, (text, ground)
    assert contrast(t["hot-on"], t["hot"]) >= 4.5
    assert contrast(t["ctl"], t["paper"]) >= 3
    assert contrast(t["hot"], t["halo"]) >= 3


def test_limits_are_rounded_percentiles() -> None:
    # 1..100: percentiles 22, 47, 76, 93 by linear interpolation are 22.78, 47.53, 76.24, 93.07;
    # the nearest of 1 1.5 2 2.5 3 4 5 6 8 by ratio are 25, 50, 80, 100 (22.78 is nearer 25 than 20).
    assert palette.class_limits(range(1, 101)) == (25.0, 50.0, 80.0, 100.0)


def test_limits_rise_even_when_values_are_all_alike() -> None:
    limits = palette.class_limits([7.0] * 30)
    assert list(limits) == sorted(set(limits))


def test_limits_without_values() -> None:
    assert palette.class_limits([], step=5) == (5.0, 10.0, 25.0, 50.0)
    assert palette.class_limits([]) == (1.0, 2.0, 5.0, 10.0)
    assert palette.class_limits([0.0, 0.0]) == (1.0, 2.0, 5.0, 10.0)


def test_a_limit_belongs_to_the_class_above_it() -> None:
    limits = (5.0, 10.0, 20.0, 40.0)
    assert [palette.class_of(v, limits) for v in (0, 4.9, 5, 9.99, 10, 39, 40, 1e9)] == [0, 0, 1, 1, 2, 3, 4, 4]


def test_terrain_colours_rise_and_end_at_the_strongest() -> None:
    for n in range(2, 7):
        picked = [palette.terrain_index(k, n) for k in range(n)]
        assert picked == sorted(set(picked))
        assert picked[0] == 0
        assert picked[-1] == 5


@pytest.mark.parametrize("step", [3, 5, 10])
@pytest.mark.parametrize("spread", [1.0, 30.0, 4000.0])
def test_classes_of_counts_in_steps_split_no_step(step: int, spread: float) -> None:
    rng = np.random.default_rng(int(spread) + step)
    lower = rng.exponential(spread, 400).astype(int) // step * step
    limits = palette.class_limits(np.where(lower == 0, (step - 1) / 2, lower + step // 2), step=step)
    assert len(limits) == 4
    assert all(a < b for a, b in itertools.pairwise(limits))
    ends = [(palette.class_of(n, limits), palette.class_of(n + step - 1, limits)) for n in lower.tolist()]
    assert all(low == high for low, high in ends)
