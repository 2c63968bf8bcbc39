"""Accounts, invitations, tokens and sessions, on real SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import String, Text, select

from kinesphere.errors import Conflict, InvalidInput, KinesphereError, NotFound
from storage.catalog import Accounts, Audit, Catalog, Erasures, Invitations, Role, SignIns
from storage.catalog.tables import Table


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    if request.param == "sqlite":
        opened = Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", create=True)
    else:
        opened = Catalog.open(request.getfixturevalue("postgres_url"), create=True)
        with opened.engine.execution_options(writes=True).begin() as connection:
            for table in reversed(Table.metadata.sorted_tables):
                connection.execute(table.delete())
    yield opened
    opened.close()


def stored_texts(catalog: Catalog) -> set[str]:
    """Every text that the catalog holds."""
    found: set[str] = set()
    with catalog.reading() as session:
        for table in Table.metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, String | Text):
                    found |= {str(value) for value in session.scalars(select(column)) if value is not None}
    return found


def test_an_account_needs_a_role_and_a_name_that_is_free(catalog: Catalog) -> None:
    accounts = Accounts(catalog)
    made = accounts.add("anna", {Role.ANNOTATOR, Role.REVIEWER}, who="olivia")
    assert accounts.find("anna") == made and made.roles == {"annotator", "reviewer"} and not made.has_password
    with pytest.raises(Conflict, match="already"):
        accounts.add("anna", {Role.ANNOTATOR}, who="olivia")
    for name, roles, contributor in (
        ("", {Role.ANNOTATOR}, None),
        ("a b", {Role.ANNOTATOR}, None),
        ("<script>", {Role.ANNOTATOR}, None),
        ("a" * 65, {Role.ANNOTATOR}, None),
        ("bert", set[Role](), None),
        ("bert", {Role.CONTRIBUTOR}, None),
        ("bert", {Role.ANNOTATOR}, "c001"),
        ("bert", {Role.CONTRIBUTOR}, "../c001"),
    ):
        with pytest.raises(InvalidInput):
            accounts.add(name, roles, who="olivia", contributor=contributor)
    accounts.add("bert", {Role.CONTRIBUTOR}, who="olivia", contributor="c001")
    assert catalog.contributors() == ["c001"]
    with pytest.raises(Conflict, match="has an account"):
        accounts.add("carl", {Role.CONTRIBUTOR}, who="olivia", contributor="c001")
    with pytest.raises(NotFound, match="anna"):
        accounts.require("ann")


def test_the_last_operator_cannot_be_shut_out(catalog: Catalog) -> None:
    accounts = Accounts(catalog)
    accounts.add("olivia", {Role.OPERATOR}, who="root", password_hash="x")
    assert accounts.can_be_operated()
    with pytest.raises(Conflict, match="nobody would be left"):
        accounts.disable("olivia", who="olivia")
    with pytest.raises(Conflict, match="nobody would be left"):
        accounts.set_roles("olivia", {Role.REVIEWER}, who="olivia")
    assert accounts.require("olivia").roles == {Role.OPERATOR} and accounts.can_be_operated()
    accounts.add("oskar", {Role.OPERATOR}, who="olivia")
    accounts.disable("olivia", who="oskar")
    assert not accounts.can_be_operated()  # oskar has no password
    accounts.enable("olivia", who="oskar")
    assert accounts.can_be_operated()


def test_no_secret_is_kept(catalog: Catalog) -> None:
    Accounts(catalog).add("anna", {Role.ANNOTATOR}, who="olivia", password_hash="argon2...")
    token = SignIns(catalog).new_token("anna", "laptop", who="anna")
    session = SignIns(catalog).begin_session("anna")
    code, _ = Invitations(catalog).invite({Role.REVIEWER}, who="olivia")
    kept = " ".join(stored_texts(catalog))
    assert "anna" in kept
    for secret in (token, session, code):
        assert secret not in kept


def test_an_invitation_is_good_once_and_for_a_week(catalog: Catalog) -> None:
    now = datetime.now(UTC)
    invitations = Invitations(catalog, clock=lambda: now)
    code, made = invitations.invite({Role.CONTRIBUTOR}, who="olivia", contributor="c007")
    assert invitations.find(code) == made == invitations.all()[0]
    late = Invitations(catalog, clock=lambda: now + timedelta(days=7, seconds=1))
    assert late.find(code) is None and late.all() == []
    with pytest.raises(NotFound):
        late.accept(code, "carla", "hash")
    account = invitations.accept(code, "carla", "hash")
    assert account.contributor == "c007" and account.roles == {Role.CONTRIBUTOR} and account.has_password
    assert invitations.find(code) is None
    for again in (code, "nonsense"):
        with pytest.raises(NotFound):
            invitations.accept(again, "dora", "hash")
    named, other = invitations.invite({Role.REVIEWER}, who="olivia", account="rosa")
    with pytest.raises(Conflict, match="for 'rosa'"):
        invitations.accept(named, "mallory", "hash")
    assert invitations.find(named) is not None  # the failure did not use it up
    invitations.take_back(other.code_sha256, who="olivia")
    assert invitations.find(named) is None


def test_of_many_who_use_an_invitation_at_once_one_gets_in(catalog: Catalog) -> None:
    code, _ = Invitations(catalog).invite({Role.REVIEWER}, who="olivia")
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def accept(name: str) -> None:
        start.wait()
        try:
            outcomes.append(Invitations(catalog).accept(code, name, "hash").account)
        except KinesphereError:
            outcomes.append("")

    threads = [threading.Thread(target=accept, args=(f"person{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 6 and len([name for name in outcomes if name]) == 1
    assert [account.account for account in Accounts(catalog).all()] == [name for name in outcomes if name]


def test_tokens_and_sessions_end_with_their_time_their_password_or_their_account(catalog: Catalog) -> None:
    now = datetime.now(UTC)
    accounts, sign_ins = Accounts(catalog), SignIns(catalog, clock=lambda: now)
    accounts.add("olivia", {Role.OPERATOR}, who="root")
    accounts.add("anna", {Role.ANNOTATOR}, who="olivia", password_hash="old")
    short = sign_ins.new_token("anna", "short", who="anna", valid_for=timedelta(days=1))
    ever = sign_ins.new_token("anna", "ever", who="anna")
    first, second = sign_ins.begin_session("anna"), sign_ins.begin_session("anna")
    tomorrow = SignIns(catalog, clock=lambda: now + timedelta(days=2))
    assert tomorrow.by_token(short) is None
    found = tomorrow.by_token(ever)
    assert found is not None and found.account == "anna"
    assert SignIns(catalog, clock=lambda: now + timedelta(days=31)).by_session(first) is None
    accounts.set_password("anna", "new", who="anna", keep=second)
    assert sign_ins.by_session(first) is None and sign_ins.by_session(second) is not None
    (kept,) = [token for token in sign_ins.tokens("anna") if token.name == "ever"]
    sign_ins.revoke_token("olivia", kept.token_sha256, who="olivia")  # not hers
    assert sign_ins.by_token(ever) is not None
    sign_ins.revoke_token("anna", kept.token_sha256, who="anna")
    assert sign_ins.by_token(ever) is None
    accounts.disable("anna", who="olivia")
    assert sign_ins.by_session(second) is None and sign_ins.by_token(short) is None
    assert accounts.password_hash("anna") is None
    for wrong in ("", "x", short + "x"):
        assert sign_ins.by_token(wrong) is None and sign_ins.by_session(wrong) is None
    with pytest.raises(InvalidInput):
        sign_ins.new_token("anna", "a\nb", who="anna")


def test_everything_that_is_done_is_in_the_trail(catalog: Catalog) -> None:
    accounts = Accounts(catalog)
    accounts.add("olivia", {Role.OPERATOR}, who="root")
    accounts.add("anna", {Role.ANNOTATOR}, who="olivia")
    accounts.set_roles("anna", {Role.REVIEWER}, who="olivia")
    SignIns(catalog).begin_session("anna")
    Audit(catalog).note("anna", "looked", "x", "y")
    trail = Audit(catalog).trail(about="anna")
    assert [(entry.who, entry.what) for entry in trail] == [
        ("anna", "looked"),
        ("anna", "signed in"),
        ("olivia", "roles set"),
        ("olivia", "account made"),
    ]
    assert len(Audit(catalog).trail(2)) == 2


@pytest.mark.parametrize("roles", [{Role.CONTRIBUTOR}, {Role.CONTRIBUTOR, Role.ANNOTATOR}])
def test_an_erased_contributor_has_no_account_any_more(catalog: Catalog, roles: set[Role]) -> None:
    accounts, sign_ins = Accounts(catalog), SignIns(catalog)
    accounts.add("carla", roles, who="olivia", contributor="carla")
    token, session = sign_ins.new_token("carla", "phone", who="carla"), sign_ins.begin_session("carla")
    Invitations(catalog).invite({Role.REVIEWER}, who="carla")
    erasures = Erasures(catalog)
    begun = erasures.begin("carla", who="olivia")
    assert begun is not None
    assert erasures.finish(begun, erasures.data_to_erase(begun), {"contributor_sha256": None})
    left = accounts.find("carla")
    if Role.ANNOTATOR in roles:  # they also work here, under a name that is theirs to give up
        assert left is not None and left.roles == {Role.ANNOTATOR} and left.contributor is None
    else:
        assert left is None and sign_ins.by_token(token) is None
        assert erasures.mentions("carla") == []
    assert sign_ins.by_session(session) is None
