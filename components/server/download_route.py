"""`GET /api/models/{id}.zip`: an exported model straight from disk, so that a large one never fills the memory."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from finetune_core.errors import FinetuneError
from finetune_core.workspace import models


def download_route() -> Route:
    """The route, for the application."""
    return Route("/api/models/{model_id}.zip", _download, methods=["GET"])


async def _download(request: Request) -> Response:
    model_id = request.path_params["model_id"]
    try:
        path = await run_in_threadpool(models.exported_zip, model_id)
        name = (await run_in_threadpool(models.get, model_id)).name
    except FinetuneError as error:
        return PlainTextResponse(f"{error.message} {error.hint}", status_code=404)
    if path is None:
        return PlainTextResponse("There is no zip yet. Make one on the Models page.", status_code=404)
    return FileResponse(path, media_type="application/zip", filename=f"{name}.zip")
