"""What our figures stand beside: a plain Litestar application that relays a provider's tokens through openai's client. No checks, no library."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

import httpx2
import msgspec
import openai
import uvicorn
from litestar import Litestar, Request, post
from litestar.params import BodyKwarg
from litestar.response import Response, Stream


class Asked(msgspec.Struct):
    """A challenge."""

    challenge: str


def main() -> None:
    """Serve on the port in PORT, in front of OPENAI_BASE_URL."""
    http = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=1200))
    client = openai.AsyncOpenAI(api_key="none", max_retries=0, http_client=http)

    async def tokens(challenge: str) -> AsyncIterator[str]:
        stream = await client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": challenge}], stream=True)
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    async def events(challenge: str) -> AsyncIterator[bytes]:
        async for token in tokens(challenge):
            yield b"data: " + msgspec.json.encode({"token": token}) + b"\n\n"

    @post("/v1/reflections", status_code=200)
    async def relay(data: Annotated[Asked, BodyKwarg()], request: Request) -> Response | Stream:
        if "event-stream" in request.headers.get("accept", ""):
            return Stream(events(data.challenge), media_type="text/event-stream")
        return Response({"text": "".join([token async for token in tokens(data.challenge)])})

    uvicorn.run(Litestar([relay]), port=int(os.environ["PORT"]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
