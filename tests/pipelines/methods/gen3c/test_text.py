"""Prompts: 512 tokens, with zeros after the end, as in diffusers' Cosmos pipelines."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import CosmosVideoToWorldPipeline
from transformers import T5EncoderModel

from pipelines.methods.gen3c.network.text import TOKENS, encode_text
from pipelines.methods.gen3c.weights.load import TINY
from pipelines.weights.checkpoints import build_random
from pipelines.weights.components import byte_tokenizer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def parts():
    encoder = build_random(T5EncoderModel, TINY[T5EncoderModel], seed=0, dtype=torch.float32)
    return byte_tokenizer(320), encoder


@pytest.mark.parametrize("prompt", ["a box on a floor", ""])
def test_embeddings_equal_those_of_diffusers(parts, prompt):
    tokenizer, encoder = parts
    made, cut = encode_text(tokenizer, encoder, prompt, device=CPU)
    holder = SimpleNamespace(tokenizer=tokenizer, text_encoder=encoder)
    with torch.inference_mode():
        expected = CosmosVideoToWorldPipeline._get_t5_prompt_embeds(
            holder, prompt, max_sequence_length=TOKENS, device=CPU, dtype=torch.float32
        )
    torch.testing.assert_close(made, expected)
    tokens = len(prompt) + 1
    assert cut == 0 and made[0, :tokens].abs().sum(dim=1).all() and not made[0, tokens:].any()


def test_what_does_not_fit_is_counted_and_the_end_token_kept(parts):
    tokenizer, encoder = parts
    long, cut = encode_text(tokenizer, encoder, "x" * 600, device=CPU)
    assert cut == 601 - TOKENS and long.shape == (1, TOKENS, 32)
    exact, none = encode_text(tokenizer, encoder, "x" * (TOKENS - 1), device=CPU)
    assert none == 0
    torch.testing.assert_close(long, exact)
