"""What is said before a move: what stops it, what would be lost, what is to be done."""

from dataclasses import replace

import pytest
from leaving import POSTGRES, SHOP, SURVEY, found, plan

from sockwake.admin.leave import extensions, preflight, targets
from sockwake.admin.leave.findings import FINE, LOST, STOPS, TO_DO, WEIGHTS
from sockwake.admin.leave.survey import Role, Survey


def said(survey: Survey, to: str, method: str = "", **more: object) -> dict[str, list[str]]:
    """The texts of each weight."""
    texts: dict[str, list[str]] = {weight: [] for weight in WEIGHTS}
    for point in found(to, survey, method, **more):
        texts[point.weight].append(f"{point.subject}: {point.text}")
    return texts


def has(texts: list[str], *parts: str) -> bool:
    return any(all(part in text for part in parts) for text in texts)


@pytest.mark.parametrize("to", targets.TARGETS)
def test_what_weighs_most_is_said_first(to: str) -> None:
    method = "subscription" if to == "cloudnative-pg" else ""
    everything = replace(SURVEY, wal_level="replica", slots=("s",), tablespaces={"fast": "/srv/x"})
    weights = [WEIGHTS.index(point.weight) for point in found(to, everything, method)]
    assert weights == sorted(weights) and len(weights) > 5


def test_an_extension_that_the_target_may_lack_is_named_with_its_package() -> None:
    assert has(said(SURVEY, "sql")[TO_DO], "vector 0.8.0", "postgresql-17-pgvector")
    assert has(said(SURVEY, "patroni")[TO_DO], "pg_cron 1.6", "postgresql-17-cron")
    assert has(said(SURVEY, "sql")[FINE], "hstore 1.8", "comes with PostgreSQL")
    assert not has(said(SURVEY, "compose")[TO_DO], "extension"), "it is the same image"
    of_host = said(SURVEY, "compose", is_of_host=True)
    assert has(of_host[TO_DO], "pg_cron 1.6", "is not in the image postgres:17"), "it has none"
    assert has(of_host[FINE], "hstore 1.8", "comes with PostgreSQL")
    assert has(said(SURVEY, "cloudnative-pg", "monolith")[FINE], "vector", "standard image")
    assert has(said(SURVEY, "cloudnative-pg", "monolith")[TO_DO], "pg_cron", "imageName")
    assert extensions.package("plpython3u", "18") == "postgresql-plpython3-18"
    assert extensions.package("pg_hint_plan", "18") == "postgresql-18-pg-hint-plan"


def test_a_collation_that_sorts_otherwise_elsewhere_is_told_where_files_go_along() -> None:
    assert has(said(SURVEY, "patroni")[TO_DO], "en_US.utf8 of libc 2.36", "REINDEX")
    assert has(said(SURVEY, "sql")[TO_DO], "a locale that the target has to have")
    assert has(said(SURVEY, "compose")[FINE], "as in the same image")
    of_host = said(SURVEY, "quadlet", is_of_host=True)
    assert has(of_host[TO_DO], "en_US.utf8", "a locale that the target has to have")
    by_bytes = replace(SHOP, collate="C.UTF-8", ctype="C.UTF-8", version="", actual="")
    assert not has(said(replace(SURVEY, databases=(by_bytes,)), "patroni")[TO_DO], "collation")
    other = replace(SURVEY, databases=(replace(SHOP, actual="2.41", outdated=("de",)),))
    assert has(said(other, "patroni")[TO_DO], "version 2.36", "2.41", "before it goes")
    assert has(said(other, "sql")[TO_DO], "loaded anew") and has(said(other, "sql")[TO_DO], "de ")
    builtin = replace(SHOP, provider="builtin", locale="C.UTF-8")
    assert builtin.sorts_by_bytes and not replace(SHOP, provider="icu").sorts_by_bytes


def test_what_does_not_survive_is_lost_and_no_note() -> None:
    survey = replace(
        SURVEY,
        slots=("standby",),
        prepared=2,
        closed=("archive",),
        databases=(replace(SHOP, unlogged=3),),
    )
    lost = said(survey, "sql")[LOST]
    assert has(lost, "replication slots standby") and has(lost, "2 prepared transactions")
    assert has(lost, "archive: no connection is allowed")
    assert has(said(survey, "patroni")[LOST], "the rows of 3 unlogged tables")
    assert not has(lost, "unlogged"), "a dump has their rows"
    assert has(said(survey, "compose", sockets=("/run/x/.s.PGSQL.1",))[LOST], "/run/x/.s.PGSQL.1")
    assert has(said(survey, "compose", allow=("10.0.0.0/8",))[TO_DO], "ALLOW=10.0.0.0/8")


def test_what_cloudnativepg_leaves_out_is_told_for_each_import() -> None:
    filled = replace(SURVEY, databases=(replace(POSTGRES, relations=1), SHOP))
    one = said(filled, "cloudnative-pg", "microservice")[LOST]
    assert has(one, "databases: postgres: microservice takes shop alone")
    assert has(one, "roles: shop, with passwords and grants")
    assert not has(said(SURVEY, "cloudnative-pg", "microservice")[LOST], "databases: postgres")
    every = said(filled, "cloudnative-pg", "monolith")[LOST]
    assert has(every, "what is in the database postgres")
    boss = replace(SURVEY, roles=(*SURVEY.roles, Role("boss", True, True, "md5")))
    assert has(said(boss, "cloudnative-pg", "monolith")[LOST], "boss: no role stays a superuser")
    assert has(said(boss, "sql")[TO_DO], "boss has an MD5 password")
    assert has(every, "archive_command, which the target sets itself")
    places = replace(SURVEY, tablespaces={"fast": "/srv/fast"})
    assert has(said(places, "cloudnative-pg", "monolith")[LOST], "tablespace fast in /srv/fast")
    assert has(said(places, "sql")[TO_DO], "tablespace fast in /srv/fast")


def test_what_stands_in_the_way_stops_it() -> None:
    old = replace(SURVEY, version="13.20")
    assert has(said(old, "cloudnative-pg", "monolith")[STOPS], "no PostgreSQL 13")
    assert preflight.stopping(found("sql", old)) == []
    plain = replace(SURVEY, wal_level="replica", databases=(SHOP,))
    assert has(said(plain, "cloudnative-pg", "subscription")[STOPS], "wal_level = logical")
    keyless = replace(SHOP, no_identity=("public.t",), sequences=2, large_objects=1)
    streamed = said(replace(SURVEY, databases=(keyless,)), "cloudnative-pg", "subscription")
    assert streamed[STOPS] == []
    assert has(streamed[TO_DO], "public.t without primary key") and has(streamed[TO_DO], "sequence")
    assert has(streamed[LOST], "large objects")


def test_an_address_that_no_other_machine_reaches_is_told() -> None:
    alone = replace(plan("patroni", "standby"), reachable=False)
    texts = [point.text for point in preflight.points(SURVEY, alone)]
    assert any("on this machine alone" in text for text in texts)
    assert has(said(SURVEY, "patroni", "standby")[TO_DO], "without TLS")
    assert not has(said(SURVEY, "patroni", "standby", tls=True)[TO_DO], "without TLS")


def test_settings_of_the_place_stay_behind_and_others_go_along() -> None:
    for to in targets.TARGETS:
        kept = targets.settings_for(targets.TARGETS[to], dict(SURVEY.settings))
        assert "listen_addresses" not in kept and "idle_session_timeout" not in kept
        assert kept["work_mem"] == "64MB"
    assert has(said(SURVEY, "sql")[TO_DO], "work_mem = 64MB", "settings.conf")
