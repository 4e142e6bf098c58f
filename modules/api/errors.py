"""Errors as JSON, in the shape that /sdapi/v1's clients expect."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse


class ApiError(Exception):
    """An HTTP status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def add_error_handlers(app: FastAPI) -> None:
    """Answer ApiError, and a body that does not fit the wire types, with {error, detail, body, errors}."""

    @app.exception_handler(ApiError)
    async def api_error(_request: Request, error: ApiError) -> JSONResponse:
        return _answer(error.status, "ApiError", str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid_body(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return _answer(422, "RequestValidationError", f"{place}: {first['msg']}." if place else f"{first['msg']}.")


def _answer(status: int, kind: str, sentence: str) -> JSONResponse:
    return JSONResponse({"error": kind, "detail": sentence, "body": "", "errors": sentence}, status)
