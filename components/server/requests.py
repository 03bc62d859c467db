"""What the guards ask of a request: does it come from our own page, and from which host."""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection


def is_same_origin(connection: HTTPConnection) -> bool:
    """Whether the browser says that the request was made by a page of this very host; without an Origin it was not."""
    origin = connection.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == connection.headers.get("host")


def is_https(connection: HTTPConnection) -> bool:
    """Whether the request came over TLS, here or at a proxy in front."""
    forwarded = connection.headers.get("x-forwarded-proto", "")
    return connection.scope.get("scheme") in {"https", "wss"} or forwarded == "https"


def local_path(wanted: str) -> str:
    """`wanted` if it is a path on this host, else "/": a link must not send a reader who signs in somewhere else."""
    parts = urlsplit(wanted)
    is_local = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return wanted if is_local and wanted.isprintable() and "\\" not in wanted else "/"
