"""The command `serve`: the studio of a workspace, on one's own computer or, with accounts, for others too."""

from __future__ import annotations

import getpass
import ipaddress
import os
import secrets
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinesphere.errors import InvalidInput, needs_extra
from studio.commands.options import HERE, JsonOption, LogOption, WorkspaceOption, opened
from studio.commands.output import print_json, say
from studio.event_log import LogForm, begin_log

if TYPE_CHECKING:
    from storage.catalog.server_lock import ServerLock
    from storage.workspace import Workspace

TOKEN_VARIABLE = "KINESPHERE_TOKEN"
METRICS_TOKEN_VARIABLE = "KINESPHERE_METRICS_TOKEN"
SHORTEST_TOKEN = 16


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(serve)


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this computer's own need accounts.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")] = 8765,
    upload_limit: Annotated[float, typer.Option(min=0, help="Largest video that is taken, in GiB.")] = 20,
    uploads_each: Annotated[
        int, typer.Option(min=1, help="Uploads that a contributor may have here and not have handed in.")
    ] = 50,
    upload_space_each: Annotated[float, typer.Option(min=0, help="How large these may be together, in GiB.")] = 100,
    uploads: Annotated[int, typer.Option(min=1, help="Uploads of all contributors that may be here at once.")] = 1000,
    upload_space: Annotated[float, typer.Option(min=0, help="How large these may be together, in GiB.")] = 500,
    certificate: Annotated[Path | None, typer.Option(help="PEM file of a certificate, to serve https.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.")] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address or network of a proxy that is believed when it says whom it asks for, and whether by https; "
            "once for each.",
            show_default="none is believed",
        ),
    ] = None,
    log: LogOption = LogForm.text,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Serve the studio: pages to label, review and operate, and uploads from contributors.

    Monitoring asks for /health, /ready and, with the token in KINESPHERE_METRICS_TOKEN, /metrics.
    """
    from storage.catalog.server_lock import server_lock

    begin_log(log)
    with opened(folder) as workspace, server_lock(workspace.catalog) as lock:
        run_server(
            workspace,
            lock,
            host=host,
            port=port,
            upload_limit=int(upload_limit * 2**30),
            upload_quota=(uploads_each, int(upload_space_each * 2**30), uploads, int(upload_space * 2**30)),
            certificate=certificate,
            key=key,
            proxies=proxy or (),
            as_json=as_json,
        )


def run_server(
    workspace: Workspace,
    lock: ServerLock,
    *,
    host: str,
    port: int,
    upload_limit: int,
    upload_quota: tuple[int, int, int, int],
    certificate: Path | None,
    key: Path | None,
    proxies: Sequence[str],
    as_json: bool,
) -> None:
    """Serve until Ctrl-C, or until another server has taken the lock.

    Args:
        lock: of the only server of the workspace.
        upload_limit: bytes of the largest video that is taken.
        upload_quota: uploads and bytes of each contributor, and uploads and bytes of all.
        certificate, key: PEM files, to serve https.
        proxies: addresses and networks of proxies that are believed.

    Raises:
        InvalidInput: others would be served though no operator can sign in, the port is taken, a token is too
            short, certificate and key cannot be used, or a proxy is no address.
        Conflict: the lock was lost, and another server has it.
        MissingDependency: the extra `studio` is not installed.
    """
    from storage.catalog import SignIns

    with needs_extra("studio"):
        from studio.web.access.credentials import Credentials, LocalAccess
        from studio.web.http.connection_limits import http_server, raise_file_limit
        from studio.web.uploads.upload_quota import UploadQuota
        from studio.web.web_app import create_app

    given, local = os.environ.get(TOKEN_VARIABLE), None
    metrics_token = os.environ.get(METRICS_TOKEN_VARIABLE)
    if metrics_token is not None:
        _check_token(METRICS_TOKEN_VARIABLE, metrics_token)
    if is_loopback(host):
        token = given if given is not None else secrets.token_urlsafe(24)
        _check_token(TOKEN_VARIABLE, token)
        local = LocalAccess(getpass.getuser(), token)
    else:
        _check_accounts(workspace, host)
    options = _tls(certificate, key)
    credentials = Credentials(SignIns(workspace.catalog), local, metrics_token)
    quota = UploadQuota(*upload_quota)
    app = create_app(workspace, credentials=credentials, upload_limit=upload_limit, upload_quota=quota)
    server = http_server(app, proxies=proxies, timeout_graceful_shutdown=5, **options)
    raise_file_limit()
    with listen(host, port) as listening:
        name = f"[{host}]" if ":" in host else host
        url = f"http{'s' if options else ''}://{name}:{listening.getsockname()[1]}"
        link = f"{url}/enter?link={local.link}" if local is not None else None
        if as_json:
            print_json({"url": url} | ({"token": local.token, "link": link} if local is not None else {}))
        else:
            say(f"Serving the workspace '{workspace.name}' at {url}. Ctrl-C stops.")
            if local is not None:
                say(f"Open the studio (this link is good once): {link}")
                say(
                    f"Token (shown once): {local.token}" if given is None else f"The token is that of {TOKEN_VARIABLE}."
                )
            elif not options and not proxies:
                say(
                    "Passwords travel unprotected: put it behind a proxy with https and name that with --proxy, "
                    "or pass --certificate and --key."
                )
            say(f"Contributors send their takes with: kinesphere submit --all --to {url} --token TOKEN")
        sys.stdout.flush()
        lock.when_lost(lambda: setattr(server, "should_exit", True))
        server.run(sockets=[listening])
    lock.check()


def is_loopback(host: str) -> bool:
    """Whether a host is this computer itself, by name or address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_token(variable: str, token: str) -> None:
    if len(token) < SHORTEST_TOKEN or not (token.isascii() and token.isprintable() and " " not in token):
        raise InvalidInput(f"{variable} needs at least {SHORTEST_TOKEN} printable characters, none a space")


def _check_accounts(workspace: Workspace, host: str) -> None:
    from storage.catalog import Accounts

    if not Accounts(workspace.catalog).can_be_operated():
        raise InvalidInput(
            f"--host {host} is refused: nobody could sign in; first make an account with: "
            "kinesphere account add NAME --role operator"
        )


def _tls(certificate: Path | None, key: Path | None) -> dict[str, Any]:
    if certificate is None and key is None:
        return {}
    if certificate is None or key is None:
        raise InvalidInput("--certificate and --key go together; give both or neither")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"certificate {certificate} and key {key} cannot be used: {error}") from error
    return {"ssl_certfile": certificate, "ssl_keyfile": key}


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on, so that nobody who reads the printed address comes too early.

    Raises:
        InvalidInput: the port is taken, or not ours to use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise InvalidInput(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error
    return listening
