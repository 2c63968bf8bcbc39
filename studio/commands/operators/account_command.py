"""The commands `account`: who may come into the studio, made where the workspace is."""

from __future__ import annotations

import getpass
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from kinesphere.errors import InvalidInput, needs_extra
from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import print_json, print_table, say

if TYPE_CHECKING:
    from storage.catalog import Role

account_app = typer.Typer(help="Accounts: who may come into the studio, and with which roles.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name of the account.")]
RoleOption = Annotated[
    list[str], typer.Option("--role", help="contributor, annotator, reviewer or operator; may be given again.")
]
ContributorIdOption = Annotated[str | None, typer.Option("--contributor", help="The pseudonym they record under.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.add_typer(account_app, name="account")


@account_app.command("add")
def add(
    name: NameArgument,
    role: RoleOption,
    contributor: ContributorIdOption = None,
    password: Annotated[
        bool, typer.Option("--password/--no-password", help="Set a password; without one, only tokens let in.")
    ] = True,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make an account. The password is asked for, or read from standard input."""
    from storage.catalog import Accounts

    with opened(folder) as workspace:
        hashed = _ask_password(name) if password else None
        made = Accounts(workspace.catalog).add(
            name, _roles(role), who=getpass.getuser(), contributor=contributor, password_hash=hashed
        )
    if as_json:
        print_json(made)
    else:
        say(f"Account '{name}' is made: {', '.join(sorted(made.roles))}.")


@account_app.command("list")
def list_accounts(folder: WorkspaceOption = HERE, as_json: JsonOption = False) -> None:
    """List the accounts."""
    from storage.catalog import Accounts

    with opened(folder) as workspace:
        found = Accounts(workspace.catalog).all()
    if as_json:
        print_json(found)
    elif not found:
        say("No accounts yet. Make one with: kinesphere account add NAME --role operator")
    else:
        rows = [
            (row.account, ", ".join(sorted(row.roles)), row.contributor or "", "disabled" if row.disabled_at else "")
            for row in found
        ]
        print_table("Accounts", ["name", "roles", "records as", ""], rows)


@account_app.command("password")
def set_password(name: NameArgument, folder: WorkspaceOption = HERE, as_json: JsonOption = False) -> None:
    """Set an account's password, e.g. when it was forgotten. Its browsers are signed out."""
    from storage.catalog import Accounts

    with opened(folder) as workspace:
        accounts = Accounts(workspace.catalog)
        accounts.require(name)
        accounts.set_password(name, _ask_password(name), who=getpass.getuser())
    if as_json:
        print_json({"account": name})
    else:
        say(f"The password of '{name}' is set.")


@account_app.command("token")
def token(
    name: NameArgument,
    purpose: Annotated[str, typer.Option(help="What it is for, to know it again.")] = "command line",
    days: Annotated[int | None, typer.Option(min=1, help="For how long it is good.", show_default="ever")] = None,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make an API token for an account. It is shown once."""
    from storage.catalog import Accounts, SignIns

    with opened(folder) as workspace:
        Accounts(workspace.catalog).require(name)
        lifetime = timedelta(days=days) if days is not None else None
        made = SignIns(workspace.catalog).new_token(name, purpose, who=getpass.getuser(), valid_for=lifetime)
    if as_json:
        print_json({"account": name, "token": made})
    else:
        say(f"Token of '{name}' (shown once): {made}")


@account_app.command("disable")
def disable(name: NameArgument, folder: WorkspaceOption = HERE, as_json: JsonOption = False) -> None:
    """Let an account in no more. What it did stays."""
    from storage.catalog import Accounts

    with opened(folder) as workspace:
        Accounts(workspace.catalog).disable(name, who=getpass.getuser())
    if as_json:
        print_json({"account": name, "disabled": True})
    else:
        say(f"Account '{name}' is disabled; its sessions have ended and its tokens are gone.")


@account_app.command("enable")
def enable(name: NameArgument, folder: WorkspaceOption = HERE, as_json: JsonOption = False) -> None:
    """Let a disabled account in again."""
    from storage.catalog import Accounts

    with opened(folder) as workspace:
        Accounts(workspace.catalog).enable(name, who=getpass.getuser())
    if as_json:
        print_json({"account": name, "disabled": False})
    else:
        say(f"Account '{name}' may come in again.")


def _roles(names: list[str]) -> set[Role]:
    from storage.catalog import Role

    unknown = [name for name in names if name not in set(Role)]
    if unknown:
        raise InvalidInput(f"there is no role '{unknown[0][:40]}'; choose from: {', '.join(Role)}")
    return {Role(name) for name in names}


def _ask_password(account: str) -> str:
    with needs_extra("studio"):
        from studio.web.access.passwords import hash_password
    if not sys.stdin.isatty():
        return hash_password(sys.stdin.readline().rstrip("\n"), account=account)
    first = getpass.getpass(f"Password of '{account}': ")
    hashed = hash_password(first, account=account)
    if getpass.getpass("Once more: ") != first:
        raise InvalidInput("the two passwords differ; nothing was changed")
    return hashed
