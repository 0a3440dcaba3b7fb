"""Pictures one after the other, as a file that moves: GIF, WebP, APNG; MP4 with the extra `video`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from PIL import Image

from sagan.errors import ConfigError
from sagan.visualise.channels import Pictures

SUFFIXES = (".gif", ".webp", ".apng", ".mp4")
MAX_PIXELS = 256 << 20  # of all frames together: a film is made in memory
COLOURS = 256  # of a GIF, chosen once for the whole film, so that what stands still is stored once
LOOKED_AT = 16  # frames from which they are chosen
WEBP_QUALITY = 90
MP4_QUALITY = "18"  # of libx264, as its constant rate factor: no loss that one sees


def require_film(suffix: str, frames: int, width: int, height: int) -> None:
    """Refuse a film that cannot be written, before anything is drawn for it. suffix: such as '.gif'.  Raises ConfigError."""
    if suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"a film cannot be written as {suffix or 'a file without a suffix'}",
            remedy=f"Name it with one of {', '.join(SUFFIXES)}, or .png for a strip.",
        )
    if frames * width * height > MAX_PIXELS:
        raise ConfigError(
            f"a film of {frames:,} frames of {width}x{height} is too large",
            remedy="Ask for fewer frames or a smaller --size.",
        )
    if suffix.lower() == ".mp4":
        try:
            import av  # noqa: F401
        except ImportError:
            raise ConfigError(
                "writing MP4 needs the extra 'video'",
                remedy="Run pip install 'sagan-torch[video]', or name the film .webp, .apng or .gif.",
            ) from None


def encode_film(frames: Sequence[Pictures], suffix: str, fps: float) -> bytes:
    """The bytes of a film. frames: uint8 (H, W, 3), all of one size.  suffix: one of SUFFIXES.  fps: frames a second.

    GIF knows times in hundredths of a second and 256 colours; the others are true to the pictures, or nearly.
    All repeat for ever where the format can say so.
    """
    if suffix.lower() == ".mp4":
        return _mp4(frames, fps)
    images = [Image.fromarray(frame) for frame in frames]
    duration = max(1, round(1000 / fps))  # milliseconds
    buffer = io.BytesIO()
    if suffix.lower() == ".gif":
        colours = _palette(images)
        images = [image.quantize(palette=colours, dither=Image.Dither.NONE) for image in images]
        images[0].save(
            buffer, "GIF", save_all=True, append_images=images[1:], duration=max(20, duration), loop=0, disposal=1
        )
    elif suffix.lower() == ".webp":
        images[0].save(
            buffer, "WEBP", save_all=True, append_images=images[1:], duration=duration, loop=0, quality=WEBP_QUALITY
        )
    else:
        images[0].save(buffer, "PNG", save_all=True, append_images=images[1:], duration=duration, loop=0)
    return buffer.getvalue()


def _palette(images: Sequence[Image.Image]) -> Image.Image:
    """The colours of a film. By octree, which keeps those of small things: the dots of attention figures."""
    shown = images[:: -(-len(images) // LOOKED_AT)]
    tall = Image.new("RGB", (images[0].width, images[0].height * len(shown)))
    for row, image in enumerate(shown):
        tall.paste(image, (0, row * image.height))
    return tall.quantize(COLOURS, method=Image.Quantize.FASTOCTREE)


def _mp4(frames: Sequence[Pictures], fps: float) -> bytes:
    """H.264, which every browser and telephone plays; an odd last row or column is repeated, as it wants even sides."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        height, width = frames[0].shape[:2]
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        stream.options = {"crf": MP4_QUALITY, "preset": "medium"}
        for frame in frames:
            even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()
