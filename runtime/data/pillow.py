"""Images to arrays: the only file that knows Pillow, which is loaded where it is asked for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError, FileError, OutOfMemory
from ..files import open_regular
from .values import Images

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")  # eight bits a channel, or one


def pixels(images: Images) -> np.ndarray:
    """u8[images, height, width, 3], or without the last axis if they are grey.

    They are turned as their camera says, their transparency is dropped, and of a film the first image is taken.
    DataError or FileError for the first that cannot be read, and for sizes that differ where none is asked for.
    """
    first = _read(images.files[0], images)
    shape = (len(images.files), *first.shape)
    try:
        found = np.empty(shape, np.uint8)
    except MemoryError:
        raise OutOfMemory.of("the images", int(np.prod(shape, dtype=float))) from None
    found[0] = first
    for i, path in enumerate(images.files[1:], 1):
        image = _read(path, images)
        if image.shape != first.shape:
            sizes = [f"{width} x {height} pixels" for height, width in (image.shape[:2], first.shape[:2])]
            problem = f"has {sizes[0]}, {images.files[0].name} has {sizes[1]}"
            raise DataError("uneven-images", problem, "write `image |> resize(height, width)`", file=str(path))
        found[i] = image
    return found


def shape(path: Path) -> tuple[int, int, int]:
    """Height, width and channels of an image, by its header."""
    with _opened(path) as image:
        width, height = _turned(image).size
    return height, width, 3


def _read(path: Path, images: Images) -> np.ndarray:
    from PIL import Image

    with _opened(path) as image:
        if image.mode not in MODES:
            problem = f"is of the mode {image.mode}, expected 8 bits a channel"
            raise DataError("image-mode", problem, "save it so", file=str(path))
        image.load()
        turned = _turned(image.convert("RGBA") if "transparency" in image.info else image)
        turned = turned.convert("L" if images.grey else "RGB")
        if images.size is not None:
            height, width = images.size
            turned = turned.resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(turned)


def _turned(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image in a file, its pixels not read yet; whatever is wrong with it in here is a DataError that names it."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        problem = "is read with the package Pillow, which is not here"
        raise FileError("no-pillow", problem, "install it: `pip install 'axonc[images]'`", path=path) from None
    try:
        with warnings.catch_warnings(), open_regular(path) as file:
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        problem = f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels"
        raise DataError("too-many-pixels", problem, "make it smaller", file=str(path)) from None
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError) as fault:
        problem = f"is no image in the format {', '.join(FORMATS)}, or is damaged: {fault}"
        raise DataError("bad-image", problem, "save it again", file=str(path)) from None
