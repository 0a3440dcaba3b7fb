"""What a look at a set suggests to the person who is about to train on it."""

from __future__ import annotations

from collections.abc import Mapping

from sagan.data.found import Scan

UNBALANCED = 5  # the largest class over the smallest from which balance is suggested


def about_duplicates(duplicates: list[tuple[str, ...]], across: list[tuple[str, ...]]) -> list[str]:
    """duplicates: groups of names with equal bytes.  across: those of them in more than one class."""
    notes = []
    if duplicates:
        extra = sum(len(group) - 1 for group in duplicates)
        notes.append(f"{extra:,} pictures are exact copies of others (such as {' and '.join(duplicates[0][:2])}).")
    if across:
        notes.append(f"{len(across):,} pictures lie in more than one class (such as {' and '.join(across[0][:2])}).")
    return notes


def about_channels(found: Scan, channels: int) -> list[str]:
    """Which number of channels fits, where it is not the one that is asked for."""
    count, clear, grey = len(found.kept), found.transparent, found.grey
    if channels == 4:
        rest = " With --channels 4 the networks would learn a fourth channel that says nothing."
        return [f"None of the pictures has transparency.{rest}"] if count and not clear else []
    if clear:
        advice = " --channels 4 would keep it." if 2 * clear > count else ""
        return [f"{clear:,} of {count:,} pictures have transparency, which is laid on --background.{advice}"]
    if count and grey == count and channels == 3:
        return ["All pictures are grey: --channels 1 would train on one channel in place of three equal ones."]
    return []


def about_balance(counts: Mapping[str, int], balance: bool) -> list[str]:
    """counts: class -> usable pictures.  balance: whether classes are shown equally often already."""
    filled = {name: count for name, count in counts.items() if count}
    if balance or not filled:
        return []
    largest, smallest = max(filled, key=lambda name: filled[name]), min(filled, key=lambda name: filled[name])
    if filled[largest] <= UNBALANCED * filled[smallest]:
        return []
    return [
        f"The largest class, {largest}, has {filled[largest]:,} pictures and the smallest, {smallest}, has "
        f"{filled[smallest]:,}: --balance would show every class equally often."
    ]
