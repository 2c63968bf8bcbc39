"""Passwords: what is good enough, and their hashes (argon2id with the library's parameters, RFC 9106)."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kinesphere.errors import InvalidInput
from storage.catalog import Accounts

SHORTEST, LONGEST = 12, 200
"""Long and free rather than short and full of rules (NIST SP 800-63B)."""


def hash_password(password: str, *, account: str = "") -> str:
    """What is stored_hash of a password.

    Raises:
        InvalidInput: it is too short or too long, or just the account's name or one character again and again.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(
            f"a password has {SHORTEST} to {LONGEST} characters; a few random words are easy to remember"
        )
    if len(set(password)) < 5 or (account and password.lower().replace(account.lower(), "").strip("0123456789") == ""):
        raise InvalidInput("this password is too easy to guess; a few random words are easy to remember")
    return PasswordHasher().hash(password)


def is_right(accounts: Accounts, account: str, password: str) -> bool:
    """Whether this is the account's password. It takes as long where there is no such account."""
    stored_hash = accounts.password_hash(account)
    hasher = PasswordHasher()
    try:
        hasher.verify(stored_hash or _nobodys(), password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    if stored_hash is None:
        return False
    if hasher.check_needs_rehash(stored_hash):
        accounts.rehash(account, hasher.hash(password))
    return True


@cache
def _nobodys() -> str:
    return PasswordHasher().hash("a password that nobody has")
