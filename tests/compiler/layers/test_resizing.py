"""Resizing against ONNX Runtime, and pixels from channels."""

from __future__ import annotations

import numpy as np
import pytest

from ..ops.oracles import first, last, run
from ..trace.specs import mistakes, types
from .models import head_of, output, real

IMAGE = real(2, 4, 6, 3)
SIZES = [(8, 12), (3, 5), (1, 1), (7, 6), (4, 13)]


def resized(x: np.ndarray, sizes: tuple[int, ...], **attributes: str) -> np.ndarray:
    """ONNX's Resize of channels-last data."""
    shape = np.array([x.shape[0], x.shape[-1], *sizes], np.int64)
    return last(run("Resize", first(x), None, None, shape, **attributes))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nearest_takes_the_element_at_the_floor(size: tuple[int, int]) -> None:
    wanted = resized(IMAGE, size, mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric")
    np.testing.assert_array_equal(output(f"resize(x, {list(size)})", x=IMAGE), wanted)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("corners", "mode"), [("false", "half_pixel"), ("true", "align_corners")])
def test_linear_goes_between_two(size: tuple[int, int], corners: str, mode: str) -> None:
    wanted = resized(IMAGE, size, mode="linear", coordinate_transformation_mode=mode)
    found = output(f"resize(x, {list(size)}, method = bilinear, align_corners = {corners})", x=IMAGE)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_any_number_of_axes_between_the_first_and_the_last_is_resized() -> None:
    x = real(2, 5, 3)
    wanted = resized(x, (9,), mode="linear", coordinate_transformation_mode="half_pixel")
    np.testing.assert_allclose(output("resize(x, 9, method = linear)", x=x), wanted, rtol=1e-5, atol=1e-6)
    cube = real(1, 2, 3, 2, 1)
    found = output("upsample(x, [1, 2, 3])", x=cube)
    np.testing.assert_array_equal(found, cube.repeat(2, 2).repeat(3, 3))


def test_free_sizes_are_multiplied() -> None:
    head = "axonc 1\ninput x: f32[N, H, W, 3]\n"
    for method in ("nearest", "linear"):
        assert types(f"y = upsample(x, 2, method = {method})", head) == {"y": "f32[N, 2 * H, 2 * W, 3]"}


def test_channels_become_pixels_and_pixels_channels() -> None:
    x = real(2, 3, 4, 12)
    wanted = last(run("DepthToSpace", first(x), blocksize=2, mode="DCR"))
    np.testing.assert_array_equal(output("pixel_shuffle(x, 2)", x=x), wanted)
    np.testing.assert_array_equal(output("x |> pixel_shuffle(2) |> pixel_unshuffle(2)", x=x), x)


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        ("y = resize(x, 0)", ("wrong-kind", 1, 15)),
        ("y = resize(x, [1, 2, 3])", ("wrong-kind", 1, 15)),
        ("y = resize(x, 3, method = cubic)", ("wrong-kind", 1, 27)),
        ("y = upsample(x, 1.5)", ("wrong-kind", 1, 17)),
        ("y = resize(x[0], 3) |> resize(3) |> flatten |> resize(3)", ("wrong-kind", 1, 48)),
        ("y = resize(cast(x, i64), 3, method = linear)", ("wrong-kind", 1, 5)),
        ("y = pixel_shuffle(x, 2)", ("shape-mismatch", 1, 5)),
    ],
)
def test_a_mistake_stands_where_it_was_made(body: str, mistake: tuple[str, int, int]) -> None:
    assert mistakes(body, head_of({"x": IMAGE})) == [mistake]
