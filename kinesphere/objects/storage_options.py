"""Where an object store is reached and with whose credentials: from options, or from the environment as usual."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store, from_url

from kinesphere.errors import InvalidInput
from kinesphere.objects.store_errors import first_line

if TYPE_CHECKING:
    from obstore.store import ObjectStore as RawStore

StorageOptions = Mapping[str, Any]
"""See `kinesphere.open_dataset`."""

INSTANCE_CREDENTIALS = "instance_credentials"
"""The option that lets the machine's own credentials be asked for at the metadata address of its cloud."""
INSTANCE_VARIABLE = "KINESPHERE_INSTANCE_CREDENTIALS"
"""Does the same, where it is 1."""

_CLIENT_OPTIONS = frozenset({
    "allow_http", "allow_invalid_certificates", "connect_timeout", "default_headers", "http1_only", "http2_only",
    "pool_idle_timeout", "pool_max_idle_per_host", "proxy_ca_certificate", "proxy_excludes", "proxy_url", "timeout",
    "user_agent",
})  # fmt: skip
"""Options of the connection; all others are the store's own."""

_CREDENTIALS: Mapping[type, tuple[str, frozenset[str]]] = {
    S3Store: ("aws_", frozenset({
        "access_key_id", "web_identity_token_file", "container_credentials_relative_uri",
        "container_credentials_full_uri", "metadata_endpoint", "skip_signature",
    })),
    GCSStore: ("google_", frozenset({
        "service_account", "service_account_path", "service_account_key", "application_credentials", "bearer_token",
        "skip_signature",
    })),
    AzureStore: ("azure_", frozenset({
        "account_key", "access_key", "master_key", "sas_key", "sas_token", "bearer_token", "token", "client_secret",
        "federated_token_file", "use_azure_cli", "use_emulator", "msi_endpoint", "identity_endpoint",
        "skip_signature", "storage_account_key", "storage_access_key", "storage_account_master_key",
        "storage_sas_key", "storage_sas_token", "storage_token", "storage_client_secret", "storage_use_emulator",
    })),
}  # fmt: skip
"""By kind of store, how its settings begin in full, and those by which credentials are given, or none are wanted."""


def remote_store(url: str, options: StorageOptions | None = None) -> RawStore:
    """A store that is reached with some options, and else as the environment says.

    Without credentials requests are not signed, as public data want it. The metadata address of a cloud, which would
    give those of the machine, is asked only where that is wanted: elsewhere it answers late, or not at all.

    Args:
        url: such as `s3://bucket/prefix`.
        options: see `kinesphere.open_dataset`.

    Returns:
        The store, which was not asked for anything yet.

    Raises:
        InvalidInput: the URL is of no kind we know, or an option is.
    """
    given = _checked(options)
    from_instance = given.pop(INSTANCE_CREDENTIALS, os.environ.get(INSTANCE_VARIABLE) == "1")
    client = {name: given.pop(name) for name in sorted(_CLIENT_OPTIONS & set(given))}
    _check_http(given, client)
    try:
        store = _opened(url, given, client)
        if type(store) in _CREDENTIALS and not from_instance and not _has_credentials(type(store), given):
            store = _opened(url, given | {"skip_signature": True}, client)
    except (BaseError, ValueError, TypeError) as error:
        raise InvalidInput(f"cannot open '{url}' as an object store: {first_line(error)}") from error
    return store


def _checked(options: StorageOptions | None) -> dict[str, Any]:
    try:
        return {str(name): value for name, value in dict(options or {}).items()}
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"storage_options should be a mapping such as {{'region': 'eu-west-1'}}, got {type(options).__name__}"
        ) from error


def _opened(url: str, config: Mapping[str, Any], client: Mapping[str, Any]) -> RawStore:
    options: Any = {"config": dict(config)} if config else {}  # their types are known by the store's kind alone
    options |= {"client_options": dict(client)} if client else {}
    store: RawStore = from_url(url, **options)
    return store


def _check_http(config: Mapping[str, Any], client: Mapping[str, Any]) -> None:
    """Say what is needed for an endpoint without encryption; the store's own words do not."""
    endpoint = next((str(value) for name, value in config.items() if name.lower().endswith("endpoint")), "")
    allowed = client.get("allow_http", any(name.endswith("_ALLOW_HTTP") for name in os.environ))
    if endpoint.startswith("http://") and not allowed:
        raise InvalidInput(
            f"the endpoint {endpoint} is not encrypted, so that everybody on the way can read along; "
            "where that is right, add 'allow_http': True to storage_options"
        )


def _has_credentials(kind: type, config: Mapping[str, Any]) -> bool:
    prefix, names = _CREDENTIALS[kind]
    if _names(config, prefix) & names or _names(os.environ, prefix, in_full=True) & names:
        return True
    return kind is GCSStore and (Path.home() / ".config/gcloud/application_default_credentials.json").is_file()


def _names(settings: Iterable[str], prefix: str, *, in_full: bool = False) -> set[str]:
    lowered = [name.lower() for name in settings]
    return {name.removeprefix(prefix) for name in lowered if name.startswith(prefix) or not in_full}
