"""The files of an export: read back by what will read them, and checked against its definitions."""

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore  # its stubs are no part of the tree
from leaving import POSTGRES, SECRET, SHOP, SURVEY, WAYS, files, plan, source

from sockwake.admin import parser
from sockwake.admin.leave import dump, export_files
from sockwake.admin.leave.targets import Target
from sockwake.admin.verbs import VERBS
from tree import SOURCE, run

CNPG = SOURCE.parent / "shared/cnpg"
IMPORTS = ["microservice", "monolith", "subscription"]


@pytest.mark.parametrize(("target", "method"), WAYS, ids=lambda each: getattr(each, "name", each))
@pytest.mark.parametrize("tls", [False, True])
def test_there_are_ten_at_most_and_only_secrets_have_the_password(
    target: Target, method: str, tls: bool
) -> None:
    made = files(target.name, method, tls=tls)
    assert len(made) + 2 <= 10, "with preflight.json and cluster.sql"
    for name, file in made.items():
        is_key = file.text == "KEY\n"
        has_secret = is_key or SECRET in file.text or json.dumps(SECRET) in file.text
        assert not has_secret or file.mode == 0o600, name
        assert file.text.endswith("\n") or name == "password"
    assert "sockwake export shop-1" in made["README"].text


@pytest.mark.parametrize(("target", "method"), WAYS, ids=lambda each: getattr(each, "name", each))
@pytest.mark.parametrize("is_user", [False, True])
def test_the_commands_that_are_to_be_typed_next_are_about_that_instance(
    target: Target, method: str, is_user: bool
) -> None:
    made = files(target.name, method, is_user=is_user)
    typed = [
        shlex.split(line.partition("<")[0])[1:]
        for file in made.values()
        for line in file.text.splitlines()
        if line.startswith("    sockwake ")
    ]
    assert typed
    for words in typed:
        parsed = parser.parse(VERBS, words)
        assert parsed.user == is_user, words
        named = getattr(parsed, "name", "") or parsed.names[0]
        assert (named, "--user" in getattr(parsed, "rest", [])) == ("shop-1", False), words


def manifests(name: str, method: str, **more: Any) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(files("cloudnative-pg", method, **more)[name].text))


def definition(name: str) -> dict[str, Any]:
    path = CNPG / f"postgresql.cnpg.io_{name}.yaml"
    if not path.exists():
        pytest.skip(f"there is no {path}, which is no part of the project")
    found = yaml.safe_load(path.read_text())
    schema: dict[str, Any] = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    made: dict[str, Any] = closed(schema)
    return made


def closed(schema: Any) -> Any:
    """A schema that refuses properties it does not name, as the API server would drop them."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    is_open = made.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in made
    if not is_open and isinstance(schema.get("properties"), dict) and schema.get("type"):
        made["additionalProperties"] = False
    if made.pop("x-kubernetes-int-or-string", False):
        made = {"type": ["integer", "string"]}
    return made


def validate(manifest: dict[str, Any], name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = definition(name)
    # of a resource's own name and annotations the definition says nothing
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.Draft7Validator(schema).validate(manifest)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("method", IMPORTS)
def test_a_cluster_is_one_by_cloudnativepg_s_own_definition(method: str, tls: bool) -> None:
    (cluster,) = manifests("cluster.yaml", method, tls=tls)
    validate(cluster, "clusters")
    spec = cluster["spec"]
    initdb = spec["bootstrap"]["initdb"]
    assert initdb["import"]["type"] == ("monolith" if method == "monolith" else "microservice")
    assert initdb["import"].get("schemaOnly", False) == (method == "subscription")
    assert initdb["import"]["databases"] == (["*"] if method == "monolith" else ["shop"])
    assert cluster["metadata"]["annotations"] == {"cnpg.io/hibernation": "off"}
    parameters = spec["postgresql"]["parameters"]
    assert parameters == {"work_mem": "64MB", "search_path": SURVEY.settings["search_path"]}, (
        "the operator sets the others"
    )
    assert spec["postgresql"]["shared_preload_libraries"] == ["pg_cron", "auto_explain"]
    (outside,) = spec["externalClusters"]
    assert outside["connectionParameters"]["port"] == "25432"
    assert ("sslRootCert" in outside) == tls


@pytest.mark.parametrize(
    "changed",
    [
        {"provider": "icu", "locale": "de-DE"},
        {"provider": "builtin", "locale": "C.UTF-8"},
        {"name": "postgres", "owner": "postgres"},
        {"size": 700 << 30},
        {"name": 'o"dd: #', "owner": "o'dd"},
    ],
    ids=lambda changed: next(iter(changed.values())),
)
def test_other_databases_make_clusters_too(changed: dict[str, Any]) -> None:
    survey = replace(SURVEY, databases=(replace(SHOP, **changed),), settings={})
    name = changed.get("name", "shop")
    way = plan("cloudnative-pg", "microservice", name)
    texts = export_files.files(source(survey), way, [], "now")
    (cluster,) = yaml.safe_load_all(texts["cluster.yaml"].text)
    validate(cluster, "clusters")
    initdb = cluster["spec"]["bootstrap"]["initdb"]
    assert initdb["database"] == ("shop_1" if name == "postgres" else name)
    assert initdb["owner"] != "postgres"


def test_a_subscription_is_one_and_its_publication_is_where_it_looks() -> None:
    (subscription,) = manifests("subscription.yaml", "subscription")
    validate(subscription, "subscriptions")
    spec = subscription["spec"]
    (cluster,) = manifests("cluster.yaml", "subscription")
    assert spec["cluster"]["name"] == cluster["metadata"]["name"]
    assert spec["externalClusterName"] == cluster["spec"]["externalClusters"][0]["name"]
    assert spec["publicationDBName"] == "shop"
    statement = files("cloudnative-pg", "subscription")["source.sql"].text
    assert f"CREATE PUBLICATION {spec['publicationName']} FOR ALL TABLES" in statement


@pytest.mark.parametrize("tls", [False, True])
def test_the_secrets_have_what_the_cluster_asks_them_for(tls: bool) -> None:
    secrets = manifests("secret.yaml", "monolith", tls=tls)
    (cluster,) = manifests("cluster.yaml", "monolith", tls=tls)
    (outside,) = cluster["spec"]["externalClusters"]
    there = {each["metadata"]["name"]: each["stringData"] for each in secrets}
    assert there[outside["password"]["name"]]["password"] == SECRET
    if tls:
        wanted = outside["sslRootCert"]
        assert there[wanted["name"]][wanted["key"]] == "CERT\n"


def test_compose_reads_what_the_server_had(tmp_path: Path) -> None:
    made = files("compose", tls=True)
    for name, file in made.items():
        (tmp_path / name).write_text(file.text)
    ran = run("docker-compose", "--project-directory", str(tmp_path), "config", "--format", "json")
    assert ran.status == 0, ran
    service = json.loads(ran.stdout)["services"]["postgres"]
    values = [each for each in service["command"] if each not in ("postgres", "-c")]
    assert f"search_path={SURVEY.settings['search_path']}".replace("$", "$$") in values
    assert "work_mem=64MB" in values and "ssl=on" in values
    assert not any(each.startswith(("listen_addresses", "idle_session")) for each in values)
    assert {port["host_ip"] for port in service["ports"]} == {"127.0.0.1", "::1"}
    assert {port["published"] for port in service["ports"]} == {"25432"}
    assert (service["mem_limit"], service["pids_limit"]) == (str(1 << 30), 100)
    assert made["password"].text == f"{SECRET}\n"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "--encoding=UTF8 --lc-collate=C --lc-ctype=C"),
        (
            {"provider": "icu", "locale": "de-u-co-phonebk", "collate": "de_DE@euro"},
            "--encoding=UTF8 --lc-collate=de_DE@euro --lc-ctype=C --locale-provider=icu "
            "--icu-locale=de-u-co-phonebk",
        ),
        ({"encoding": "LATIN1"}, "--encoding=LATIN1 --lc-collate=C --lc-ctype=C"),
    ],
)
def test_the_database_that_no_dump_makes_sorts_there_as_it_did_here(
    changed: dict[str, Any], told: str
) -> None:
    """Its texts would be in another order, and nothing would say so."""
    survey = replace(SURVEY, databases=(replace(POSTGRES, **changed), SHOP))
    careful = "--data-checksums --auth-local=scram-sha-256 --auth-host=scram-sha-256"
    compose = yaml.safe_load(files("compose", survey=survey)["compose.yaml"].text)
    environment = compose["services"]["postgres"]["environment"]
    assert environment["POSTGRES_INITDB_ARGS"] == f"{careful} {told}"
    unit = files("quadlet", survey=survey)["shop-1.container"].text
    assert f'Environment="POSTGRES_INITDB_ARGS={careful} {told}"\n' in unit
    # the locales of the host may not be those of the image that comes in its place
    of_host = replace(plan("compose"), is_of_host=True)
    made = export_files.files(source(survey), of_host, [], "")["compose.yaml"].text
    assert f"{careful} --encoding=UTF8" in made


def test_a_quadlet_has_the_same_words() -> None:
    made = files("quadlet", tls=True)
    unit = made["shop-1.container"].text
    line = next(line for line in unit.splitlines() if line.startswith("Exec="))
    words = shlex.split(line.removeprefix("Exec=").replace("$$", "$").replace("%%", "%"))
    assert f"search_path={SURVEY.settings['search_path']}" in words
    assert "archive_command=cp %p /srv/wal/%f" in words
    assert "Image=docker.io/library/postgres:17\n" in unit
    assert "target=server.key,uid=70,gid=71,mode=0400\n" in unit, "those of the server there"
    assert "user 70 of the image" in made["README"].text
    assert "PublishPort=[::1]:25432:5432\n" in unit
    assert made["password"].text == SECRET


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
@pytest.mark.parametrize("to", ["compose", "quadlet"])
def test_the_script_that_loads_is_one(to: str, tmp_path: Path) -> None:
    script = tmp_path / "load"
    script.write_text(files(to, tls=True)["load"].text)
    ran = run("shellcheck", "--exclude=SC2016", str(script))
    assert ran.status == 0, ran.stdout


@pytest.mark.parametrize("to", ["compose", "quadlet"])
def test_a_dump_that_was_cut_on_its_way_is_not_loaded(to: str, tmp_path: Path) -> None:
    (tmp_path / "load").write_text(files(to)["load"].text)
    (tmp_path / "cluster.sql").write_text("--\n-- PostgreSQL database dump complete\n--\n")
    ran = run("sh", str(tmp_path / "load"))
    assert (ran.status, ran.stdout) == (1, "")
    assert ran.stderr == "cluster.sql is cut: it does not end as a dump does\n"


def test_patroni_s_file_is_yaml_with_what_the_server_had() -> None:
    for method in ("standby", "files"):
        node = yaml.safe_load(files("patroni", method, tls=True)["patroni.yml"].text)
        dcs = node["bootstrap"]["dcs"]
        assert dcs["postgresql"]["parameters"]["work_mem"] == "64MB"
        assert ("standby_cluster" in dcs) == (method == "standby")
        assert node["postgresql"]["authentication"]["superuser"]["password"] == SECRET
    plain = replace(SURVEY, settings={}, checksums=False)
    node = yaml.safe_load(files("patroni", "standby", survey=plain)["patroni.yml"].text)
    parameters = node["bootstrap"]["dcs"]["postgresql"]["parameters"]
    assert parameters == {"wal_log_hints": "on"}, "pg_rewind needs one of the two"
    assert node["bootstrap"]["dcs"]["standby_cluster"]["host"] == "db.example"


def test_settings_are_read_back_by_postgresql_s_rules() -> None:
    text = files("sql")["settings.conf"].text
    assert "search_path = '\"$user\", public, ''odd'''\n" in text
    assert "settings.conf" not in files("sql", survey=replace(SURVEY, settings={}))


def test_only_the_line_that_makes_the_superuser_becomes_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "cluster.sql"
    rest = "ALTER ROLE postgres WITH SUPERUSER;\nCREATE ROLE postgres2;\n\\connect shop\n"
    path.write_text(
        f"-- head\nCREATE ROLE a;\nCREATE ROLE postgres;\n{rest}CREATE ROLE postgres;\n"
    )
    dump.leave_out_role(str(path), "postgres")
    assert path.read_text() == (
        f"-- head\nCREATE ROLE a;\n-- the user postgres;\n{rest}CREATE ROLE postgres;\n"
    )
    path.write_text('CREATE ROLE "Odd one";\n\\connect x\n')
    dump.leave_out_role(str(path), "Odd one")
    assert path.read_text().startswith('-- the user "Odd one";\n')
    path.write_text("\\connect x\nCREATE ROLE postgres;\n")
    dump.leave_out_role(str(path), "postgres")
    assert path.read_text().endswith("\nCREATE ROLE postgres;\n"), "a row may look like it"
