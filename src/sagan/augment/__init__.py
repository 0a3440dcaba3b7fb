"""What is changed in pictures before the discriminator sees them: pure functions of pictures and random numbers.

draws         random numbers of each picture, taken one after the other
geometry      whole-pixel shifts, and an affine map with bilinear interpolation
colour        affine maps of the colours, for 1, 3 or 4 channels
diffaugment   DiffAugment: every picture, every time
adaptive      ADA: each change with a probability

All are differentiable in the pictures, any number of times, and know nothing of networks, counters or devices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from sagan.augment.adaptive import adaptive
from sagan.augment.diffaugment import diffaugment
from sagan.augment.draws import Draws

# The option `augment` names one of these. (pictures, draws, kinds) -> pictures of the same shape; kinds: of changes.
AUGMENTATIONS: dict[str, Callable[[Tensor, Draws, Sequence[str]], Tensor]] = {
    "diffaugment": diffaugment,
    "adaptive": adaptive,
}
