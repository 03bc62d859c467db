"""`GET /api/metrics?run=…&after=…`: the points of a run's metrics that a live chart has not seen yet."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from finetune_core.errors import FinetuneError
from finetune_core.workspace import jobs

MAX_POINTS = 800


def metrics_route() -> Route:
    """The route, for the application."""
    return Route("/api/metrics", _metrics, methods=["GET"])


def _metrics(request: Request) -> JSONResponse:  # not async: Starlette then reads the database on a thread of its own
    try:
        after = int(request.query_params.get("after", "-1"))
    except ValueError:
        return JSONResponse({"error": "after must be a whole number"}, 400)
    try:
        job = jobs.get(request.query_params.get("run", ""))
        # The state is read before the points, so that the last poll cannot miss what was logged in between.
        points = jobs.metrics(job.id, after_step=max(-1, after), max_points=MAX_POINTS)
    except FinetuneError as error:
        return JSONResponse({"error": error.message, "hint": error.hint}, 404)
    body = {"live": job.is_live, "state": str(job.state), "metrics": points}
    return JSONResponse(body, headers={"cache-control": "no-store"})
