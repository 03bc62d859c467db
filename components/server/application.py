"""What app.py puts together: the shell, the routes beside it, and the guards around it."""

from pathlib import Path

from starlette.middleware import Middleware
from starlette.routing import Route

from components.server.download_route import download_route
from components.server.gate import Gate
from components.server.guards import Headers, HostCheck
from components.server.metrics_route import metrics_route
from components.server.plotly_file import provide_plotly
from components.server.script_errors import on_script_error

__all__ = ["SHELL", "middleware", "on_script_error", "provide_plotly", "routes"]

SHELL = Path(__file__).resolve().parents[1] / "shell.py"


def routes() -> list[Route]:
    """The routes that are no pages."""
    return [metrics_route(), download_route()]


def middleware() -> list[Middleware]:
    """The guards, the outermost first."""
    return [Middleware(HostCheck), Middleware(Headers), Middleware(Gate)]
