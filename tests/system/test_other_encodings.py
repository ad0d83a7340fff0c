"""A database in another encoding: what names its tables is asked for in ours."""

from __future__ import annotations

import pytest

from instances import Make
from program import run

LATIN = "CREATE DATABASE lat ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"


@pytest.mark.soak
def test_names_of_a_database_in_another_encoding_are_understood(instance: Make) -> None:
    database = instance(idle="1min")
    database.psql(LATIN)
    where = ("-d", "dbname=lat client_encoding=UTF8")
    database.psql('CREATE TABLE "Größe" AS SELECT generate_series(1, 1000)', *where)
    database.put_to_sleep()
    run("sockwake", "maintain", database.name).expect(0, f"maintained {database.name}: ")
    analyzed = "SELECT count(*) FROM pg_stats WHERE schemaname = 'public'"
    assert database.psql(analyzed, "-d", "lat") == "1"
    to = ("--to", "cloudnative-pg", "--method", "subscription", "--database", "lat", "--check")
    assert '"Größe" without primary key' in run("sockwake", "export", database.name, *to).out
    database.put_to_sleep()
