"""What stands in the way of another major version: what `pg_upgrade --check` and its manual name, as far as
SQL shows it while the database serves, for the majors that Instar knows (15 and later).
"""

from typing import LiteralString

from instar.agent.datastores.postgresql.looks import Look
from instar.wire.errors import Severity

# Columns of a type, or of what is made of it: domains, arrays, composites and ranges, however deep. Each way
# is an equation of its own, so that none is a loop over all pairs; what users make has an oid from 16384 on.
_COLUMNS_OF: LiteralString = """
    WITH RECURSIVE made(oid) AS (
        SELECT oid FROM ({0}) AS base
        UNION
        SELECT oid FROM (
            WITH known AS (SELECT oid FROM made)
            SELECT t.oid FROM pg_type t JOIN known ON typbasetype = known.oid WHERE typtype = 'd'
            UNION ALL
            SELECT t.oid FROM pg_type t JOIN known ON typelem = known.oid WHERE typcategory = 'A'
            UNION ALL
            SELECT rngtypid FROM pg_range JOIN known ON rngsubtype = known.oid
            UNION ALL
            SELECT rngmultitypid FROM pg_range JOIN known ON rngsubtype = known.oid
            UNION ALL
            SELECT reltype FROM pg_attribute JOIN known ON atttypid = known.oid
            JOIN pg_class c ON c.oid = attrelid
            WHERE attrelid >= 16384 AND NOT attisdropped AND reltype <> 0
        ) AS more
    )
    SELECT format('%I.%I.%I', nspname, relname, attname) FROM pg_attribute
    JOIN made ON made.oid = atttypid
    JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE attrelid >= 16384 AND NOT attisdropped AND relkind IN ('r', 'm', 'i')
    AND nspname NOT IN ('pg_catalog', 'information_schema') AND left(nspname, 8) <> 'pg_temp_'
    ORDER BY 1
"""
_REG_COLUMNS: LiteralString = """
    SELECT oid FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typname IN (
        'regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc',
        'regprocedure')
"""
_SYSTEM_COMPOSITES: LiteralString = (
    "SELECT oid FROM pg_type WHERE typtype = 'c'"
    " AND (oid < 16384 OR typnamespace = 'information_schema'::regnamespace)"
)

_SLOTS: LiteralString = (
    "SELECT slot_name FROM pg_replication_slots WHERE slot_type = '{0}' AND NOT temporary ORDER BY slot_name"
)

EVERYWHERE: tuple[Look, ...] = (
    Look(
        "prepared_transactions",
        Severity.BLOCK,
        "Prepared transactions",
        "SELECT gid, database FROM pg_prepared_xacts ORDER BY gid",
        "Commit or roll them back.",
    ),
    Look(
        "closed_databases",
        Severity.BLOCK,
        "Databases that allow no connections",
        "SELECT datname FROM pg_database WHERE NOT datallowconn AND datname <> 'template0' ORDER BY datname",
        "ALTER DATABASE ... ALLOW_CONNECTIONS true, or drop them.",
    ),
    Look(
        "invalid_databases",
        Severity.BLOCK,
        "Databases that an interrupted DROP DATABASE has left invalid",
        "SELECT datname FROM pg_database WHERE datconnlimit = -2 ORDER BY datname",
        "Drop them.",
    ),
    Look(
        "template0",
        Severity.BLOCK,
        "Databases that must not allow connections and do",
        "SELECT datname FROM pg_database WHERE datallowconn AND datname = 'template0'",
        "ALTER DATABASE template0 ALLOW_CONNECTIONS false.",
    ),
    Look(
        "replication_slots",
        Severity.BLOCK,
        "Logical replication slots",
        _SLOTS.replace("{0}", "logical"),
        "Drop them; make them anew after the upgrade.",
    ),
    Look(
        "physical_slots",
        Severity.WARN,
        "Physical replication slots, which do not cross to another major version",
        _SLOTS.replace("{0}", "physical"),
        "Make them anew after the upgrade, and their standbys too.",
    ),
    Look(
        "subscriptions",
        Severity.BLOCK,
        "Subscriptions",
        "SELECT subname FROM pg_subscription ORDER BY subname",
        "Drop them; make them anew after the upgrade.",
    ),
)

INSIDE: tuple[Look, ...] = (
    Look(
        "data_types",
        Severity.BLOCK,
        "columns of reg* types, which hold numbers that do not survive",
        _COLUMNS_OF.replace("{0}", _REG_COLUMNS),
        "Drop the columns, or change their type to text.",
    ),
    Look(
        "data_types",
        Severity.BLOCK,
        "columns of the system's own row types, which change with each major version",
        _COLUMNS_OF.replace("{0}", _SYSTEM_COMPOSITES),
        "Drop the columns.",
    ),
    Look(
        "libraries",
        Severity.WARN,
        "libraries of functions that belong to no extension; the new image must hold them",
        """
        SELECT DISTINCT probin FROM pg_proc p WHERE prolang = 13 AND probin IS NOT NULL AND oid >= 16384
        AND NOT EXISTS (
            SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
        ORDER BY 1
        """,
        "Drop the functions, unless the new image holds their library.",
    ),
)

INHERITED_NOT_NULL = Look(
    "inherited_not_null",
    Severity.BLOCK,
    "columns that may be null in a child table and not in its parent",
    """
    SELECT format('%I.%I.%I', nspname, relname, child.attname) FROM pg_inherits
    JOIN pg_attribute child ON child.attrelid = inhrelid
    JOIN pg_attribute parent ON parent.attrelid = inhparent AND parent.attname = child.attname
    JOIN pg_class c ON c.oid = inhrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE parent.attnum > 0 AND parent.attnotnull AND NOT child.attnotnull ORDER BY 1
    """,
    "ALTER TABLE ... ALTER COLUMN ... SET NOT NULL on the child, or drop it on the parent.",
)

OLD_ACCESS_LISTS = Look(
    "data_types",
    Severity.BLOCK,
    "columns of type aclitem, whose format changed with PostgreSQL 16",
    _COLUMNS_OF.replace("{0}", "SELECT 'pg_catalog.aclitem'::regtype::oid AS oid"),
    "Drop the columns, or change their type to text.",
)

NEW_UNICODE = Look(
    "unicode",
    Severity.WARN,
    "indexes, constraints and views that depend on the case, form or class of letters, "
    "which newer Unicode may see otherwise",
    r"""
    WITH pattern(text) AS (
        SELECT ':(funcid|opfuncid) (' || string_agg(oid::text, '|') || ')[ }]' FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND (
            proname IN ('lower', 'upper', 'initcap', 'casefold', 'normalize', 'is_normalized',
                        'unicode_assigned')
            OR proname LIKE 'regexp\_%'
            OR oid IN (SELECT oprcode FROM pg_operator WHERE oprright = 'text'::regtype
                       AND oprname IN ('~', '~*', '!~', '!~*', '~~*', '!~~*')))
    ), found(oid) AS (
        SELECT conrelid FROM pg_constraint, pattern WHERE conbin::text ~ text
        UNION SELECT indexrelid FROM pg_index, pattern WHERE indexprs::text ~ text OR indpred::text ~ text
        UNION SELECT partrelid FROM pg_partitioned_table, pattern WHERE partexprs::text ~ text
        UNION SELECT ev_class FROM pg_rewrite, pattern
              WHERE ev_class IN (SELECT oid FROM pg_class WHERE relkind = 'm') AND ev_action::text ~ text
    )
    SELECT format('%I.%I', nspname, relname) FROM found JOIN pg_class c ON c.oid = found.oid
    JOIN pg_namespace n ON n.oid = relnamespace
    WHERE c.oid >= 16384 AND nspname <> 'information_schema' AND EXISTS (
        SELECT FROM pg_database WHERE datname = current_database() AND datlocprovider = 'b'
        AND pg_encoding_to_char(encoding) = 'UTF8')
    ORDER BY 1
    """,
    "Rebuild them once the upgrade is done (REINDEX, REFRESH MATERIALIZED VIEW), and check the constraints.",
)


def inside(before: int, after: int) -> tuple[Look, ...]:
    """Give the looks into each database on the way from one major version to another."""
    unicode = (NEW_UNICODE,) if before >= 17 and after >= 18 else ()
    inherited = (INHERITED_NOT_NULL,) if before < 18 <= after else ()
    return (*INSIDE, *inherited, *((OLD_ACCESS_LISTS,) if before < 16 else ()), *unicode)
