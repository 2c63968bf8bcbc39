"""`kinesphere serve`: the server of a workspace, for now on this computer only."""

from __future__ import annotations

import getpass
import ipaddress
import os
import secrets
import socket
import sys

from storage.errors import InvalidInput, needs_extra
from storage.workspace import Workspace

from .output import print_json, say

TOKEN_VARIABLE = "KINESPHERE_TOKEN"
SHORTEST_TOKEN = 16


def serve(workspace: Workspace, *, host: str, port: int, upload_limit: int, as_json: bool) -> None:
    """Serve until Ctrl-C.

    Raises:
        InvalidInput: the host is not this computer, the port is taken, or the token is too short.
        MissingDependency: the extra `studio` is not installed.
    """
    with needs_extra("studio"):
        import uvicorn

        from .web.app import create_app
        from .web.identity import LocalCredentials, Person, Role

    _check_host(host)
    given = os.environ.get(TOKEN_VARIABLE)
    token = given if given is not None else secrets.token_urlsafe(24)
    if len(token) < SHORTEST_TOKEN or not (token.isascii() and token.isprintable() and " " not in token):
        raise InvalidInput(f"{TOKEN_VARIABLE} needs at least {SHORTEST_TOKEN} printable characters, none a space")
    credentials = LocalCredentials(token, Person(getpass.getuser(), frozenset(Role)))
    app = create_app(workspace, credentials=credentials, upload_limit=upload_limit)
    with _listen(host, port) as listening:
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        if as_json:
            print_json({"url": url, "token": token, "link": f"{url}/enter?link={credentials.link}"})
        else:
            say(f"Serving the workspace '{workspace.name}' at {url}. Ctrl-C stops.")
            say(f"Open the studio (this link is good once): {url}/enter?link={credentials.link}")
            say(f"Token (shown once): {token}" if given is None else f"The token is that of {TOKEN_VARIABLE}.")
            say(f"Contributors send their takes with: kinesphere submit --all --to {url} --token TOKEN")
        sys.stdout.flush()
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
        uvicorn.Server(config).run(sockets=[listening])


def is_loopback(host: str) -> bool:
    """Whether a host is this computer itself, by name or address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_host(host: str) -> None:
    if not is_loopback(host):
        raise InvalidInput(f"--host {host} is refused: accounts are not there yet, so only 127.0.0.1 is served")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise InvalidInput(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error
    return listening
