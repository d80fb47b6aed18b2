"""The routes of the service, as FastAPI describes them; knows nothing of Ray."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from autommlab.deployment.predicting import DEFAULT_THRESHOLD
from autommlab.model_service.predictions import MOST_BOXES, Answer, Asked, PredictionError, box_of
from serve.door import error_body

logger = logging.getLogger(__name__)

Predict = Callable[[str, bytes, Asked], Awaitable[Answer]]
#: Seconds that the engine's process took, as browsers and proxies read it; milliseconds, as its specification says.
TIMING_HEADER = "server-timing"
_MULTIPART = "multipart/form-data"
_FIELD = "image"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "required": True,
    "description": "The picture's file, as the body or as the field `image` of a form.",
    "content": {
        _MULTIPART: {
            "schema": {
                "type": "object",
                "required": [_FIELD],
                "properties": {_FIELD: {"type": "string", "format": "binary"}},
            }
        },
        "image/*": _BINARY,
        "application/octet-stream": _BINARY,
    },
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is no picture that can be read."},
    401: {"description": "The key is missing or wrong."},
    404: {"description": "There is no model of that name."},
    413: {"description": "The request or the picture is too large."},
    422: {"description": "A parameter is not allowed."},
    429: {"description": "Too many requests are under way; try again after `Retry-After` seconds."},
}
_ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the bundle's `predict.py --json` prints, or the drawn picture.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "description": "classification: label, score, scores; detection: boxes; segmentation: classes "
                    "(shares of pixels) and, if asked for, mask_png (base64); keypoints: instances.",
                }
            },
            "image/png": _BINARY,
        },
    }
}
_DESCRIPTION = (
    "Models that AutoMMLab trained and exported. Send a picture to `/v1/models/NAME/predict`; all coordinates are "
    "pixels of the picture after its EXIF rotation."
)


def make_api(described: list[dict[str, Any]], predict: Predict) -> FastAPI:
    """The ASGI app.

    Args:
        described: what `GET /v1/models` lists.
        predict: answers a picture: name of the model, content of the file, how it is asked. May raise
            `PredictionError`.
    """
    api: FastAPI = FastAPIOffline(
        title="AutoMMLab models", version=version("autommlab"), description=_DESCRIPTION, redoc_url=None,
        swagger_ui_parameters={"defaultModelsExpandDepth": -1},
    )  # fmt: skip
    # Whether the key is right was decided at the door; here it makes the page of the API offer a field for it.
    key = HTTPBearer(auto_error=False, description="Where the service was started with a key.")

    @api.get("/healthz", tags=["service"], summary="Whether a replica answers")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @api.get("/v1/models", tags=["models"], summary="The models that are served", dependencies=[Security(key)])
    async def models() -> dict[str, Any]:
        return {"models": described}

    @api.post(
        "/v1/models/{name}/predict", tags=["models"], summary="What a model sees in a picture",
        responses={**_ANSWERED, **_ERRORS}, openapi_extra={"requestBody": _BODY}, response_class=Response,
        dependencies=[Security(key)],
    )  # fmt: skip
    async def predict_picture(
        request: Request,
        name: Annotated[str, Path(description="Of the model.")],
        threshold: Annotated[
            float, Query(ge=0, le=1, allow_inf_nan=False, description="Lowest score of a detection.")
        ] = DEFAULT_THRESHOLD,
        box: Annotated[
            list[str] | None,
            Query(max_length=MOST_BOXES, description="x,y,width,height of an object, for keypoints; repeatable."),
        ] = None,
        draw: Annotated[bool, Query(description="Answer with the picture, the prediction drawn into it.")] = False,
        mask: Annotated[bool, Query(description="Put a segmentation's mask into the JSON: PNG in base64.")] = False,
    ) -> Response:
        asked = Asked(threshold, tuple(map(box_of, box or ())), draw=draw, mask=mask)
        content = await _picture(request)
        begun = time.perf_counter()
        answer = await predict(name, content, asked)
        took = (time.perf_counter() - begun) * 1000
        return Response(
            answer.content, media_type=answer.media_type, headers={TIMING_HEADER: f"predict;dur={took:.2f}"}
        )

    api.add_exception_handler(PredictionError, _refused)
    api.add_exception_handler(HTTPException, _refused)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(Exception, _failed)
    return api


async def _picture(request: Request) -> bytes:
    """The picture's file, from a form or as the whole body.

    Raises:
        PredictionError: there is none.
    """
    if not request.headers.get("content-type", "").lower().startswith(_MULTIPART):
        content = await request.body()
        if not content:
            raise PredictionError(400, "the body is empty; send a picture's file as the body or as the field `image`")
        return content
    try:
        async with request.form(max_files=1, max_fields=8) as form:
            uploads = [part for part in form.values() if isinstance(part, UploadFile)]
            if len(uploads) != 1:
                raise PredictionError(400, f"the form has {len(uploads)} files; send one, as the field `{_FIELD}`")
            return await uploads[0].read()
    except HTTPException as error:  # Starlette's, of a form that is damaged or has more parts
        raise PredictionError(400, f"the form cannot be read: {error.detail}") from error


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else getattr(error, "status", 500)
    message = error.detail if isinstance(error, HTTPException) else str(error)
    return JSONResponse(error_body(int(status), message, "refused"), int(status))


async def _invalid(_: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    told = "; ".join(
        f"{problem['loc'][-1]}={str(problem.get('input'))[:80]!r}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
        for problem in problems
    )
    return JSONResponse(error_body(422, told or "a parameter is not allowed", "refused"), 422)


async def _failed(_: Request, error: Exception) -> Response:
    logger.error("a request failed", exc_info=error)
    why = "the service failed at this request; its log tells why"
    return JSONResponse(error_body(500, why, "failed"), 500)
