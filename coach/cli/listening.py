"""Where the service listens: taken before anything is loaded, and a fault said in words. uvicorn would log it without any."""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack

from coach.errors import CannotListen

TAKEN = (
    "{host}:{port} is taken: another program listens there, perhaps a service that runs already. "
    "`coach serve --port NUMBER` or COACH_PORT names another port; 0 takes a free one."
)
ELSEWHERE = (
    "{host} is no address of this machine. `coach serve --host` or COACH_HOST wants one that is: "
    "127.0.0.1 for this machine alone, 0.0.0.0 for every address that it has."
)
FORBIDDEN = "The port {port} may not be listened on by this user: ports below 1024 are the system's. `coach serve --port NUMBER` names another."
OTHERWISE = "Nothing can listen on {host}:{port} ({cause}). `coach serve --host` and `--port` name another place."
REASONS = {errno.EADDRINUSE: TAKEN, errno.EADDRNOTAVAIL: ELSEWHERE, errno.EACCES: FORBIDDEN}


def see_that_it_is_free(host: str, port: int) -> None:
    """Listen for a moment: bound alone, a port may still be another's (SO_REUSEADDR). Raises CannotListen."""
    for one in bound(host, port):
        with one:
            try:
                one.listen()
            except OSError as error:
                raise unheard(host, port, error) from None


def bound(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of a host, as `asyncio` would make them; they listen once uvicorn answers. Raises CannotListen."""
    try:
        addresses = [(family, place) for family, _, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)]
    except (socket.gaierror, UnicodeError):
        raise CannotListen(ELSEWHERE.format(host=host)) from None
    with ExitStack() as undone:
        made = list(_each(host, port, dict.fromkeys(addresses), undone))
        undone.pop_all()
    return made


def _each(host: str, port: int, addresses: dict[tuple[int, object], None], undone: ExitStack) -> Iterator[socket.socket]:
    """One after the other; a family that this machine does not have is passed over while there is another."""
    missing: OSError | None = None
    found = 0
    for family, place in addresses:
        try:
            yield undone.enter_context(_bind(family, place))
            found += 1
        except OSError as error:
            if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                raise unheard(host, port, error) from None
            missing = error
    if missing and not found:
        raise unheard(host, port, missing) from None


def _bind(family: int, place: object) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(place)  # type: ignore[arg-type]  # as getaddrinfo gave it
        one.set_inheritable(True)
    except OSError:
        one.close()
        raise
    return one


def unheard(host: str, port: int, error: OSError) -> CannotListen:
    """Why nothing listens there, in words."""
    cause = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return CannotListen(REASONS.get(error.errno or 0, OTHERWISE).format(host=host, port=port, cause=cause))
