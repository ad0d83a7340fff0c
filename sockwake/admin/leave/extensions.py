"""Extensions of PostgreSQL, and where they are at home."""

from sockwake.admin.leave.targets import CNPG, Target

# in the sources of PostgreSQL, and so in Debian's packages and in the official image
_EVERYWHERE = frozenset(
    "amcheck autoinc bloom bool_plperl btree_gin btree_gist citext cube dblink dict_int dict_xsyn "
    "earthdistance file_fdw fuzzystrmatch hstore hstore_plperl hstore_plpython3u insert_username "
    "intagg intarray isn lo ltree ltree_plpython3u moddatetime pageinspect pg_buffercache "
    "pg_freespacemap pg_logicalinspect pg_prewarm pg_stat_statements pg_surgery pg_trgm "
    "pg_visibility pg_walinspect pgcrypto pgrowlocks pgstattuple plpgsql postgres_fdw refint seg "
    "sslinfo tablefunc tcn tsm_system_rows tsm_system_time unaccent uuid-ossp xml2".split()
)
_IN_CNPG = frozenset(("pgaudit", "vector"))
# Debian's packages, where they are not called as the extension is
_PACKAGES = {
    "pg_cron": "cron",
    "pg_partman": "partman",
    "pg_repack": "repack",
    "postgis": "postgis-3",
    "postgis_raster": "postgis-3",
    "postgis_topology": "postgis-3",
    "vector": "pgvector",
}


def is_everywhere(name: str) -> bool:
    """Whether every complete installation of PostgreSQL has an extension."""
    return name in _EVERYWHERE


def is_in_cnpg(name: str) -> bool:
    """Whether CloudNativePG's standard images have it, beside those of PostgreSQL itself."""
    return name in _IN_CNPG


def way_out(name: str, major: str, target: Target) -> str:
    """What has to be done for an extension that the target may not have."""
    if target.name == CNPG:
        return "is not in CloudNativePG's images: imageName has to name one that has it"
    if target.same_image:  # in place of the host's server, which has none
        return f"is not in the image postgres:{major}: image: has to name one that has it"
    return f"has to be installed there: {package(name, major)}, if it is Debian's"


def package(name: str, major: str) -> str:
    """Debian's package of an extension, by its usual name."""
    if name in ("plperl", "plpython3u"):
        return f"postgresql-{name.removesuffix('u')}-{major}"
    return f"postgresql-{major}-{_PACKAGES.get(name) or name.replace('_', '-')}"
