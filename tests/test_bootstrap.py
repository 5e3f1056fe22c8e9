import asyncio
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from coach import bootstrap
from coach.bootstrap import LEFT, assemble, embedder
from coach.errors import EmbedderUnavailable
from coach.knowledge.embedders import CountedWords, Endpoint
from coach.knowledge.shelf import WITHOUT_ENCODER
from coach.model import Asked, Challenge, Noticed
from coach.reflect import reflect
from coach.settings import Settings

TEXT = "I snapped at him on the open line and nobody has mentioned it since that night."


def answer(coach):
    async def run():
        return [event async for event in reflect(Challenge(TEXT), coach.needs)]

    return asyncio.run(run())


def test_without_a_working_encoder_it_counts_words_and_says_so(tmp_path, monkeypatch):
    """Three questions all the same."""

    def broken(_settings):
        raise EmbedderUnavailable("local", "told to")

    monkeypatch.setattr(bootstrap, "embedder", broken)
    coach = assemble(Settings(data_dir=tmp_path), lambda _done, _total: None)
    events = answer(coach)
    assert sum(isinstance(event, Asked) for event in events) == 3
    assert WITHOUT_ENCODER in [event.notice for event in events if isinstance(event, Noticed)]
    assert asyncio.run(coach.health())["encoder"] == "counting words instead"


def test_an_endpoint_that_is_down_at_the_start_is_no_reason_not_to_answer(tmp_path, httpx2_mock):
    """It was chosen, it does not answer: words are counted."""
    httpx2_mock.post("https://embed.example/v1/embeddings").respond(500)
    settings = Settings(data_dir=tmp_path, embedder="endpoint", embedding_base_url="https://embed.example/v1", embedding_api_key="k")
    coach = assemble(settings, lambda _done, _total: None)
    assert coach.plain
    assert sum(isinstance(event, Asked) for event in answer(coach)) == 3


class Embeddings(BaseHTTPRequestHandler):
    """An embeddings endpoint on this machine: counted words, cut to 16 numbers. Remembers what it was sent."""

    seen: ClassVar[list[str]] = []

    def do_POST(self):
        texts = json.loads(self.rfile.read(int(self.headers["content-length"])))["input"]
        self.seen.extend(texts)
        vectors = CountedWords().embed(texts)[:, :16] + 0.01
        data = [{"object": "embedding", "index": place, "embedding": row.tolist()} for place, row in enumerate(vectors)]
        body = json.dumps({"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        """Say nothing."""


def test_with_an_endpoint_every_answer_says_that_the_text_left_and_no_name_leaves(tmp_path):
    """Masked, the spans of it too."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Embeddings) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        settings = Settings(data_dir=tmp_path, embedder="endpoint", embedding_base_url=url, embedding_api_key="k", embedding_dimensions=16)
        coach = assemble(settings, lambda _done, _total: None)
        events = answer(coach)
        coach.library.shelves.read("On Tuesday I told Priti Vasani that I was wrong. Priti laughed.", [(11, 24), (49, 62)])
        coach.library.shelves.first.embedder.close()
        server.shutdown()
    assert not coach.plain
    assert LEFT in [event.notice for event in events if isinstance(event, Noticed)]
    assert "your words are sent to a service" in events[0].disclosure
    assert sum(isinstance(event, Asked) for event in events) == 3
    assert any("Colleague A" in text for text in Embeddings.seen)
    assert not any("Priti" in text or "Vasani" in text for text in Embeddings.seen)
    privacy = events[-1].privacy
    assert (privacy.left_process, privacy.to, privacy.masked) == (True, "127.0.0.1", {})


def test_an_endpoint_without_a_key_is_said_to_be_unavailable(monkeypatch):
    """In one line, not in a traceback from the depths of a client."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(EmbedderUnavailable, match="endpoint"):
        embedder(Settings(embedder="endpoint"))
    assert isinstance(embedder(Settings(embedder="endpoint", embedding_api_key="k")), Endpoint)


def test_an_index_of_another_embedder_is_built_anew(coach, tmp_path):
    """The mismatch is no reason not to serve."""
    shutil.copytree(coach.settings.data_dir / "index", tmp_path / "index")
    manifest = next((tmp_path / "index").glob("build-*/manifest.json"))
    manifest.write_text(manifest.read_text().replace("MiniLM", "OtherLM"))
    again = assemble(Settings(data_dir=tmp_path), lambda _done, _total: None)
    assert not again.in_memory
    assert asyncio.run(again.library.ready())
    assert coach.library.version == again.library.version
