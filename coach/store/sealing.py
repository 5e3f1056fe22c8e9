"""Encryption of kept texts: AES-256-GCM (NIST SP 800-38D), a fresh nonce each, bound to the row it stands in."""

import base64
import binascii
import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from coach.errors import SettingsError, StoreKeyWrong

VARIABLE = "COACH_STORE_KEY"
_PLAIN, _SEALED = b"\x00", b"\x01"
_KEY, _NONCE, _NAME = 32, 12, 4


class Sealer:
    """Seals with the first key, opens with any. Without keys texts are kept as they are."""

    def __init__(self, keys: str) -> None:
        """`keys`: 32 bytes each in base64, between commas, the newest first. Raises SettingsError."""
        found = [_read(key.strip()) for key in keys.split(",") if key.strip()]
        self._keys = {_name(key): AESGCM(key) for key in found}
        self._first = _name(found[0]) if found else None

    def seal(self, data: bytes, place: str) -> bytes:
        """As it is written. `place` names the row: what is sealed for one cannot be put into another."""
        if self._first is None:
            return _PLAIN + data
        nonce = secrets.token_bytes(_NONCE)
        return _SEALED + self._first + nonce + self._keys[self._first].encrypt(nonce, data, place.encode())

    def open(self, blob: bytes, place: str) -> bytes:
        """What was sealed. Raises StoreKeyWrong where no key fits."""
        if blob[:1] == _PLAIN:
            return blob[1:]
        name, nonce, sealed = blob[1 : 1 + _NAME], blob[1 + _NAME : 1 + _NAME + _NONCE], blob[1 + _NAME + _NONCE :]
        if name not in self._keys:
            raise StoreKeyWrong(name.hex(), tuple(known.hex() for known in self._keys))
        try:
            return self._keys[name].decrypt(nonce, sealed, place.encode())
        except InvalidTag:
            raise StoreKeyWrong(name.hex(), (name.hex(),)) from None

    def fresh(self, blob: bytes) -> bool:
        """Whether a blob is as this would seal it now: under the newest key, or plain where there is none."""
        return blob[:1] == _PLAIN if self._first is None else blob[1 : 1 + _NAME] == self._first and blob[:1] == _SEALED


def _read(key: str) -> bytes:
    try:
        found = base64.b64decode(key, validate=True)
    except binascii.Error:
        found = b""
    if len(found) != _KEY:
        raise SettingsError(VARIABLE, "wants 32 random bytes in base64, such as `openssl rand -base64 32` gives; several between commas")
    return found


def _name(key: bytes) -> bytes:
    return hashlib.sha256(b"coach store key" + key).digest()[:_NAME]
