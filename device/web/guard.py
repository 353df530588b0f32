"""Stands before every route: which requests are answered at all, and the headers of each answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from device.web.access import host_of, is_known_host

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# Nothing from elsewhere, nothing written into the page, nobody frames it, nobody keeps it.
HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
    ("Cache-Control", "no-store"),
)
METHODS = ("GET", "HEAD", "POST")
FORWARDED = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


class Guard:
    """A WSGI application around another one.

    Args:
        inner: the routes.
        names: under which the device is known, in lower case.
        needs_password: False where everybody on this device may look: then a proxy, behind which
            others may stand, is refused.
    """

    def __init__(self, inner: Application, names: Iterable[str], needs_password: bool) -> None:
        self._inner, self._names = inner, frozenset(names)
        self._needs_password = needs_password

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a request."""

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, *HEADERS], *more)

        if refusal := self._refusal(environ):
            status, why = refusal
            start(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{why}\n".encode()]
        return self._inner(environ, start)

    def _refusal(self, environ: Environ) -> tuple[str, str] | None:
        if environ["REQUEST_METHOD"] not in METHODS:
            return "405 Method Not Allowed", "allowed: GET, HEAD, POST"
        if not is_known_host(environ.get("HTTP_HOST", ""), self._names):
            return (
                "421 Misdirected Request",
                "this device is not known under that name; see web.host_names",
            )
        if not self._needs_password and any(name in environ for name in FORWARDED):
            return (
                "403 Forbidden",
                "behind a proxy the page needs a password; see web.password_hash",
            )
        if environ["REQUEST_METHOD"] == "POST" and not self._is_own(environ):
            return "403 Forbidden", "asked for by another site"
        return None

    def _is_own(self, environ: Environ) -> bool:
        """Whether a change was asked for by our own page, as far as the browser says."""
        if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") not in ("same-origin", "none"):
            return False
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return True
        try:
            asked_by = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return asked_by != "" and (
            asked_by == environ["HTTP_HOST"].strip().lower() or host_of(asked_by) in self._names
        )
