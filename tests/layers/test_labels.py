from __future__ import annotations

import pytest
import torch

from sagan.errors import ConfigError
from sagan.layers.labels import required_labels


def test_labels_are_given_back_as_they_are():
    labels = torch.tensor([2, 0])
    assert required_labels(labels, 3) is labels


@pytest.mark.parametrize(("classes", "words"), [(5, "5 classes"), (1, "1 class")])
def test_no_labels_are_refused_in_one_line(classes, words):
    with pytest.raises(ConfigError) as caught:
        required_labels(None, classes)
    line = f"this network has {words} and was called without labels. Pass labels: one whole number from 0 to "
    assert str(caught.value) == f"{line}{classes - 1} for each picture."
