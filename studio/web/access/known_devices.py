"""Guessing passwords is slow, and locks nobody out: limits by address and name, and devices that signed in before.

The idea is OWASP's (https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies): wrong
passwords count against whoever sends them. A browser in which somebody has signed in holds a cookie that says so, and
its tries count by themselves, whatever others do under that name, also from the same address.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from studio.web.access.rate_limits import RateLimit

DEVICE_SECONDS = 365 * 86_400
_NONCE_BYTES = 16


def device_cookie(account: str, password_hash: str) -> tuple[str, str]:
    """Name and value of the cookie by which a browser is known again for an account.

    Nothing is stored: the value is authenticated with the hash of the password, whose salt only the catalog has. With
    another password all such cookies are good for nothing.
    """
    nonce = secrets.token_hex(_NONCE_BYTES)
    return _name(account), f"{nonce}.{_proof(nonce, account, password_hash)}"


def known_device(cookies: Mapping[str, str], account: str, password_hash: str | None) -> str | None:
    """The device that a browser proves to be, if its cookie is of this account; it says nothing of who sits there."""
    nonce, _, proof = cookies.get(_name(account), "").partition(".")
    if password_hash is None or not proof:
        return None
    is_right = hmac.compare_digest(proof.encode(), _proof(nonce, account, password_hash).encode())
    return nonce if is_right else None


@dataclass(frozen=True)
class SignInLimits:
    """How often signing in may be tried. A wrong password costs a token of each limit; a right one of none."""

    by_address: RateLimit
    by_address_and_account: RateLimit
    by_device: RateLimit

    @classmethod
    def new(cls) -> SignInLimits:
        """All limits, of which nothing is used up."""
        return cls(
            RateLimit("signing in was tried from there", burst=30, seconds_each=20),
            RateLimit("signing in as this account was tried", burst=8, seconds_each=60),
            RateLimit("signing in was tried from this device", burst=8, seconds_each=60),
        )

    def take(self, address: str, account: str, device: str | None) -> None:
        """Count a try before it is made.

        Raises:
            TooOften: there were too many.
        """
        for limit, key in self._counted(address, account, device):
            limit.take(key)

    def give_back(self, address: str, account: str, device: str | None) -> None:
        """Let a try count for nothing: the password was right."""
        for limit, key in self._counted(address, account, device):
            limit.give_back(key)

    def _counted(self, address: str, account: str, device: str | None) -> tuple[tuple[RateLimit, str], ...]:
        if device is not None:
            return ((self.by_device, device),)
        return (self.by_address, address), (self.by_address_and_account, f"{address} {account}")


def _name(account: str) -> str:
    """One for each account: several people may use a computer. Names of accounts are not all cookies' names."""
    return f"kinesphere_device_{hashlib.sha256(account.encode()).hexdigest()[:16]}"


def _proof(nonce: str, account: str, password_hash: str) -> str:
    return hmac.new(password_hash.encode(), f"device {nonce} {account}".encode(), hashlib.sha256).hexdigest()
