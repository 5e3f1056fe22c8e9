"""Brings what is to be told to addresses that others chose, and never to one within the operator's own network."""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import urlsplit

import httpx2

from coach import __version__
from coach.errors import AddressRefused
from coach.webhooks import Outcome, retry_after

TOTAL = 10.0  # seconds for a delivery in all
CONNECT = 3.0  # seconds for one of several addresses, so that there is time left for the next
REST = 2.0  # seconds for the rest of an answer, whose status has already said it
MOST = 65_536  # bytes of an answer that are read, and thrown away
TLS_PORT, PRIVILEGED = 443, 1024

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_PRINTABLE = re.compile(r"[!-\[\]-~]{1,2000}")  # no blanks and no backslash, which readers of addresses understand in several ways
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNICAST = ipaddress.ip_network("2000::/3")  # all that was ever given out of IPv6; what embeds IPv4 in other ways lies without
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: how IPv4 is reached from a network that has none
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            "100.64.0.0/10",  # shared by providers (RFC 6598); a cloud's metadata at 100.100.100.200
            "168.63.129.16/32",  # a cloud's metadata, at an address that looks public
            "192.0.0.0/24",  # protocols (RFC 6890); a cloud's metadata at 192.0.0.192
            "192.88.99.0/24",  # relays of 6to4
            "2001::/23",  # protocols, with Teredo, which embeds IPv4
            "2001:db8::/32",  # for documents
            "2002::/16",  # 6to4, which embeds IPv4
            "3fff::/20",  # for documents
        ),
    )
)


def public(address: Address) -> bool:
    """Whether an address is one of the whole Internet: not this machine, not a network of its own, nothing that leads there."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.scope_id or address not in _UNICAST:  # among these ::1, ::ffff:127.0.0.1, fe80::, fd00:: and 64:ff9b:1::
            return False
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return not any(address in network for network in _NEVER)


@dataclass(frozen=True)
class Target:
    """An address that may be asked, taken apart. It is read once, here, so that nobody after it can read it otherwise."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str, *, local: bool) -> "Target":
        """`local`: http too, for this machine alone. Raises AddressRefused."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise AddressRefused("is no address of a web server") from None
        if not _PRINTABLE.fullmatch(url) or parts.scheme not in {"http", "https"}:
            raise AddressRefused("is no address of a web server; letters beyond ASCII are written as punycode or %XX")
        if parts.scheme == "http" and not local:
            raise AddressRefused("wants https; http is for trying on this machine, with COACH_WEBHOOKS_LOCAL=on")
        if "@" in parts.netloc:
            raise AddressRefused("cannot hold a name or password; a secret can be part of its path")
        port = port if port is not None else {"https": TLS_PORT, "http": 80}[parts.scheme]
        if port != TLS_PORT and port <= PRIVILEGED:
            raise AddressRefused(f"can name the port {TLS_PORT} or one above {PRIVILEGED}")
        found = cls(parts.scheme, host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        found._see_host(local=local)
        return found

    def _see_host(self, *, local: bool) -> None:
        literal = _literal(self.host)
        if literal is None and (not _HOST.fullmatch(self.host) or _NUMBER.fullmatch(self.host.rstrip(".").rpartition(".")[2])):
            raise AddressRefused("names no host")  # 2130706433, 0177.0.0.1 and 0x7f.1 are 127.0.0.1 to those who look them up
        if literal is not None and not self.allows(literal, local=local):
            raise AddressRefused("lies within a network of its own")

    def allows(self, address: Address, *, local: bool) -> bool:
        """Whether it may be asked at that address: at a public one by https; at this machine where that is allowed."""
        return (local and address.is_loopback) or (self.scheme == "https" and public(address))

    @property
    def named(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == TLS_PORT and self.scheme == "https" else f"{host}:{self.port}"


class Courier:
    """Sends over httpx2's transport alone: no client, so no redirect, no proxy or password of the environment, no cookie, no line in a log.

    Each delivery has a connection of its own. One that is kept open would be kept by its IP address, where several names may live.
    """

    def __init__(self, *, local: bool = False, resolve: Resolve | None = None, trust: ssl.SSLContext | None = None) -> None:
        """`resolve` looks up names, `trust` says whom TLS believes; the operating system does both where nothing is given."""
        self._local = local
        self._resolve = resolve or self._look_up
        self._trust = trust

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        """Of its own: a name server that does not answer must not hold up the threads that read write-ups."""
        return ThreadPoolExecutor(4, "names")

    def target(self, url: str) -> Target:
        """An address taken apart. Raises AddressRefused where it could never be asked; where its name leads is seen when it is."""
        return Target.of(url, local=self._local)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send it, once."""
        try:
            async with asyncio.timeout(TOTAL):
                target = self.target(url)
                return await self._try_each(target, await self._addresses(target), headers, body)
        except (AddressRefused, httpx2.InvalidURL):
            return Outcome(trouble="address refused")
        except (TimeoutError, httpx2.TimeoutException):
            return Outcome(trouble="no answer in time")
        except httpx2.TransportError as error:
            return Outcome(trouble="not trusted" if _of_tls(error) else "no connection")
        except OSError:
            return Outcome(trouble="name not found")

    async def _addresses(self, target: Target) -> list[Address]:
        """Where the name leads just now. One address that is not allowed refuses them all: which one is used would be chance.

        Raises AddressRefused, OSError.
        """
        literal = _literal(target.host)
        names = [target.host] if literal else await self._resolve(target.host, target.port)
        found = [ipaddress.ip_address(name) for name in names]
        if not found or not all(target.allows(one, local=self._local) for one in found):
            raise AddressRefused("leads into a network of its own")
        return found

    async def _try_each(self, target: Target, addresses: Sequence[Address], headers: Mapping[str, str], body: bytes) -> Outcome:
        *others, last = addresses
        for address in others:
            with suppress(httpx2.ConnectError, httpx2.ConnectTimeout):  # as of a machine without IPv6; the next may do
                return await self._post(target, address, headers, body)
        return await self._post(target, last, headers, body)

    async def _post(self, target: Target, address: Address, headers: Mapping[str, str], body: bytes) -> Outcome:
        """To the very address that was checked. Were the name looked up again, it could lead elsewhere by then (DNS rebinding).

        The name is still what the Host header says and what TLS asks the certificate for.
        """
        at = f"[{address}]" if address.version == 6 else str(address)
        request = httpx2.Request(
            "POST",
            f"{target.scheme}://{at}:{target.port}{target.path}",
            headers={"host": target.named, "user-agent": f"coach/{__version__}", "content-type": "application/json", **headers},
            content=body,
            extensions={"sni_hostname": target.host.rstrip("."), "timeout": httpx2.Timeout(TOTAL, connect=CONNECT).as_dict()},
        )
        async with httpx2.AsyncHTTPTransport(verify=await self._trusted()) as transport:
            response = await transport.handle_async_request(request)
            try:
                await _read_rest(response)
            finally:
                await response.aclose()
        return Outcome(response.status_code, wait=retry_after(response.headers.get("retry-after", ""), datetime.now(UTC)))

    async def _trusted(self) -> ssl.SSLContext:
        """Read once, and aside: it takes as long as fifty requests."""
        if self._trust is None:
            self._trust = await asyncio.get_running_loop().run_in_executor(self._threads, httpx2.create_ssl_context)
        return self._trust

    async def _look_up(self, host: str, port: int) -> list[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        )
        return [str(place[0]) for *_, place in found]


async def _read_rest(response: httpx2.Response) -> None:
    """Not decoded, so that a small answer cannot become a large one. Whether it ends well no longer matters: the status has said it."""
    length = 0
    with suppress(httpx2.TransportError, TimeoutError):
        async with asyncio.timeout(REST):
            async for part in response.aiter_raw():
                length += len(part)
                if length >= MOST:
                    return


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _of_tls(error: BaseException | None) -> bool:
    """Whether it was the certificate: httpx2 says "connect error" to that too."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None
