"""Queries for what depends on how text is ordered.

Parameters: `changed`, the libraries whose versions change; `by_bytes`, a pattern of locales that compare
bytes; `listed`, how many rows are wanted at most.
"""

from typing import LiteralString

_ORDERED: LiteralString = r"""
    known AS (
        SELECT c.oid, coalesce(collisdeterministic, true) AS deterministic,
            CASE CASE collprovider WHEN 'd' THEN datlocprovider ELSE collprovider END
                WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' END AS library,
            CASE collprovider WHEN 'd' THEN datcollate ELSE collcollate END AS locale,
            CASE collprovider WHEN 'd' THEN datcollversion ELSE collversion END AS recorded,
            CASE collprovider WHEN 'd' THEN pg_database_collation_actual_version(d.oid)
                ELSE pg_collation_actual_version(c.oid) END AS actual
        FROM pg_collation AS c, pg_database AS d WHERE datname = current_database()
    ), ordered AS (
        SELECT oid, library, deterministic FROM known
        WHERE library IS NOT NULL AND (library <> 'libc' OR locale !~* %(by_bytes)s)
        AND (library = ANY (%(changed)s) OR recorded <> actual)
    )
"""
"""Collations whose library changes, or is of another version than the one recorded: either one suffices."""

_EQUALITY: LiteralString = r"'\{(OPEXPR|SCALARARRAYOPEXPR) :opno (98|531|1054|1057) [^{}]*?:inputcollid \d+'"
"""Text is equal or is not, in whatever order: what compares so only is not at risk."""

_AT_RISK: LiteralString = rf"""
    WITH RECURSIVE {_ORDERED}, keys AS (
        SELECT indexrelid, coll, opc, atttypid AS type, amname
        FROM pg_index CROSS JOIN unnest(indcollation::oid[], indclass::oid[]) WITH ORDINALITY u(coll, opc, n)
        JOIN pg_attribute ON attrelid = indexrelid AND attnum = n
        JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam
    ), parts(root, type) AS (
        SELECT DISTINCT type, type FROM keys
        UNION
        SELECT root, part FROM parts CROSS JOIN LATERAL (
            SELECT unnest(ARRAY[typbasetype, typelem]) FROM pg_type WHERE oid = type
            UNION ALL SELECT rngsubtype FROM pg_range WHERE type IN (rngtypid, rngmultitypid)
            UNION ALL SELECT atttypid FROM pg_type t JOIN pg_attribute ON attrelid = typrelid
            WHERE t.oid = type AND typtype = 'c' AND attnum > 0 AND NOT attisdropped
        ) AS of(part) WHERE part <> 0
    ), inner_order(root, coll) AS (
        SELECT root, rngcollation FROM parts JOIN pg_range ON type IN (rngtypid, rngmultitypid)
        UNION SELECT root, attcollation FROM parts JOIN pg_type t ON t.oid = type AND typtype = 'c'
            JOIN pg_attribute ON attrelid = typrelid AND attnum > 0 AND NOT attisdropped
        UNION SELECT root, 'pg_catalog."default"'::regcollation FROM parts WHERE type = 'jsonb'::regtype
    ), risk(indexrelid, library) AS (
        SELECT indexrelid, library FROM keys JOIN ordered o ON o.oid = coll JOIN pg_opclass p ON p.oid = opc
        WHERE (amname <> 'hash' OR NOT deterministic) AND opcname NOT LIKE '%%\_pattern\_ops'
        UNION SELECT indexrelid, library FROM keys JOIN inner_order ON root = type
            JOIN ordered o ON o.oid = inner_order.coll WHERE amname <> 'hash'
        UNION SELECT indexrelid, library FROM pg_index CROSS JOIN regexp_matches(
            regexp_replace(concat(indexprs, indpred), {_EQUALITY}, '', 'g'),
            ':inputcollid (\d+)', 'g') AS used
            JOIN ordered o ON o.oid = used[1]::oid WHERE coalesce(indexprs, indpred) IS NOT NULL
    ), found AS (
        SELECT c.oid, relfilenode, c.oid::regclass::text AS index, indrelid::regclass::text AS table,
            relpages * current_setting('block_size')::bigint AS noted, min(library) AS library,
            indisunique, amname
        FROM risk JOIN pg_index USING (indexrelid) JOIN pg_class c ON c.oid = indexrelid
        JOIN pg_am a ON a.oid = relam WHERE relkind = 'i' AND relpersistence <> 't' AND indisvalid
        GROUP BY c.oid, indrelid, indisunique, amname
    )
"""  # noqa: S608 - made of constants
LARGEST: LiteralString = f"""
    {_AT_RISK} SELECT index, "table", noted, library, indisunique, count(*) OVER (), sum(noted) OVER ()
    FROM found ORDER BY noted DESC, 1 LIMIT %(listed)s
"""  # noqa: S608 - made of constants
"""Sizes are those that VACUUM and ANALYZE noted last: measuring them takes locks."""
ALL: LiteralString = f"""
    {_AT_RISK} SELECT oid, relfilenode, index, "table", pg_relation_size(oid), library, indisunique, amname
    FROM found ORDER BY 5 DESC, oid
"""  # noqa: S608 - made of constants
BEYOND: LiteralString = rf"""
    WITH {_ORDERED}, used(kind, name, coll) AS (
        SELECT 'partitions', partrelid::regclass::text, unnest(partcollation::oid[])
        FROM pg_partitioned_table WHERE partstrat = 'r'
        UNION ALL SELECT 'checks', format('%%s on %%s', conname, coalesce(nullif(conrelid, 0)::regclass::text,
                contypid::regtype::text)), used[1]::oid
        FROM pg_constraint CROSS JOIN regexp_matches(
            regexp_replace(conbin::text, {_EQUALITY}, '', 'g'), ':inputcollid (\d+)', 'g') AS used
        WHERE contype = 'c'
        UNION ALL SELECT 'generated', format('%%s of %%s', attname, adrelid::regclass), used[1]::oid
        FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum AND attgenerated = 's'
        CROSS JOIN regexp_matches(
            regexp_replace(adbin::text, {_EQUALITY}, '', 'g'), ':inputcollid (\d+)', 'g') AS used
        UNION ALL SELECT 'views', ev_class::regclass::text, used[1]::oid
        FROM pg_rewrite JOIN pg_class c ON c.oid = ev_class AND relkind = 'm'
        CROSS JOIN regexp_matches(ev_action::text, 'collid (\d+)', 'g') AS used
        UNION ALL SELECT 'foreign', attrelid::regclass::text, attcollation
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid AND relkind = 'f' WHERE attnum > 0
    )
    SELECT DISTINCT kind, name FROM used JOIN ordered o ON o.oid = coll ORDER BY 1, 2
"""  # noqa: S608 - made of constants
PARTITIONS: LiteralString = f"""
    WITH {_ORDERED}, ranged AS (
        SELECT DISTINCT partrelid
        FROM pg_partitioned_table JOIN ordered o ON o.oid = ANY (partcollation::oid[]) WHERE partstrat = 'r'
    )
    SELECT DISTINCT nspname, relname, pg_get_partition_constraintdef(c.oid)
    FROM ranged CROSS JOIN pg_partition_tree(partrelid) JOIN pg_class c ON c.oid = relid
    JOIN pg_namespace n ON n.oid = relnamespace
    WHERE isleaf AND relkind = 'r' AND pg_get_partition_constraintdef(c.oid) IS NOT NULL ORDER BY 1, 2
"""  # noqa: S608 - made of constants
"""Partitions by ranges of text, and what makes a row one of theirs."""
