"""What goes wrong between here and the Hub, in our words.

Little of what a server or its library says is repeated, and what is has its tokens blotted out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sagan.disk.faults import resource_error
from sagan.errors import CheckpointMissing, ConfigError, PeerError, ResourceError, SaganError
from sagan.workflows.sharing.names import HubName

LOG_IN = "Log in with `hf auth login`"
AGAIN = "Try the same command again."
MOST_REPEATED = 300
_TOKEN = re.compile(r"hf_\w+|Bearer\s+\S+", re.I)


def library() -> Any:
    """huggingface_hub. Raises ConfigError where it is not installed."""
    try:
        import huggingface_hub
    except ImportError:
        remedy = "Install the extra: pip install 'sagan-torch[hub]'."
        raise ConfigError("the Hub needs huggingface_hub, which is not installed", remedy=remedy) from None
    return huggingface_hub


def is_away(error: Exception) -> bool:
    """Whether an error means that the Hub cannot be reached now: no network, offline mode, a server that fails."""
    from huggingface_hub import errors as theirs

    if isinstance(error, theirs.HfHubHTTPError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, (theirs.OfflineModeIsEnabled, _transport()))


@contextmanager
def hub_errors(name: HubName) -> Iterator[None]:
    """Turn what huggingface_hub raises inside the block into our errors about `name`."""
    try:
        yield
    except (SaganError, MemoryError):
        raise
    except Exception as error:
        # An upload in a thread that fails is wrapped: "Error while uploading ..." from what went wrong.
        wrapped = isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception)
        ours = _said(error.__cause__ if wrapped else error, name)
        if ours is None:
            raise
        raise ours from None


def _said(error: BaseException | None, name: HubName) -> SaganError | None:
    from huggingface_hub import errors as theirs

    if isinstance(error, theirs.GatedRepoError):
        remedy = f"Ask for access on its page. {LOG_IN}."
        return ResourceError("its owner lets people in on request", where=name, remedy=remedy)
    if isinstance(error, theirs.RepositoryNotFoundError):
        remedy = f"Check the name. {LOG_IN} if it is private."
        return CheckpointMissing("there is no such model on the Hub, or it is private", where=name, remedy=remedy)
    if isinstance(error, theirs.RevisionNotFoundError):
        return CheckpointMissing("it has no such revision", where=name, remedy="Leave it out for the newest.")
    if isinstance(error, theirs.OfflineModeIsEnabled):
        remedy = "Unset HF_HUB_OFFLINE; without the Hub, only what the cache holds can be opened."
        return PeerError("offline mode is on", where=name, remedy=remedy)
    if isinstance(error, theirs.HfHubHTTPError):
        return _refused(error.response.status_code, error, name)
    if isinstance(error, theirs.EntryNotFoundError):  # of the cache: the server's own is an HfHubHTTPError
        what = "the Hub cannot be reached, and the cache does not hold it"
        return PeerError(what, where=name, remedy=AGAIN)
    if isinstance(error, _transport()):
        return PeerError("the connection to the Hub failed or broke off", where=name, remedy=AGAIN)
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return PeerError("a file did not arrive whole", where=name, remedy=AGAIN)
    if isinstance(error, OSError):
        return resource_error(error, Path(error.filename or "the cache of huggingface_hub"))
    if isinstance(error, (json.JSONDecodeError, KeyError, TypeError, AttributeError)):
        remedy = "Check the network, and HF_ENDPOINT if it is set."
        return PeerError("what answered there is not the Hub", where=name, remedy=remedy)
    if isinstance(error, ValueError):  # such as a card whose front matter is not YAML
        return ConfigError(f"the Hub does not take it: {_first_line(error)}", where=name)
    return None


def _refused(status: int, error: BaseException, name: HubName) -> SaganError:
    if status in (401, 403):
        remedy = f"{LOG_IN}, with a token that allows it."
        return ResourceError(f"no permission ({status})", where=name, remedy=remedy)
    if status == 404:
        return CheckpointMissing("the Hub does not have it (404)", where=name, remedy="Check the name.")
    if status == 429 or status >= 500:
        return PeerError(f"the Hub cannot serve it now ({status})", where=name, remedy=AGAIN)
    if status in (409, 412):
        return PeerError("somebody else changed it at the same time", where=name, remedy=AGAIN)
    said = getattr(error, "server_message", None) or error
    return ConfigError(f"the Hub refuses it ({status}): {_first_line(said)}", where=name)


def _first_line(text: object) -> str:
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return _TOKEN.sub("(token)", " ".join(lines))[:MOST_REPEATED]


def _transport() -> type[Exception]:
    """The base of the errors of whatever client huggingface_hub speaks HTTP with."""
    from huggingface_hub import errors as theirs

    found: type[Exception] = theirs.HTTPError  # type: ignore[attr-defined, unused-ignore]
    return found
