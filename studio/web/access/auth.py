"""Who asks, with which roles, and which roles a route requires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request

from storage.catalog import Role
from studio.web.http.refusals import NotAllowed, NotSignedIn


@dataclass(frozen=True)
class Person:
    """Somebody who has proved who they are, for the length of one request."""

    account: str
    """Their name, as annotators and reviewers are named in the catalog."""
    roles: frozenset[Role]
    contributor: str | None = None
    """The pseudonymous id under which they record; None if they do not."""
    csrf: str | None = None
    """What their page must send back with each change; None where a token, and no cookie, proves them."""

    def may(self, *roles: Role) -> bool:
        """Whether they have one of these roles, or are an operator."""
        return Role.OPERATOR in self.roles or not self.roles.isdisjoint(roles)

    def is_contributor(self, contributor: str) -> bool:
        """Whether this contributor is them, or they may act for all as an operator."""
        return contributor == self.contributor or Role.OPERATOR in self.roles


MONITORING = Person("(monitoring)", frozenset())
"""Who has the token for metrics: they have no role, and may see the metrics and nothing else."""


@dataclass(frozen=True)
class RequiredRoles:
    """The roles of which who asks must have one; None lets anybody in. A test finds it on every route."""

    roles: frozenset[Role] | None
    lets_monitoring_in: bool = False

    def __call__(self, request: Request) -> Person | None:
        person = person_of(request)
        if self.roles is None:
            return person
        if person is None:
            raise NotSignedIn
        if person is MONITORING and self.lets_monitoring_in:
            return person
        if not person.may(*self.roles):
            raise NotAllowed(person.account, f"do this, which takes the role {' or '.join(sorted(self.roles))}")
        return person


def needs(*roles: Role) -> Any:
    """A dependency that gives the person, who has one of the roles (or is an operator); without roles: any."""
    return Depends(RequiredRoles(frozenset(roles or Role)))


def needs_monitoring() -> Any:
    """A dependency that lets operators in, and who has the token for metrics.

    An address proves nothing: behind a proxy on the same computer everybody comes from this computer.
    """
    return Depends(RequiredRoles(frozenset({Role.OPERATOR}), lets_monitoring_in=True))


def anybody() -> Any:
    """A dependency that lets everybody in, and gives the person if there is one."""
    return Depends(RequiredRoles(None))


def person_of(request: Request) -> Person | None:
    """Who asks; None if nobody has proved it."""
    found: Person | None = request.scope.get("kinesphere.person")
    return found
