"""The operator's page of people: accounts, invitations, roles, and the audit trail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from kinesphere.errors import NotFound
from storage.catalog import Accounts, Audit, Invitations, Role
from studio.web.access.auth import Person, needs
from studio.web.http.page_rendering import render
from studio.web.http.request_bodies import body_of, parsed
from studio.web.page import Page, Studio

Operator = Annotated[Person, needs(Role.OPERATOR)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewInvitation(_Body):
    """Whom to invite."""

    roles: list[Role] = Field(max_length=len(Role))
    account: str | None = Field(None, max_length=64)
    contributor: str | None = Field(None, max_length=64)


class NewRoles(_Body):
    """The roles that an account shall have."""

    roles: list[Role] = Field(max_length=len(Role))


def people_routes(studio: Studio) -> APIRouter:
    """The page `/people` and what it asks for."""
    credentials, catalog = studio.credentials, studio.workspace.catalog
    routes = APIRouter()
    accounts, invitations, audit = Accounts(catalog), Invitations(catalog), Audit(catalog)

    @routes.get("/people")
    def people(request: Request, _person: Operator) -> Response:
        return render(
            request,
            "access/people.html",
            accounts=accounts.all(),
            invitations=invitations.all(),
            trail=audit.trail(100),
            roles=list(Role),
        )

    @routes.post("/api/invitations", openapi_extra=body_of(NewInvitation))
    async def invite(request: Request, person: Operator) -> JSONResponse:
        body = await parsed(request, NewInvitation)
        code, made = await run_in_threadpool(
            invitations.invite,
            set(body.roles),
            who=person.account,
            account=body.account or None,
            contributor=body.contributor or None,
        )
        # Without a host: what a request says of that is not to be believed, and the page knows its own address.
        link = f"/invitation?code={code}"
        return JSONResponse({"link": link, "expires_at": made.expires_at.isoformat()}, 201)

    @routes.delete("/api/invitations/{code_sha256}")
    def take_back(code_sha256: str, person: Operator) -> Response:
        invitations.take_back(code_sha256, who=person.account)
        return Response(status_code=204)

    @routes.post("/api/accounts/{account}/roles", openapi_extra=body_of(NewRoles))
    async def set_roles(account: str, request: Request, person: Operator) -> Response:
        body = await parsed(request, NewRoles)
        await run_in_threadpool(accounts.set_roles, account, set(body.roles), who=person.account)
        credentials.forget()
        return Response(status_code=204)

    @routes.post("/api/accounts/{account}/{change}")
    def change(account: str, change: str, person: Operator) -> Response:
        match change:
            case "disable":
                accounts.disable(account, who=person.account)
            case "enable":
                accounts.enable(account, who=person.account)
            case _:
                raise NotFound("change of an account", change[:40], ["disable", "enable", "roles"])
        credentials.forget()
        return Response(status_code=204)

    return routes


PAGE = Page(people_routes, (Role.OPERATOR,), name="People", path="/people")
