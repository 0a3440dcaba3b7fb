"""Faults that the tests of the proofs put into a child before it works: each proof must notice the ones meant for it."""

from __future__ import annotations

import signal
from typing import Any


def publish_in_the_open() -> None:
    """Checkpoints are written under their final names, as most code bases do it."""
    from sagan.checkpoint import folder

    def publish(final: Any, files: Any, disk: Any) -> None:
        final.parent.mkdir(parents=True, exist_ok=True)
        final.mkdir(exist_ok=True)
        for name, payload in files.items():
            (final / name).unlink(missing_ok=True)
            disk.write(final / name, payload)

    folder.publish_folder = publish


def watch_in_training_mode() -> None:
    """The attention telemetry moves the discriminator's u and v, as a forward pass in training mode would."""
    from sagan.layers.spectral import advance
    from sagan.workflows import chores

    observe = chores.observe_attention

    def disturb(game: Any, *arguments: Any) -> Any:
        advance(game.discriminator)
        return observe(game, *arguments)

    chores.observe_attention = disturb


def let_signals_kill() -> None:
    """Nobody handles a signal."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal = lambda *arguments: signal.SIG_DFL  # type: ignore[assignment]


def forget(change: Any) -> None:
    """After a checkpoint was restored, `change(game, state)` loses something; it may return another state."""
    from sagan.workflows import train

    go_on = train.go_on

    def forgetful(game: Any, *arguments: Any) -> Any:
        state = go_on(game, *arguments)
        return change(game, state) or state

    train.go_on = forgetful


def forget_position() -> None:
    """The order of the pictures starts anew."""
    forget(lambda game, state: state.model_copy(update={"position": 0}))


def forget_memory() -> None:
    """The generator's optimiser starts anew."""
    forget(
        lambda game, state: [t.zero_() for m in game.generator_optimiser.state.values() for t in m.values()] and None
    )


def forget_average() -> None:
    """The averaged generator is the live one again. No loss shows it."""
    forget(lambda game, state: game.averaged.model.load_state_dict(game.generator.state_dict()) and None)


def forget_statistics() -> None:
    """The running means start anew. No loss shows it."""
    forget(
        lambda game, state: (
            [b.zero_() for n, b in game.generator.named_buffers() if n.endswith("running_mean")] and None
        )
    )


def forget_vectors() -> None:
    """The u of the discriminator's spectral norm start anew."""
    forget(
        lambda game, state: (
            [b.copy_(b.flip(0)) for n, b in game.discriminator.named_buffers() if n.endswith(".u")] and None
        )
    )


def forget_critic() -> None:
    """The count of discriminator updates, which their noise depends on, starts anew."""
    forget(lambda game, state: setattr(game, "critic_updates", 0))


def lock_nothing() -> None:
    """Whoever asks for a folder gets it."""
    from sagan.disk import lock

    lock._lock = lambda descriptor: True


def keep_the_owner_secret() -> None:
    """The lock holds no words."""
    from sagan.disk.effects import Disk

    Disk.rewrite = lambda *arguments: None  # type: ignore[assignment]


def share_the_lock_with_children() -> None:
    """Children of the owner keep the lock after its death, as they do when nobody thinks of it."""
    import os

    from sagan.disk import lock
    from sagan.workflows import train

    prepare = train.prepare

    def forget_to_register(run: Any) -> None:
        lock._HOLDERS.clear()
        prepare(run)
        if os.fork() == 0:
            signal.pause()

    train.prepare = forget_to_register


def leave_temporary_files() -> None:
    """What could not be written whole stays."""
    from sagan.disk import atomic

    atomic._discard = lambda path, disk: None


def take_every_failed_save_lightly() -> None:
    """Also the last of a run."""
    from sagan.workflows import chores

    save = chores.save

    def careless(scene: Any, moment: Any) -> None:
        try:
            save(scene, moment)
        except chores.ResourceError:
            pass

    chores.save = careless
