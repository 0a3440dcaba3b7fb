"""Random numbers as pure functions: Philox 4x32-10, keyed by a seed and addressed by (stream, index).

Nothing here has a state. The same (seed, stream, index) gives the same numbers on any machine, in any order, in NumPy, torch
or JavaScript, so a resumed run draws exactly what the unbroken one would have drawn and a picture's seed means one picture.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Layout of the 128-bit counter:
word 0 the block within one draw, words 1 and 2 the index (low, high), word 3 the stream. The 64-bit key is the seed.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Integers = int | NDArray[np.integer]

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


class Stream(IntEnum):
    """What a number is drawn for. Values are part of the file formats: never renumber, only append."""

    LATENT = 0  # the latent of a picture's seed
    LABEL = 1  # the class of a picture's seed
    INIT = 2  # reserved, not drawn from: the first weights come from a torch.Generator seeded by the run's seed
    ORDER = 3  # order of the pictures; index: epoch, or epoch of a class * classes + class when those are balanced
    MIRROR = 4  # mirrored or not; index: position
    CRITIC_NOISE = 5  # latents of the discriminator's updates; index: update
    CRITIC_LABEL = 6
    GENERATOR_NOISE = 7  # latents of the generator's updates; index: step
    GENERATOR_LABEL = 8
    EMBLEM = 9  # the built-in pictures; index: picture
    TRUNCATION = 10  # further tries of a truncated latent; index: try
    TEST = 11
    PENALTY = 12  # places between real and fake; index: picture of a discriminator update
    CLASS_ORDER = 13  # order of the classes when they are shown equally often; index: round
    ROLLBACK = 14  # the seed of all noise after a rollback; index: how many there were
    METRIC = 15  # subsets and halves of the pictures that a metric compares; index: which one
    AUGMENT_REAL = 16  # changes of real pictures; index: picture of a discriminator update
    AUGMENT_FAKE = 17  # changes of its fakes
    AUGMENT_GENERATOR = 18  # changes of the fakes of a generator update; index: picture of that
    AUGMENT_PAIR = 19  # changes of the real pictures that its loss pairs with them
    CONSISTENCY = 20  # shifts that D's answer should not depend on; index: picture of a discriminator update
    WINDOW = 21  # order within a window of a stream; index: (epoch * lanes + lane) * windows + window


def philox(counter: NDArray[np.uint64], key: tuple[NDArray[np.uint64], NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Ten rounds of Philox 4x32. counter: (4, ...) words; key: two words that broadcast with them -> (4, ...) words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = (product := _MULTIPLIERS[0] * c0) >> _SHIFT, product & _MASK
        high1, low1 = (product := _MULTIPLIERS[1] * c2) >> _SHIFT, product & _MASK
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + np.uint64(_KEY_STEPS[0])) & _MASK, (k1 + np.uint64(_KEY_STEPS[1])) & _MASK
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3))


def _words(value: Integers) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Low and high 32 bits of integers below 2**63, with one axis added at the end for the draws."""
    wide = np.asarray(value, dtype=np.int64).astype(np.uint64)[..., None]
    return wide & _MASK, wide >> _SHIFT


def bits(seed: Integers, stream: Stream, index: Integers, count: int) -> NDArray[np.uint32]:
    """`count` random 32-bit words for each (seed, index) -> (..., count); seed and index broadcast against each other."""
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    low, high = _words(index)
    counter = np.stack(np.broadcast_arrays(blocks, low, high, np.uint64(int(stream))))
    words = philox(counter, _words(seed))
    rows = np.moveaxis(words, 0, -1)  # (..., blocks, 4)
    return rows.reshape(*rows.shape[:-2], 4 * len(blocks))[..., :count].astype(np.uint32)


def uniform(seed: Integers, stream: Stream, index: Integers, count: int) -> NDArray[np.float64]:
    """Uniform numbers in the open interval (0, 1) with 32 random bits each -> (..., count)."""
    return (bits(seed, stream, index, count).astype(np.float64) + 0.5) / 2.0**32


def normal(seed: Integers, stream: Stream, index: Integers, count: int) -> NDArray[np.float32]:
    """Standard normal numbers by Box-Muller, computed in float64 and rounded once -> (..., count)."""
    pairs = uniform(seed, stream, index, count + count % 2)
    radius = np.sqrt(-2.0 * np.log(pairs[..., 0::2]))
    angle = 2.0 * np.pi * pairs[..., 1::2]
    both = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=-1)  # (..., count / 2, 2)
    return both.reshape(*both.shape[:-2], pairs.shape[-1])[..., :count].astype(np.float32)


def integers(seed: Integers, stream: Stream, index: Integers, count: int, high: int) -> NDArray[np.int64]:
    """Integers in [0, high) -> (..., count). The bias of the plain product method is below high / 2**32."""
    return ((bits(seed, stream, index, count).astype(np.uint64) * np.uint64(high)) >> _SHIFT).astype(np.int64)


def permutation(seed: int, stream: Stream, index: Integers, size: int) -> NDArray[np.int64]:
    """Random orders of range(size), one for each index -> (..., size): the stable order of 64-bit keys, so equal keys
    cannot make them differ."""
    words = bits(seed, stream, index, 2 * size).astype(np.uint64)
    return np.argsort(words[..., 0::2] << _SHIFT | words[..., 1::2], axis=-1, kind="stable").astype(np.int64)
