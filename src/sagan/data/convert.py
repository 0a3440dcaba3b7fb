"""A decoded picture of any mode -> the channels that the networks see: grey, RGB, or RGB with alpha.

Pillow clips 16-bit grey to white without a word and shows the hidden colours behind transparent pixels; not so here.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from sagan.data.colour import Colour
from sagan.data.faults import Unreadable

MODES: dict[int, str] = {1: "L", 3: "RGB", 4: "RGBA"}
MAX_PROFILE_BYTES = 4 * 2**20
STRIP_PIXELS = 500_000  # larger pictures are converted in strips, lest several copies of them lie in memory


def to_channels(image: Image.Image, channels: int, background: Colour) -> tuple[Image.Image, bool]:
    """A loaded picture of any mode -> (it as L, RGB or RGBA, whether any pixel of it is transparent, even partly).

    1 channel is the luma of ITU-R BT.601, (299 R + 587 G + 114 B) / 1000; grey pictures keep their levels.
    4 channels keep the alpha, 255 for pictures that have none; otherwise transparent pixels are laid on `background`.
    Raises Unreadable for a colour space that has no such form.
    """
    if image.mode == "CMYK":
        image = _cmyk_to_rgb(image)
    if image.mode == MODES[channels] and "transparency" not in image.info:
        return image, channels == 4 and is_transparent(image)
    if image.width * image.height <= STRIP_PIXELS:
        return _converted(image, channels, background)
    whole, transparent = Image.new(MODES[channels], image.size), False
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        part, clear = _converted(strip, channels, background)
        whole.paste(part, (0, top))
        transparent |= clear
    return whole, transparent


def _converted(image: Image.Image, channels: int, background: Colour) -> tuple[Image.Image, bool]:
    transparent = False
    if image.mode.startswith("I"):
        flat = _deep_grey(image)
        if flat.mode == "LA":
            transparent = is_transparent(flat)
            flat = _laid_on(flat.convert("RGBA"), channels, background)
    elif image.mode == "F":
        raise Unreadable("mode", "has floating-point pixels")
    elif image.mode in ("LAB", "HSV"):
        raise Unreadable("mode", f"has the colour space {image.mode}")
    elif image.has_transparency_data:
        flat = image.convert("RGBA")
        transparent = is_transparent(flat)
        flat = _laid_on(flat, channels, background)
    else:
        flat = image
    if flat.mode not in ("1", "L", "RGB", "RGBA"):
        flat = flat.convert("RGB")
    return flat.convert(MODES[channels]), transparent


def _laid_on(picture: Image.Image, channels: int, background: Colour) -> Image.Image:
    """RGBA as it is where the alpha is kept, else on the background."""
    if channels == 4:
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, (*background, 255)), picture)


def is_transparent(picture: Image.Image) -> bool:
    """Whether any pixel of a picture with alpha is less than opaque."""
    return int(np.asarray(picture.getchannel("A")).min()) < 255


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether pixels (H, W, C) have no colour at all: one channel, or red, green and blue alike everywhere."""
    channels = pixels.shape[2]
    for part in (pixels[:1], pixels) if channels > 1 else ():  # most pictures show a colour in their first row
        samples = part.tobytes()
        red, green, blue = (samples[band::channels] for band in range(3))
        if red != green or green != blue:
            return False
    return True


def fill_hidden(pixels: NDArray[np.uint8], colour: Colour) -> NDArray[np.uint8]:
    """(H, W, 4) with `colour` wherever alpha is 0: what a file hides there is nothing that a network should learn."""
    return np.where(pixels[..., 3:] == 0, np.array([*colour, 0], dtype=np.uint8), pixels)


def deep_to_bytes(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    """16-bit samples in 0..65535 -> the nearest of 256 levels: 65535 / 255 = 257 exactly."""
    return ((values.clip(0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)


def _deep_grey(image: Image.Image) -> Image.Image:
    """16-bit grey -> L; or LA where the file names one level as transparent: it alone, not those that round to it."""
    values = np.asarray(image)
    grey = Image.fromarray(deep_to_bytes(values))
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))))


def _cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """By the picture's own ink profile where it has one, else by the plain formula (255 - ink) (255 - black) / 255."""
    profile = image.info.get("icc_profile")
    if profile and len(profile) <= MAX_PROFILE_BYTES:
        try:
            inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            turned = ImageCms.profileToProfile(image, inks, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            turned = None  # a broken profile: the plain formula is what a picture without one gets
        if turned is not None:
            return turned
    return image.convert("RGB")
