"""Two small guards in front of everything: which Host names are served, and the headers every answer carries.

Both are plain ASGI, since Starlette's BaseHTTPMiddleware sees no websockets.
"""

from starlette.datastructures import Headers as RequestHeaders
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

# Streamlit writes styles inline and loads components from blobs; nothing may come from, or be sent to, another host.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; connect-src 'self' {websocket} blob: data:; "
    "worker-src 'self' blob:; frame-src 'self' blob: data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class HostCheck:
    """Refuse requests whose Host is not in `server.allowedHosts`: a hostile page may point its own name at this machine."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request or websocket."""
        if scope["type"] not in {"http", "websocket"} or is_host_allowed(RequestHeaders(scope=scope).get("host")):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse_websocket(receive, send)
        else:
            answer = PlainTextResponse("This host name is not in server.allowedHosts.", status_code=421)
            await answer(scope, receive, send)


class Headers:
    """Add the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with headers added."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host = RequestHeaders(scope=scope).get("host", "localhost")
        policy = _POLICY.format(websocket=f"ws://{host} wss://{host}")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", policy)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def refuse_websocket(receive: Receive, send: Send) -> None:
    """Close a websocket before it is accepted, which the client sees as 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1008})
