"""Plant the mistakes that other codes of this family really made, one at a time, and see that a test turns red.

    python tests/faults/plant.py            all of them: minutes
    python tests/faults/plant.py "gamma"    those whose name has this in it

Each fault is a replacement in a copy of the package; the tests named with it run against the copy. The unharmed copy must
pass the same tests first. `make test-nightly` does the same through tests/faults/test_planted.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Fault:
    """`old` becomes `new` in src/sagan/`file`, once.  tests: what must turn red, as words for pytest."""

    name: str
    file: str
    old: str
    new: str
    tests: str


FAULTS = (
    Fault(
        "real and fake swapped in the discriminator's loss",
        "training/step.py",
        "game.loss.discriminator(real=on_real, fake=on_fake)",
        "game.loss.discriminator(real=on_fake, fake=on_real)",
        "tests/training/test_step.py",
    ),
    Fault(
        "softmax over the queries instead of the keys",
        "layers/attention_core.py",
        ".softmax(dim=-1)",
        ".softmax(dim=-2)",
        "tests/layers/test_attention.py",
    ),
    Fault(
        "logits scaled by 1/sqrt(d), the fused kernel's default",
        "layers/attention_core.py",
        "scale=1.0)",
        "scale=None)",
        "tests/layers/test_attention.py",
    ),
    Fault(
        "fakes not detached in the discriminator's update",
        "training/step.py",
        "with torch.no_grad(), still_statistics(game.generator):",
        "with still_statistics(game.generator):",
        "tests/training/test_step.py",
    ),
    Fault(
        "gradients reach the discriminator in the generator's update",
        "training/step.py",
        "with frozen(game.discriminator), still_statistics(game.discriminator):",
        "with still_statistics(game.discriminator):",
        "tests/training/test_step.py",
    ),
    Fault(
        "the average takes in u and v as well",
        "training/averaging.py",
        "        advance(self.model)\n",
        "        for ours, theirs in zip(self.model.buffers(), live.buffers(), strict=True):\n"
        "            ours.lerp_(theirs, 1 - self.decay)\n",
        "tests/training/test_averaging.py",
    ),
    Fault(
        "the penalty averaged over pixels",
        "losses/penalties.py",
        ".square().sum(dim=(1, 2, 3))",
        ".square().mean(dim=(1, 2, 3))",
        "tests/losses/test_penalties.py",
    ),
    Fault(
        "ReLU in place, which changes what the shortcut reads",
        "layers/blocks.py",
        "F.relu(self.norm1(x)))))",
        "F.relu_(self.norm1(x)))))",
        "tests/layers/test_blocks.py",
    ),
    Fault(
        "gamma missing",
        "layers/attention.py",
        "x + self.gamma.to(x.dtype) * self.branch(x)",
        "x + self.branch(x)",
        "tests/layers/test_attention.py",
    ),
    Fault(
        "labels shifted by one in conditional batch norm",
        "layers/norm.py",
        "F.embedding(labels, bias)",
        "F.embedding((labels + 1) % self.classes, bias)",
        "tests/layers/test_norm.py",
    ),
    # Beyond the ten that the project set itself:
    Fault(
        "one mixing share for the whole batch in WGAN-GP",
        "losses/penalties.py",
        "shares = shares.to(real.dtype)[:, None, None, None]",
        "shares = shares.to(real.dtype)[:1, None, None, None]",
        "tests/losses/test_penalties.py tests/training/test_penalty.py",
    ),
    Fault(
        "no constant under the root of the penalty's norm",
        "losses/penalties.py",
        "squared_norms(logits, pictures) + EPSILON",
        "squared_norms(logits, pictures)",
        "tests/losses/test_penalties.py",
    ),
    Fault(
        "the generator's weights clipped instead of the discriminator's",
        "training/step.py",
        "torch._foreach_clamp_min_(list(game.discriminator.parameters())",
        "torch._foreach_clamp_min_(list(game.generator.parameters())",
        "tests/training/test_penalty.py",
    ),
    Fault(
        "real and fake in one batch through the discriminator's batch norm",
        "training/judging.py",
        "if mixes_pictures(game.discriminator):",
        "if False:",
        "tests/training/test_penalty.py",
    ),
    Fault(
        "u and v moved in the discriminator's pass of the generator's update",
        "training/step.py",
        "    advance(game.generator)\n",
        "    advance(game.generator)\n    advance(game.discriminator)\n",
        "tests/training/test_step.py",
    ),
    Fault(
        "n_dis parsed and never used",
        "training/step.py",
        "for _ in range(config.n_dis):",
        "for _ in range(1):",
        "tests/training/test_step.py",
    ),
    Fault(
        "keys that are not pooled where the values are",
        "layers/attention.py",
        "key, value = F.max_pool2d(key, self.pool), F.max_pool2d(value, self.pool)",
        "key, value = F.avg_pool2d(key, self.pool), F.max_pool2d(value, self.pool)",
        "tests/layers/test_attention.py",
    ),
    Fault(
        "the gradient of sigma forgotten",
        "layers/spectral.py",
        "(gradient / sigma).addr_(u * -share, norm.row(weight).flatten())",
        "gradient / sigma",
        "tests/layers/test_spectral.py",
    ),
    Fault(
        "the two rates exchanged",
        "training/step.py",
        "set_rate(game.generator_optimiser, config.g_lr * game.rate_share,",
        "set_rate(game.generator_optimiser, config.d_lr * game.rate_share,",
        "tests/training/test_penalty.py",
    ),
    Fault(
        "the discriminator's logit of a column broadcast against a row",
        "losses/adversarial.py",
        "        logits = logits[:, 0]\n",
        "        return logits\n",
        "tests/losses/test_adversarial.py",
    ),
    # What would lose a run, quietly:
    Fault(
        "a checkpoint's files not synced",
        "disk/atomic.py",
        "                disk.sync_file(temporary / name)\n",
        "",
        "tests/reliability/test_power_loss.py tests/reliability/test_proofs.py::test_the_promise_holds[power-loss]",
    ),
    Fault(
        "a checkpoint's name not synced",
        "disk/atomic.py",
        "            raise\n        disk.sync_folder(final.parent)\n",
        "            raise\n",
        "tests/reliability/test_proofs.py::test_the_promise_holds[power-loss]",
    ),
    Fault(
        "a checkpoint written under its final name",
        "disk/atomic.py",
        "        temporary = final.parent / _temporary_name(final.name)\n",
        "        temporary = final\n",
        "tests/reliability/test_proofs.py::test_the_promise_holds[faulted-calls]",
    ),
    Fault(
        "hashes stored and never compared",
        "checkpoint/folder.py",
        'if got != entry["sha256"]:',
        'if len(got) != len(entry["sha256"]):',
        "tests/reliability/test_proofs.py::test_the_promise_holds[bit-flips]",
    ),
    Fault(
        "the count of discriminator updates not restored",
        "training/state.py",
        "game.step, game.critic_updates, game.rollbacks = state.step, state.critic_updates, state.rollbacks",
        "game.step, game.rollbacks = state.step, state.rollbacks",
        "tests/training/test_state.py",
    ),
    Fault(
        "the restored average thrown away",
        "training/state.py",
        '        | _with_prefix("averaged", game.averaged.model)\n',
        '        | {name: one.clone() for name, one in _with_prefix("averaged", game.averaged.model).items()}\n',
        "tests/training/test_state.py",
    ),
    Fault(
        "the place in the pictures not restored",
        "workflows/train.py",
        "(state.seconds, state.position)",
        "(state.seconds, 0)",
        "tests/workflows/test_resume.py",
    ),
    Fault(
        "the last good state kept by reference",
        "training/guard.py",
        'torch.empty_like(tensor, device="cpu")',
        "tensor.detach()",
        "tests/training/test_guard.py",
    ),
    Fault(
        "NaN let into the average",
        "training/step.py",
        "    require_finite(game, report)\n",
        "",
        "tests/training/test_guard.py",
    ),
    Fault(
        "a lock that two may hold",
        "disk/lock.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "tests/disk/test_lock.py",
    ),
    Fault(
        "16-bit pictures clipped to white",
        "data/convert.py",
        "((values.clip(0, 65535).astype(np.uint32) + 128) // 257)",
        "values.clip(0, 255)",
        "tests/data/test_decode.py",
    ),
    Fault(
        "a folded generator forgets to flip the kernel it spreads",
        "engines/fold.py",
        "spread_kernel(weights.kernel.flip(2, 3))",
        "spread_kernel(weights.kernel)",
        "tests/engines/test_fold.py",
    ),
    Fault(
        "a folded generator normalises by the variance alone",
        "engines/fold.py",
        "torch.atleast_2d(gain / (var + norm.eps).sqrt())",
        "torch.atleast_2d(gain / var.sqrt())",
        "tests/engines/test_fold.py",
    ),
)


def copied(folder: Path) -> Path:
    """A fresh copy of the package in `folder`; returns its path."""
    package = folder / "sagan"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(ROOT / "src" / "sagan", package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


def plant(fault: Fault, package: Path) -> None:
    """Change the copy. Raises ValueError when the place is not there exactly once: the script must move with the code."""
    path = package / fault.file
    text = path.read_text(encoding="utf-8")
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.name}: {fault.old!r} stands {text.count(fault.old)} times in {fault.file}")
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")


def run_tests(tests: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run test files against the copy in `folder`; the first red test ends it."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    check = (
        "import sagan, sys, pytest; assert sagan.__file__.startswith(sys.argv[1]); sys.exit(pytest.main(sys.argv[2:]))"
    )
    words = ["-q", "-x", "-p", "no:cacheprovider", "--timeout", "170", *tests.split()]
    return subprocess.run(
        [sys.executable, "-c", check, str(folder), *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def turns_red(fault: Fault, folder: Path) -> tuple[bool, str]:
    """Whether a test noticed the fault, and pytest's last line. 1 is pytest's code for failed tests, not for a broken run."""
    plant(fault, copied(folder))
    done = run_tests(fault.tests, folder)
    return done.returncode == 1, (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]


def main() -> int:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [fault for fault in FAULTS if wanted in fault.name]
    unnoticed = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        copied(folder)
        for tests in sorted({fault.tests for fault in chosen}):
            healthy = run_tests(tests, folder)
            if healthy.returncode != 0:
                print(f"red without any fault: {tests}\n{healthy.stdout}")
                return 2
        for fault in chosen:
            red, line = turns_red(fault, folder)
            unnoticed += not red
            print(f"{'noticed  ' if red else 'UNNOTICED'}  {fault.name}  [{line}]", flush=True)
    print(f"{len(chosen) - unnoticed} of {len(chosen)} faults noticed")
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
