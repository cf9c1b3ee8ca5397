"""Training settings: which recipes continue one another, and how much memory they need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from camera.errors import InputError
from pipelines.methods.dimensionx.training.settings import Recipe, check_name


def test_recipes_that_continue_one_another_have_one_identity():
    recipe = Recipe()
    assert recipe.identity == Recipe(steps=10, save_every=5, sample_every=0, checkpointing=False).identity
    assert len({recipe.identity, Recipe(rank=8).identity, Recipe(seed=1).identity, Recipe(name="other").identity}) == 4


def test_memory_grows_with_what_is_kept():
    plain = Recipe()
    assert 20 < plain.gigabytes < 30  # weights 11.7, matrices 5.3, activations of 42 blocks plus one in full
    assert plain.gigabytes < Recipe(batch=2).gigabytes < Recipe(checkpointing=False).gigabytes
    assert Recipe(rank=16).gigabytes < plain.gigabytes and Recipe(frames=9).gigabytes < plain.gigabytes


@pytest.mark.parametrize("name", ["", "../up", "a b", "a/b", "-a", "x" * 61])
def test_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(InputError, match="letters, digits"):
        check_name(name)


def test_the_settings_are_light():
    code = "import sys, pipelines.methods.dimensionx.training.settings, pipelines.methods.dimensionx.training.uploads; assert not {'torch', 'diffusers', 'gradio'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
