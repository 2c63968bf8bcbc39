"""The way in and out: the link of one's own computer, name and password, invitations; and one's own account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from kinesphere.errors import Conflict, InvalidInput, NotFound
from storage.catalog import Accounts, Audit, Invitations, SignIns
from storage.workspace import Workspace
from studio.web.access.auth import Person, anybody, needs
from studio.web.access.credentials import SESSION_COOKIE, Credentials, session_secret
from studio.web.access.known_devices import DEVICE_SECONDS, SignInLimits, device_cookie, known_device
from studio.web.access.passwords import LONGEST, SHORTEST, hash_password, is_right
from studio.web.access.rate_limits import RateLimit, network_of
from studio.web.http.page_rendering import error_page, render
from studio.web.http.refusals import REFUSAL, TooOften
from studio.web.http.request_bodies import body_of, is_text, parsed
from studio.web.page import Page, Studio

_MONTH = 30 * 86_400
SignedIn = Annotated[Person, needs()]


def _checked_text(text: str) -> str:
    if not is_text(text):
        raise ValueError("it holds a NUL")
    return text


Text = Annotated[str, Form(max_length=1000), AfterValidator(_checked_text)]


class NewPassword(BaseModel):
    """What changes a password."""

    model_config = ConfigDict(extra="forbid")
    old: str = Field(max_length=1000)
    new: str = Field(max_length=1000)


class NewToken(BaseModel):
    """What a token is asked for with."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=64)
    days: int | None = Field(None, ge=1, le=3650)


def sign_in_routes(studio: Studio) -> APIRouter:
    """The pages of the way in, and what the page of one's own account asks for."""
    workspace, credentials = studio.workspace, studio.credentials
    routes = APIRouter()
    catalog = workspace.catalog
    accounts, sign_ins, audit = Accounts(catalog), SignIns(catalog), Audit(catalog)
    limits = SignInLimits.new()

    @routes.get("/", dependencies=[needs()])
    def home(request: Request) -> Response:
        return render(request, "home.html", workspace=workspace.name)

    @routes.get("/sign-in", dependencies=[anybody()])
    def sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002  the parameter's name in the address
        return _sign_in_page(request, next)

    @routes.post("/sign-in", dependencies=[anybody()])
    def signed_in(
        request: Request,
        account: Text = "",
        password: Text = "",
        next: Text = "/",  # noqa: A002
    ) -> Response:
        address = network_of(request.client.host if request.client is not None else "")
        device = known_device(request.cookies, account, accounts.password_hash(account))
        try:
            limits.take(address, account, device)
        except TooOften as error:
            audit.note_refused(account, "sign-in refused", "too often")
            request.scope[REFUSAL] = "SignInTooOften"
            return _sign_in_page(request, next, account, str(error), 429, {"Retry-After": str(error.wait_seconds)})
        if not is_right(accounts, account, password):
            audit.note_refused(account, "sign-in failed", "wrong name or password")
            request.scope[REFUSAL] = "WrongPassword"
            return _sign_in_page(request, next, account, "Name or password is wrong.", 401)
        limits.give_back(address, account, device)
        answer = _enter(request, sign_ins, sign_ins.begin_session(account), _own_path(next))
        stored_hash = accounts.password_hash(account)
        if stored_hash is not None:
            name, value = device_cookie(account, stored_hash)
            _set_cookie(request, answer, name, value, max_age=DEVICE_SECONDS)
        return answer

    @routes.get("/enter", dependencies=[anybody()])
    def enter(request: Request, link: str = "") -> Response:
        local = credentials.local
        if local is None or not local.use(link):
            return error_page(
                request,
                401,
                "This link was used before, or is of an earlier start: `kinesphere serve` prints a new one.",
            )
        return _enter(request, sign_ins, sign_ins.begin_session(local.account, local=True), "/")

    @routes.post("/api/sign-out")
    def sign_out(request: Request, _person: SignedIn) -> Response:
        secret = session_secret(request.headers)
        if secret is not None:
            sign_ins.end_session(secret)
            credentials.forget()
        answer = Response(status_code=204)
        answer.delete_cookie(SESSION_COOKIE, path="/")
        return answer

    _add_invitation(routes, workspace, accounts)
    _add_own_account(routes, credentials, accounts, sign_ins)
    return routes


PAGE = Page(sign_in_routes)


def _add_invitation(routes: APIRouter, workspace: Workspace, accounts: Accounts) -> None:
    invitations, sign_ins = Invitations(workspace.catalog), SignIns(workspace.catalog)

    def page(request: Request, code: str, status: int = 200, error: str = "", account: str = "") -> Response:
        invitation = invitations.find(code)
        if invitation is None:
            return error_page(request, 404, "This invitation was used or is too old. Ask for another.")
        return render(
            request,
            "access/invitation.html",
            status,
            workspace=workspace.name,
            code=code,
            invitation=invitation,
            account=account or invitation.account or "",
            error=error,
            shortest=SHORTEST,
        )

    @routes.get("/invitation", dependencies=[anybody()])
    def invited(request: Request, code: str = "") -> Response:
        return page(request, code)

    @routes.post("/invitation", dependencies=[anybody()])
    def accept(request: Request, code: Text = "", account: Text = "", password: Text = "") -> Response:
        if invitations.find(code) is None:
            return page(request, code)
        try:
            made = invitations.accept(code, account, hash_password(password, account=account))
        except (InvalidInput, Conflict, NotFound) as error:
            return page(request, code, 422, str(error), account)
        return _enter(request, sign_ins, sign_ins.begin_session(made.account), "/")


def _add_own_account(routes: APIRouter, credentials: Credentials, accounts: Accounts, sign_ins: SignIns) -> None:
    wrong_password = RateLimit("a wrong password was given", burst=8, seconds_each=60)

    @routes.get("/account")
    def account(request: Request, person: SignedIn) -> Response:
        known = accounts.find(person.account)
        tokens = sign_ins.tokens(person.account)
        return render(request, "access/account.html", known=known, tokens=tokens, shortest=SHORTEST, longest=LONGEST)

    @routes.post("/api/account/password", openapi_extra=body_of(NewPassword))
    async def set_password(request: Request, person: SignedIn) -> Response:
        body = await parsed(request, NewPassword)

        def change() -> None:
            wrong_password.take(person.account)
            if not is_right(accounts, person.account, body.old):
                raise InvalidInput("the old password is wrong")
            wrong_password.give_back(person.account)
            new = hash_password(body.new, account=person.account)
            keep = session_secret(request.headers)
            accounts.set_password(person.account, new, who=person.account, keep=keep)

        await run_in_threadpool(change)
        credentials.forget()
        return Response(status_code=204)

    @routes.post("/api/account/tokens", openapi_extra=body_of(NewToken))
    async def make_token(request: Request, person: SignedIn) -> JSONResponse:
        body = await parsed(request, NewToken)
        lifetime = timedelta(days=body.days) if body.days is not None else None
        token = await run_in_threadpool(
            sign_ins.new_token, person.account, body.name, who=person.account, valid_for=lifetime
        )
        return JSONResponse({"token": token, "name": body.name}, 201)

    @routes.delete("/api/account/tokens/{token_sha256}")
    def revoke(token_sha256: str, person: SignedIn) -> Response:
        sign_ins.revoke_token(person.account, token_sha256, who=person.account)
        credentials.forget()
        return Response(status_code=204)


def _sign_in_page(
    request: Request,
    next_path: str,
    account: str = "",
    error: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    answer = render(
        request, "access/sign_in.html", status, next=_own_path(next_path), account=account[:64], error=error
    )
    answer.headers.update(headers or {})
    return answer


def _enter(request: Request, sign_ins: SignIns, secret: str, path: str) -> Response:
    before = session_secret(request.headers)
    if before is not None:
        sign_ins.end_session(before)  # another's, or one that somebody else put into this browser
    answer = RedirectResponse(path, 303)
    _set_cookie(request, answer, SESSION_COOKIE, secret, max_age=_MONTH)
    return answer


def _set_cookie(request: Request, answer: Response, name: str, value: str, *, max_age: int) -> None:
    secure = request.url.scheme == "https"
    answer.set_cookie(name, value, max_age=max_age, httponly=True, samesite="lax", secure=secure, path="/")


def _own_path(path: str) -> str:
    """The path, if it leads to a page of ours and not to another site."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"
