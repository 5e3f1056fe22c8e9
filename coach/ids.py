"""Names for what is kept: they sort by the time they were made, and nobody can guess one."""

import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, in small letters
_LENGTH = 26
_FORM = re.compile(f"[{_ALPHABET}]{{{_LENGTH}}}")


def new(prefix: str) -> str:
    """`prefix`, an underscore, and a ULID: 48 bits of milliseconds and 80 random bits, in 26 letters (github.com/ulid/spec)."""
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return f"{prefix}_{''.join(_ALPHABET[value >> 5 * place & 31] for place in reversed(range(_LENGTH)))}"


def fits(prefix: str, text: str) -> bool:
    """Whether a text is a name as `new` makes them."""
    return text.startswith(f"{prefix}_") and bool(_FORM.fullmatch(text, len(prefix) + 1))
