"""Feature networks of the user's own: `onnx:FILE`, and `MODULE:FUNCTION` from the folder the command runs in.

Naming MODULE:FUNCTION runs that module's code: that is what it is for, so it happens only for a name that somebody typed.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from sagan.disk import UnfitFile, disk_errors, read_whole
from sagan.errors import ConfigError
from sagan.metrics.features import FeatureNetwork, Features, Pictures, resized

MAX_MODEL_BYTES = 2 << 30
PROBE = 2  # pictures by which the width of the features is found out


def onnx_features(file: str | Path) -> FeatureNetwork:
    """An ONNX model with one input (n, 3, R, R) of float32 in [-1, 1] and, as its first output, features (n, d).

    R is the model's own where it is fixed; otherwise pictures stay as large as they are. Raises ConfigError.
    """
    path = Path(file)
    try:
        import onnxruntime
    except ImportError:
        raise ConfigError("onnxruntime is not installed", remedy="pip install 'sagan-torch[onnx]'") from None
    payload = _read(path)
    try:
        session = onnxruntime.InferenceSession(payload, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds, which share no base
        raise ConfigError(f"not a model that ONNX Runtime can open: {_first_line(error)}", where=path) from None
    inputs = session.get_inputs()
    shape = inputs[0].shape if len(inputs) == 1 else []
    if len(shape) != 4 or inputs[0].type != "tensor(float)" or isinstance(shape[1], int) and shape[1] != 3:
        raise ConfigError("the model needs one input (n, 3, R, R) of float32", where=path)
    side = shape[2] if isinstance(shape[2], int) else None

    def compute(pictures: Pictures) -> Features:
        x = pictures if side is None else resized(pictures, side)
        batch = np.ascontiguousarray(x.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(127.5) - np.float32(1.0)
        try:
            return np.asarray(session.run(None, {inputs[0].name: batch})[0])
        except Exception as error:
            raise ConfigError(f"the model failed: {_first_line(error)}", where=path) from None

    resize = f"to {side}x{side} by Lanczos with antialiasing, on bytes" if side else "none"
    digest = hashlib.sha256(payload).hexdigest()
    return FeatureNetwork(f"onnx:{path.name}", digest, resize, _dimension(compute, side or 32, path), compute)


def function_features(words: str) -> FeatureNetwork:
    """MODULE:FUNCTION: a function from RGB pictures (n, R, R, 3) uint8 to features (n, d), found from the current folder.

    weights is the SHA-256 of the module's source: what the function reads beside it is not known here. Raises ConfigError.
    """
    module_name, _, function_name = words.partition(":")
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ConfigError(f"cannot be imported: {_first_line(error)}", where=module_name) from error
    finally:
        with suppress(ValueError):  # a module may have changed the list
            sys.path.remove(folder)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ConfigError(f"has no function {function_name}", where=module_name)

    def compute(pictures: Pictures) -> Features:
        return np.asarray(function(pictures))

    source = getattr(module, "__file__", None)
    digest = hashlib.sha256(_read(Path(source))).hexdigest() if source else ""
    return FeatureNetwork(words, digest, "the function's own", _dimension(compute, 32, words), compute)


def _read(path: Path) -> bytes:
    """A file whole. Raises ConfigError."""
    with disk_errors(path):
        try:
            return read_whole(path, max_bytes=MAX_MODEL_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            raise ConfigError("there is no such file", where=path) from None
        except UnfitFile as error:
            raise ConfigError(str(error), where=path) from None


def _dimension(compute: Callable[[Pictures], Any], side: int, where: object) -> int:
    """The width of the features, from a try. Raises ConfigError when they are no table of numbers."""
    probe = np.zeros((PROBE, side, side, 3), dtype=np.uint8)
    try:
        features = compute(probe)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"failed on two black pictures: {_first_line(error)}", where=where) from error
    if features.ndim != 2 or len(features) != PROBE or not np.issubdtype(features.dtype, np.floating):
        raise ConfigError(
            f"{features.dtype} features of shape {features.shape} for {PROBE} pictures",
            where=where,
            remedy="They should be floating-point numbers (n, d).",
        )
    return int(features.shape[1])


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
