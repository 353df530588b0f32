"""The page's password: kept as a hash that is slow to compute (scrypt, RFC 7914)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from device.errors import ConfigurationError, StorageError, is_storage_trouble
from device.files import read_file
from device.settings.tree import Web

# As strong as OWASP's Password Storage Cheat Sheet asks, with the least memory: 8 MB while it runs.
N, R, P = 1 << 13, 8, 10
SALT_BYTES, KEY_BYTES = 16, 32
LEAST_CHARACTERS = 8
MOST_CHARACTERS = 200
MOST_FILE_BYTES = 1024
MOST_MEMORY = 64 << 20
_ONE_AT_A_TIME = threading.Lock()  # so many logins at once take the memory of one


@dataclass(frozen=True)
class PasswordHash:
    """What is known of the password."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    def fits(self, password: str) -> bool:
        """Whether this is the password; takes a while, and the same for each."""
        if len(password) > MOST_CHARACTERS:
            return False
        with _ONE_AT_A_TIME:
            key = _derive(password, self.n, self.r, self.p, self.salt, len(self.key))
        return hmac.compare_digest(key, self.key)

    def __str__(self) -> str:
        """``scrypt:8192:8:10:SALT:KEY``, both in base64."""
        salt, key = (base64.b64encode(part).decode() for part in (self.salt, self.key))
        return f"scrypt:{self.n}:{self.r}:{self.p}:{salt}:{key}"


def make_hash(password: str) -> PasswordHash:
    """A hash with a new salt."""
    salt = secrets.token_bytes(SALT_BYTES)
    return PasswordHash(N, R, P, salt, _derive(password, N, R, P, salt, KEY_BYTES))


def parse_hash(text: str) -> PasswordHash:
    """A line of ``mien web password``.

    Raises:
        ValueError: it is none, or takes more memory than it may.
    """
    kind, *numbers, salt_text, key_text = text.strip().split(":")
    try:
        n, r, p = (int(number) for number in numbers)
        salt, key = (base64.b64decode(part, validate=True) for part in (salt_text, key_text))
    except binascii.Error as error:
        raise ValueError("not base64") from error
    is_power = n > 1 and n & (n - 1) == 0
    if kind != "scrypt" or not (is_power and 1 <= r <= 32 and 1 <= p <= 64):
        raise ValueError("not such a hash")
    if 128 * n * r > MOST_MEMORY // 2 or len(salt) < 8 or not 16 <= len(key) <= 64:
        raise ValueError("not such a hash")
    return PasswordHash(n, r, p, salt, key)


def configured_hash(web: Web) -> PasswordHash | None:
    """The hash of the settings, or of the file that they name; None where there is none.

    Raises:
        ConfigurationError: the file cannot be read, or what stands there is no hash.
        StorageError: the disk fails; it may be over at the next start.
    """
    key, text = "web.password_hash", web.password_hash
    if web.password_file:
        key = f"web.password_file = {web.password_file!r}"
        try:
            text = read_file(Path(web.password_file), MOST_FILE_BYTES).decode("ascii")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not such a line"
            problem = f"{key}: cannot read it: {reason}"
            passes = is_storage_trouble(error)
            raise (StorageError if passes else ConfigurationError)(problem) from error
    elif not text:
        return None
    try:
        return parse_hash(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{key}: expected the line that `mien web password` makes"
        ) from error


def _derive(password: str, n: int, r: int, p: int, salt: bytes, length: int) -> bytes:
    secret = password.encode(errors="surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=MOST_MEMORY, dklen=length)
