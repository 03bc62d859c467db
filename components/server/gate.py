"""The door: with AYAR_PASSWORD set, nothing but the sign-in form is served before the password was given.

With Streamlit's own OpenID Connect sign-in the shell guards the pages, and this door the routes that are no pages.
"""

import hashlib
import hmac
import secrets
from pathlib import Path
from urllib.parse import parse_qs, quote

import streamlit as st
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from components.server.attempts import Attempts
from components.server.guards import refuse_websocket
from components.server.login_page import login_page
from components.server.requests import is_https, is_same_origin, local_path
from finetune_core.workspace import installation

COOKIE = "ayar_session"
SESSION_S = 14 * 24 * 3600
_OPEN = {"/_stcore/health"}
_NOT_PAGES = ("/_stcore/", "/static/", "/app/", "/media/", "/component/", "/api/", "/auth/", "/oauth2callback")
_FONT = Path(__file__).resolve().parents[1] / "static" / "fonts" / "inter-latin.woff2"
_MAX_FORM_BYTES = 4096


class Gate:
    """Let signed-in requests and websockets through, answer the sign-in form, refuse the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._attempts = Attempts()
        self._signed_out: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request or websocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        password = installation.password()
        if not password:
            await self._without_password(connection, scope, receive, send)
        elif scope["type"] == "http" and (answer := await self._own_route(Request(scope, receive), password)):
            await answer(scope, receive, send)
        elif scope["path"] in _OPEN or self._session(connection, password):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse_websocket(receive, send)
        else:
            await _refusal(scope)(scope, receive, send)

    async def _without_password(self, connection: HTTPConnection, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/api/") and _has_oidc() and not _has_oidc_cookie(connection):
            await PlainTextResponse("Sign in first.", status_code=401)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _own_route(self, request: Request, password: str) -> Response | None:
        path, method = request.url.path, request.method
        if path == "/login" and method == "GET":
            return login_page(local_path(request.query_params.get("next", "/")))
        if path == "/login" and method == "POST":
            return await self._sign_in(request, password)
        if path == "/logout":
            return self._sign_out(request, password)
        if path == "/login/inter.woff2":
            return FileResponse(_FONT, media_type="font/woff2", headers={"cache-control": "max-age=604800"})
        return None

    async def _sign_in(self, request: Request, password: str) -> Response:
        client = request.client.host if request.client else ""
        body = await _read(request, _MAX_FORM_BYTES)
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=4)
        target = local_path(fields.get("next", ["/"])[0])
        if not is_same_origin(request):
            return login_page(target, "This form was sent from another site.", 403)
        if wait := self._attempts.wait_s(client):
            text = f"Too many tries. Wait {wait:.0f} s, then try again."
            return login_page(target, text, 429, headers={"retry-after": str(int(wait) + 1)})
        if not _is_equal(fields.get("password", [""])[0], password):
            self._attempts.failed(client)
            return login_page(target, "That is not the password.", 401)
        answer = RedirectResponse(target, status_code=303)
        answer.set_cookie(
            COOKIE, _serializer(password).dumps(secrets.token_urlsafe(16)), max_age=SESSION_S, httponly=True,
            samesite="lax", secure=is_https(request),
        )  # fmt: skip
        return answer

    def _sign_out(self, request: Request, password: str) -> Response:
        if request.method != "POST" or not is_same_origin(request):
            return PlainTextResponse("Sign out with the button on Settings.", status_code=405)
        if session := self._session(request, password):
            self._signed_out.add(session)
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(COOKIE)
        return answer

    def _session(self, connection: HTTPConnection, password: str) -> str:
        """The session's id, or "" for a cookie that is missing, altered, too old, or was signed out."""
        try:
            session = _serializer(password).loads(connection.cookies.get(COOKIE, ""), max_age=SESSION_S)
        except BadSignature:
            return ""
        return session if isinstance(session, str) and session not in self._signed_out else ""


def _serializer(password: str) -> URLSafeTimedSerializer:
    # Another password makes another key, so that changing it ends every session.
    key = hmac.new(installation.cookie_secret(), password.encode(), hashlib.sha256).digest()
    return URLSafeTimedSerializer(key, salt="ayar.session", signer_kwargs={"digest_method": hashlib.sha256})


def _is_equal(given: str, wanted: str) -> bool:
    # Digests have one length, so that the comparison takes as long for every wrong password.
    return hmac.compare_digest(hashlib.sha256(given.encode()).digest(), hashlib.sha256(wanted.encode()).digest())


def _refusal(scope: Scope) -> Response:
    if scope["method"] != "GET" or scope["path"].startswith(_NOT_PAGES):
        return PlainTextResponse("Sign in first.", status_code=401)
    query = scope.get("query_string", b"").decode("latin-1")
    target = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse("/login" if target == "/" else f"/login?next={quote(target, safe='')}", status_code=303)


async def _read(request: Request, limit: int) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            return b""
    return body


def _has_oidc() -> bool:
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def _has_oidc_cookie(connection: HTTPConnection) -> bool:
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

    value = connection.cookies.get(USER_COOKIE_NAME, "").encode("latin-1")
    return bool(value) and decode_signed_value(get_cookie_secret(), USER_COOKIE_NAME, value) is not None
