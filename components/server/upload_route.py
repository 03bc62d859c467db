"""`POST /api/upload?name=…`: a file's bytes go straight to disk, so that a large one never fills the memory."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from components.server.requests import is_same_origin
from finetune_core.errors import FinetuneError
from finetune_core.workspace import installation


def upload_route() -> Route:
    """The route, for the application."""
    return Route("/api/upload", _upload, methods=["POST"])


async def _upload(request: Request) -> JSONResponse:
    if not is_same_origin(request):
        return JSONResponse({"error": "This upload was sent from another site."}, 403)
    limit = installation.max_file_bytes()
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        return _too_large(limit)
    try:
        with installation.new_upload(request.query_params.get("name", "")) as upload:
            async for piece in request.stream():
                if upload.size_bytes + len(piece) > limit:
                    upload.discard()
                    return _too_large(limit)
                await run_in_threadpool(upload.write, piece)
    except ClientDisconnect:
        return JSONResponse({"error": "The upload was broken off."}, 400)
    except FinetuneError as error:
        return JSONResponse({"error": error.message, "hint": error.hint}, 507)
    return JSONResponse({"id": upload.id, "name": upload.name, "size_bytes": upload.size_bytes})


def _too_large(limit: int) -> JSONResponse:
    text = f"The file is larger than {limit // 1_000_000} MB, the most that is taken."
    return JSONResponse({"error": text, "hint": "Split it, or raise AYAR_MAX_FILE_MB."}, 413)
