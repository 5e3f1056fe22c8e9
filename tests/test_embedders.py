import json
from itertools import pairwise

import numpy as np
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coach import encoder as model
from coach.errors import EmbedderUnavailable, WeightsTampered
from coach.knowledge.embedders import CountedWords, Endpoint, _cuts, unit

LONG = "The night shift found the machine in pieces. Nobody had told them why. " * 60


def test_like_meanings_are_near_and_unlike_ones_far(encoder):
    """The encoder is the one it says it is."""
    near, far = encoder.embed(["nobody says a word in my meetings", "the invoice is late"]) @ encoder.embed(["my team never speaks up"])[0]
    assert near > far + 0.2


def test_vectors_have_length_one_and_the_same_text_the_same_vector(encoder):
    """Cosines are dot products."""
    rows = encoder.embed(["one", "", LONG, "one"])
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.array_equal(rows[0], rows[3])


def test_a_long_text_is_read_in_parts_and_its_end_counts(encoder):
    """Nothing is cut off at 256 tokens."""
    plain = encoder.read(LONG)
    ended = encoder.read(LONG + "And then I cried in the car.")
    assert len(plain.parts) > 5
    assert not np.allclose(plain.parts[-1], ended.parts[-1], atol=0.05)


def test_a_span_is_read_in_the_light_of_its_sentence(encoder):
    """The same words in two stories are not the same vector, and both are nearer to their own story."""
    first, second = "He laughed and I said leave it with me.", "The dog barked and I said leave it with me."
    words = "leave it with me"
    spans = [encoder.read(text, [(text.index(words), text.index(words) + len(words))]).spans[0] for text in (first, second)]
    assert not np.allclose(*spans, atol=0.01)
    assert spans[0] @ spans[1] > 0.6


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=400))
def test_any_text_can_be_read(text, encoder):
    """Also lone surrogates, also nothing."""
    safe = text.encode("utf-8", "replace").decode()
    reading = encoder.read(safe, [(0, len(safe)), (5, 3)])
    assert np.isfinite(reading.parts).all()
    assert np.isfinite(reading.spans).all()


@given(total=st.integers(0, 2000), size=st.integers(2, 254))
def test_windows_are_whole_and_none_is_too_long(total, size):
    """They cover every token once."""
    cuts = _cuts(["."] * total, size)
    assert cuts[0] == 0
    assert cuts[-1] == max(total, 1)
    assert all(0 < later - sooner <= size for sooner, later in pairwise(cuts))


@pytest.mark.parametrize(("name", "what"), [("WEIGHTS_SHA256", "model.onnx"), ("TOKENIZER_SHA256", "tokenizer.json")])
def test_a_file_that_is_not_the_pinned_one_is_not_used(monkeypatch, name, what):
    """Weights from anywhere else are no weights."""
    monkeypatch.setattr(model, name, "0" * 64)
    with pytest.raises(WeightsTampered, match=what):
        model.Encoder()


def test_reading_the_same_text_twice_runs_the_model_once(encoder, monkeypatch):
    """Kept by hash; the text itself is not kept."""
    text = "Something quite new that nobody wrote before in this session."
    encoder.read(text)
    monkeypatch.setattr(encoder, "_encode", lambda _text: pytest.fail("read again"))
    encoder.read(text, [(0, 9)])
    assert all(isinstance(key, bytes) for key in encoder._cache)


def test_counted_words_need_nothing_and_know_shared_words():
    """What is left when no model is."""
    counted = CountedWords()
    near, far = counted.embed(["the pharmacy was late again", "zebras"]) @ counted.embed(["our pharmacy is always late"])[0]
    assert near > 0.3 > far
    assert counted.read("", [(0, 0)]).spans.shape == (1, counted.dimensions)


@pytest.fixture
def endpoint():
    return Endpoint(openai.OpenAI(api_key="k", base_url="https://embed.example/v1", max_retries=0), "small", 3)


def test_an_endpoint_gives_unit_vectors_in_the_order_of_the_texts(endpoint, httpx2_mock):
    """Even where it answers out of order."""
    data = [{"object": "embedding", "index": place, "embedding": row} for place, row in ((1, [0, 2, 0]), (0, [3, 0, 0]))]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    route = httpx2_mock.post("https://embed.example/v1/embeddings").respond(json={"object": "list", "data": data, "model": "small", "usage": usage})
    assert endpoint.embed(["a", "b"]).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert json.loads(route.calls[0].request.content)["input"] == ["a", "b"]


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 500, "text": "<html>"},
        {"status_code": 401, "json": {"error": {"message": "no", "code": "invalid_api_key"}}},
        {"status_code": 200, "text": "<html>"},
        {"status_code": 200, "json": {"data": None}},
        {"status_code": 200, "json": {"object": "list", "data": [{"index": 0, "embedding": [1, 2], "object": "embedding"}], "model": "small"}},
    ],
)
def test_an_endpoint_that_fails_is_unavailable_and_nothing_else(endpoint, httpx2_mock, answer):
    """Whatever the SDK lets through."""
    httpx2_mock.post("https://embed.example/v1/embeddings").respond(**answer)
    with pytest.raises(EmbedderUnavailable):
        endpoint.embed(["a"])


def test_unit_leaves_a_row_of_zeros_alone():
    """No division by nothing."""
    assert unit(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]
