"""The door of the dashboard, tried over a real server: sign-in, hosts, origins, headers, metrics."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.dashboard_server import Dashboard, dashboard

PASSWORD = "open sesame ß"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard that asks for a password."""
    with dashboard(tmp_path_factory.mktemp("locked"), {"AYAR_PASSWORD": PASSWORD}) as server:
        yield server


@pytest.fixture
def client(locked: Dashboard) -> Iterator[httpx.Client]:
    """A browser that has not signed in."""
    with httpx.Client(base_url=locked.url, timeout=120) as session:
        yield session


@pytest.fixture
def signed_in(locked: Dashboard, client: httpx.Client) -> httpx.Client:
    """A browser that has."""
    answer = _sign_in(client, locked, PASSWORD)
    assert answer.status_code == 303, answer.text
    return client


def _sign_in(client: httpx.Client, server: Dashboard, password: str, **more: str) -> httpx.Response:
    return client.post("/login", data={"password": password, **more}, headers={"origin": server.url})


def _websocket_status(server: Dashboard, **headers: str) -> int:
    async def knock() -> int:
        try:
            async with connect(
                f"{server.url.replace('http', 'ws')}/_stcore/stream", additional_headers=headers, open_timeout=120
            ):
                return 101
        except InvalidStatus as refusal:
            return refusal.response.status_code

    return asyncio.run(knock())


@pytest.mark.parametrize(
    ("path", "status"),
    [("/_stcore/host-config", 401), ("/_stcore/metrics", 401), ("/static/index.html", 401), ("/media/x.png", 401),
     ("/app/static/logo.svg", 401), ("/api/metrics?run=x", 401), ("/component/x/y", 401), ("/", 303), ("/review?project=p", 303),
     ("/LOGIN", 303), ("/login/../review", 303), ("/_stcore/health/x", 401), ("//review", 303)],
)  # fmt: skip
def test_nothing_is_served_before_sign_in(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert "streamlit" not in answer.text.lower()


def test_health_and_the_form_are_open(client: httpx.Client) -> None:
    assert client.get("/_stcore/health").text == "ok"
    form = client.get("/login")
    assert form.status_code == 200
    assert 'name="password"' in form.text
    assert client.get("/login/inter.woff2").headers["content-type"] == "font/woff2"


def test_a_deep_link_comes_back_after_sign_in(locked: Dashboard, client: httpx.Client) -> None:
    asked = client.get("/review?project=p&state=pending")
    assert asked.headers["location"] == "/login?next=%2Freview%3Fproject%3Dp%26state%3Dpending"
    form = client.get(asked.headers["location"])
    target = re.search(r'name="next" value="([^"]*)"', form.text).group(1)
    assert target == "/review?project=p&amp;state=pending"
    answer = _sign_in(client, locked, PASSWORD, next="/review?project=p&state=pending")
    assert (answer.status_code, answer.headers["location"]) == (303, "/review?project=p&state=pending")
    assert client.get("/review").status_code == 200


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
def test_sign_in_never_leads_to_another_site(locked: Dashboard, client: httpx.Client, target: str) -> None:
    assert _sign_in(client, locked, PASSWORD, next=target).headers["location"] == "/"


def test_the_form_escapes_what_it_repeats(client: httpx.Client) -> None:
    page = client.get("/login", params={"next": '/"><script>alert(1)</script>'}).text
    assert "<script" not in page


def test_the_cookie_cannot_be_read_by_scripts_or_altered(locked: Dashboard, client: httpx.Client) -> None:
    cookie = _sign_in(client, locked, PASSWORD).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    value = client.cookies["ayar_session"]
    assert client.get("/").status_code == 200
    signed, signature = value.rsplit(".", 1)
    altered = (
        f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"  # the last letter has bits that say nothing
    )
    for bad in (altered, signed, "x", ""):
        assert httpx.get(locked.url, cookies={"ayar_session": bad}, timeout=120).status_code == 303


def test_a_websocket_needs_the_session(locked: Dashboard, signed_in: httpx.Client) -> None:
    cookie = f"ayar_session={signed_in.cookies['ayar_session']}"
    assert _websocket_status(locked) == 403
    assert _websocket_status(locked, cookie=cookie, origin=locked.url) == 101
    assert _websocket_status(locked, cookie=cookie, origin="http://evil.example") == 403


def test_signing_out_ends_the_session_everywhere(locked: Dashboard, signed_in: httpx.Client) -> None:
    value = signed_in.cookies["ayar_session"]
    assert signed_in.get("/logout").status_code == 405
    assert signed_in.post("/logout", headers={"origin": "http://evil.example"}).status_code == 405
    assert signed_in.post("/logout", headers={"origin": locked.url}).status_code == 303
    assert httpx.get(locked.url, cookies={"ayar_session": value}, timeout=120).status_code == 303


def test_a_form_of_another_site_signs_nobody_in(locked: Dashboard, client: httpx.Client) -> None:
    for headers in ({}, {"origin": "http://evil.example"}, {"origin": "null"}):
        answer = client.post("/login", data={"password": PASSWORD}, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", ""])
def test_other_host_names_are_refused(locked: Dashboard, signed_in: httpx.Client, host: str) -> None:
    headers = {"host": host.format(port=locked.port)}
    assert signed_in.get("/", headers=headers).status_code in {400, 421}
    assert signed_in.get("/_stcore/health", headers=headers).status_code in {400, 421}


def test_every_answer_carries_the_security_headers(signed_in: httpx.Client) -> None:
    for path in ("/", "/login", "/_stcore/health", "/api/metrics", "/nowhere.js"):
        headers = signed_in.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "object-src 'none'" in policy
        assert not re.search(r"(?<!w)(http|https):|\*", policy), "nothing may come from another host"


def test_metrics_of_an_unknown_run_are_explained(signed_in: httpx.Client) -> None:
    answer = signed_in.get("/api/metrics", params={"run": "nothing"})
    assert answer.status_code == 404
    assert answer.json()["hint"]
    assert signed_in.get("/api/metrics", params={"run": "x", "after": "many"}).status_code == 400


def test_wrong_passwords_are_throttled(tmp_path: Path) -> None:
    with (
        dashboard(tmp_path / "home", {"AYAR_PASSWORD": PASSWORD}) as server,
        httpx.Client(base_url=server.url, timeout=120) as client,
    ):
        answers = [_sign_in(client, server, f"guess {number}").status_code for number in range(7)]
        assert answers == [401] * 5 + [429] * 2
        right = _sign_in(client, server, PASSWORD)
        assert right.status_code == 429
        assert 0 < int(right.headers["retry-after"]) <= 61
        assert "guess" not in server.log.read_text()


def test_without_a_password_nothing_is_asked_but_hosts_are_checked(tmp_path: Path) -> None:
    with dashboard(tmp_path / "home") as server, httpx.Client(base_url=server.url, timeout=120) as client:
        assert client.get("/review").status_code == 200
        assert client.get("/", headers={"host": "evil.example"}).status_code == 421
        assert _websocket_status(server) == 101
        assert _websocket_status(server, origin="http://evil.example") == 403
        assert client.get("/app/static/plotly.min.js").status_code == 200
