"""A server on a real socket that says what a test has written down, request by request, and remembers what it was asked."""

import json
import socket
import threading
from dataclasses import dataclass
from typing import Self


def answer(body: object, status: str = "200 OK", kind: str = "application/json", **headers: str) -> bytes:
    """A whole response."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(status, kind, content_length=str(len(data)), **headers) + data


def head(status: str = "200 OK", kind: str = "text/event-stream", **headers: str) -> bytes:
    """A status line and headers; the body ends with the connection."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n{more}\r\n".encode()


def refusal(code: str, status: int, detail: str = "No.", **more: object) -> dict[str, object]:
    """A problem document."""
    return {"type": f"/problems/{code}", "title": "T", "status": status, "detail": detail, "code": code, "request_id": "req_1", **more}


@dataclass
class Asked:
    """A request, as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


class Scripted:
    """Answers the first request with the first of `answers`, and so on; the last for all further ones. Then it waits until the other side leaves."""

    def __init__(self, *answers: bytes, hold: bool = False) -> None:
        self._answers, self._hold = answers, hold
        self.asked: list[Asked] = []
        self.left = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # the test is over
            with connection, connection.makefile("rb") as lines:
                self._one(connection, lines)

    def _one(self, connection, lines) -> None:
        line = lines.readline().decode().strip()
        if not line:
            return  # a connection that was opened in advance and never used
        headers = {}
        while field := lines.readline().decode().strip():
            name, _, value = field.partition(": ")
            headers[name.lower()] = value
        self.asked.append(Asked(line, headers, lines.read(int(headers.get("content-length", 0)))))
        connection.sendall(self._answers[min(len(self.asked), len(self._answers)) - 1])
        if self._hold and not lines.read():
            self.left.set()
