"""A receiver of webhooks over a real socket: what came, and what is answered is set by the test."""

import json
import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class Came:
    """One request."""

    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers with the next of `answers`, then with 204; an answer is a status and headers, or a function of the open request."""

    answers: list = field(default_factory=list)
    came: list = field(default_factory=list)
    connections: int = 0
    names: list = field(default_factory=list)  # by which TLS was asked for


class receiving:  # noqa: N801 (it is used like a function)
    """A receiver for as long as the block lasts; with `name` by TLS, and a certificate for that name."""

    def __init__(self, name=None, folder=None):
        self.receiver = receiver = Receiver()

        class Handler(BaseHTTPRequestHandler):
            def setup(self):
                receiver.connections += 1
                super().setup()

            def log_message(self, *_said):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                receiver.came.append(Came(self.path, {key.lower(): value for key, value in self.headers.items()}, body))
                answer = receiver.answers.pop(0) if receiver.answers else (204, {})
                if callable(answer):
                    answer(self)
                    return
                self.send_response(answer[0])
                for key, value in answer[1].items():
                    self.send_header(key, value)
                self.end_headers()

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # with the five of http.server, sixteen at once wait a second to be heard

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who hangs up is part of the tests
        receiver.port = self.server.server_address[1]
        receiver.trust = None
        if name:
            certificate = certified(name, folder)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            context.sni_callback = lambda _socket, asked, _context: receiver.names.append(asked)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
            receiver.trust = ssl.create_default_context(cafile=str(certificate))

    def __enter__(self):
        threading.Thread(target=lambda: self.server.serve_forever(0.01), daemon=True).start()
        return self.receiver

    def __exit__(self, *_details):
        self.server.shutdown()
        self.server.server_close()


def certified(name, folder):
    """A file with a key and a certificate that it signed itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(plain + made.public_bytes(serialization.Encoding.PEM))
    return path
