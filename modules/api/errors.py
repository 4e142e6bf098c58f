"""Errors as JSON, in the shape that /sdapi/v1's clients expect."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute


class ApiError(Exception):
    """An HTTP status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class ErrorsAsJson(APIRoute):
    """A route that answers ApiError, and a body that does not fit, with {error, detail, body, errors}.

    The page's app is already running when the routes are added, too late for handlers of its own.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with these two errors answered."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except ApiError as error:
                return _json(error.status, "ApiError", str(error))
            except RequestValidationError as error:
                first = error.errors()[0]
                place = ".".join(str(part) for part in first["loc"][1:])
                return _json(422, "RequestValidationError", f"{place}: {first['msg']}.".removeprefix(": "))

        return answer


def _json(status: int, kind: str, sentence: str) -> JSONResponse:
    return JSONResponse({"error": kind, "detail": sentence, "body": "", "errors": sentence}, status)
