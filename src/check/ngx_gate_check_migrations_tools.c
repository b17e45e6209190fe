
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The table of migration tools.
 *
 * Columns that a verdict depends on are referenced by name, so that the table
 * of another tool with the same name causes an error.  Columns that are only
 * used for sorting, or that older versions of the tool lack, are read from
 * the row as JSON ("j"), where a missing column is NULL.
 */


#include <ngx_gate_check_migrations.h>


/* sorts digits as numbers, anything else as bytes */

#define NGX_GATE_CHECK_MIGRATIONS_TOOLS_KEY(v)                                \
    "(CASE WHEN " v " ~ '^[0-9]+$' THEN lpad(" v ", 64, '0') ELSE " v         \
    " END COLLATE \"C\")"

/* versions of Flyway: 1.10 is after 1.9, and 1.0 equals 1 */

#define NGX_GATE_CHECK_MIGRATIONS_TOOLS_DOTTED(v)                             \
    "string_to_array(regexp_replace(" v ", '(\\.0+)+$', ''), '.')::numeric[]"

/* one of the advisory locks of this database, by its number */

#define NGX_GATE_CHECK_MIGRATIONS_TOOLS_LOCKED(id)                            \
    " EXISTS (SELECT 1 FROM pg_catalog.pg_locks l"                            \
    "  WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted"        \
    "  AND (l.classid::bigint << 32) + l.objid::bigint = " id                 \
    "  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d"          \
    "   WHERE d.datname = current_database()))"

/* the state of an unfinished migration: a standby does not show locks */

#define NGX_GATE_CHECK_MIGRATIONS_TOOLS_BROKEN                                \
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'unclear'"                \
    " ELSE 'dirty' END"

/* for tables with a row for each migration, and versions of digits */

#define NGX_GATE_CHECK_MIGRATIONS_TOOLS_ROWS                                  \
    ", v AS (SELECT version::text AS n,"                                      \
    " " NGX_GATE_CHECK_MIGRATIONS_TOOLS_KEY("version::text") " AS k FROM t)"  \
    " SELECT (SELECT n FROM v ORDER BY k DESC LIMIT 1),"                      \
    " bool_or(n = $1::text),"                                                 \
    " bool_or(k > " NGX_GATE_CHECK_MIGRATIONS_TOOLS_KEY("$1::text") ")"       \
    " FROM v"

/*
 * For tables with a row for each migration, and names, usually of files,
 * whose extension may be omitted; with an expression for their order, and a
 * state.
 */

#define NGX_GATE_CHECK_MIGRATIONS_TOOLS_NAMES(name, order, wanted, state)     \
    ", v AS (SELECT " name "::text AS n, " order " AS i FROM t),"             \
    " w AS (SELECT n, i FROM v WHERE " wanted                                 \
    "  OR regexp_replace(n, '\\.[a-z]+$', '') = $1::text)"                    \
    " SELECT (SELECT n FROM v ORDER BY i DESC NULLS LAST, n DESC LIMIT 1),"   \
    " EXISTS (SELECT 1 FROM w),"                                              \
    " (SELECT max(v.i) > max(w.i) FROM v, w)," state

/* running: the lock is held and the wanted version is missing */

#define NGX_GATE_CHECK_MIGRATIONS_TOOLS_RUNNING(id)                           \
    " CASE WHEN" NGX_GATE_CHECK_MIGRATIONS_TOOLS_LOCKED(id)                   \
    "  AND NOT EXISTS (SELECT 1 FROM w) THEN 'running' END"


static ngx_gate_check_migrations_tool_t  ngx_gate_check_migrations_tools[] = {

    /*
     * A single row.  It is dirty while a migration runs and after a failure;
     * the advisory lock distinguishes these.
     */

    { ngx_string("golang-migrate"),
      { "schema_migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_number, "a number, as in 42",
      1, NULL, NULL,
      " SELECT (max(version) FILTER (WHERE version >= 0))::text,"
      " max(version) >= $1::text::numeric,"
      " max(version) > $1::text::numeric,"
      " CASE WHEN bool_or(dirty) THEN" NGX_GATE_CHECK_MIGRATIONS_TOOLS_BROKEN
      " END,"
      " (max(version) FILTER (WHERE dirty))::text,"
      " (SELECT string_agg(l.objid::text, ' ') FROM pg_catalog.pg_locks l"
      "  WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objsubid = 1"
      "  AND l.granted AND l.database = (SELECT d.oid FROM"
      "   pg_catalog.pg_database d WHERE d.datname = current_database())),"
      " (SELECT n.nspname FROM pg_catalog.pg_class c"
      "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      "  WHERE c.oid = to_regclass($2::text)),"
      " (SELECT c.relname FROM pg_catalog.pg_class c"
      "  WHERE c.oid = to_regclass($2::text)),"
      " current_database()"
      " FROM t",
      NULL },

    /* a history, up and down: the newest row of a version decides */

    { ngx_string("goose"),
      { "goose_db_version", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_number, "a number, as in 42",
      1, NULL, "tstamp",
      ", v AS (SELECT DISTINCT ON (version_id) version_id, is_applied FROM t"
      "  ORDER BY version_id, (j->>'id')::bigint DESC NULLS LAST,"
      "  j->>'tstamp' DESC NULLS LAST),"
      " a AS (SELECT max(version_id) AS n FROM v WHERE is_applied)"
      " SELECT CASE WHEN n > 0 THEN n::text END,"
      " n >= $1::text::numeric,"
      " n > $1::text::numeric,"
      " CASE WHEN" NGX_GATE_CHECK_MIGRATIONS_TOOLS_LOCKED("4097083626")
      "  AND NOT coalesce(n >= $1::text::numeric, false) THEN 'running' END"
      " FROM a",
      NULL },

    /* a history, too; repeatable migrations have no version */

    { ngx_string("flyway"),
      { "flyway_schema_history", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_dotted, "numbers, as in 1.10.2",
      1, NULL, "installed_on",
      ", h AS (SELECT DISTINCT ON (version) version, success,"
      "  coalesce(j->>'type', '') AS type FROM t WHERE version IS NOT NULL"
      "  ORDER BY version, (j->>'installed_rank')::bigint DESC NULLS LAST),"
      " v AS (SELECT version,"
      "  " NGX_GATE_CHECK_MIGRATIONS_TOOLS_DOTTED("version") " AS n FROM h"
      "  WHERE success AND type !~ '^(UNDO|DELETE|SCHEMA)'"
      "  AND version ~ '^[0-9]+(\\.[0-9]+)*$'),"
      " w AS (SELECT "
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_DOTTED("$1::text") " AS n)"
      " SELECT coalesce("
      "  (SELECT version FROM v ORDER BY n DESC LIMIT 1),"
      "  (SELECT 'repeatable ' || coalesce(j->>'description', 'migrations')"
      "   FROM t WHERE version IS NULL AND success"
      "   AND coalesce(j->>'type', '') !~ '^(UNDO|DELETE|SCHEMA)' LIMIT 1)),"
      " (SELECT max(v.n) >= max(w.n) FROM v, w),"
      " (SELECT max(v.n) > max(w.n) FROM v, w),"
      " CASE WHEN EXISTS (SELECT 1 FROM t WHERE NOT success)"
      "  THEN 'dirty' END,"
      " (SELECT coalesce(version, j->>'description', '') FROM t"
      "  WHERE NOT success"
      "  ORDER BY (j->>'installed_rank')::bigint DESC NULLS LAST LIMIT 1)",
      NULL },

    /* an id is unique only together with its author and path */

    { ngx_string("liquibase"),
      { "databasechangelog", NULL }, "databasechangeloglock", NULL,
      ngx_gate_check_migrations_version_text,
      "a tag, author:id, or path::author:id of a changeset",
      0, NULL, "dateexecuted",
      ", v AS (SELECT id::text, tag::text,"
      "  author::text || ':' || id::text AS name,"
      "  filename::text || '::' || author::text || ':' || id::text AS path,"
      "  (j->>'orderexecuted')::bigint AS n FROM t"
      "  WHERE coalesce(j->>'exectype', '') <> 'FAILED'),"
      " w AS (SELECT max(n) AS n, count(*) AS ids,"
      "  count(*) FILTER (WHERE id <> $1::text) AS others FROM v"
      "  WHERE $1::text IN (id, tag, name, path))"
      " SELECT (SELECT coalesce(tag, name) FROM v"
      "  ORDER BY n DESC NULLS LAST LIMIT 1),"
      " ids > 0,"
      " (SELECT max(v.n) > w.n FROM v),"
      " CASE WHEN others = 0 AND ids > 1 THEN 'ambiguous' END"
      " FROM w",
      " SELECT lockedby::text, lockgranted::text,"
      " lockgranted::timestamp < localtimestamp - interval '12 hours'"
      " FROM t WHERE locked LIMIT 1" },

    /* a row for each head of the tree, without an order */

    { ngx_string("alembic"),
      { "alembic_version", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_heads,
      "the id of a revision, or several with commas",
      0, NULL, NULL,
      ", v AS (SELECT array_agg(version_num::text ORDER BY version_num) AS n"
      "  FROM t)"
      " SELECT array_to_string(n, ','),"
      " n @> string_to_array($1::text, ','),"
      " NOT n <@ string_to_array($1::text, ',')"
      " FROM v",
      NULL },

    { ngx_string("django"),
      { "django_migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_apps,
      "app.name, or several with commas, as in shop.0003_prices or shop.0003",
      0, NULL, "applied",
      ", v AS (SELECT app::text, app || '.' || name AS n,"
      "  (j->>'id')::bigint AS i FROM t),"
      " w AS (SELECT u AS n, u || '_' AS prefix,"
      "  split_part(u, '.', 1) AS app"
      "  FROM unnest(string_to_array($1::text, ',')) AS u),"
      " a AS (SELECT DISTINCT ON (app) app, n FROM v"
      "  WHERE $1::text IS NULL OR app IN (SELECT app FROM w)"
      "  ORDER BY app, i DESC NULLS LAST, n DESC)"
      " SELECT CASE WHEN EXISTS (SELECT 1 FROM t) THEN"
      "  coalesce((SELECT string_agg(n, ',' ORDER BY n) FROM a), 'others')"
      "  END,"
      " (SELECT bool_and(EXISTS (SELECT 1 FROM v WHERE v.n = w.n"
      "   OR left(v.n, length(w.prefix)) = w.prefix)) FROM w),"
      " (SELECT bool_or(NOT EXISTS (SELECT 1 FROM w WHERE a.n = w.n"
      "   OR left(a.n, length(w.prefix)) = w.prefix)) FROM a)",
      NULL },

    { ngx_string("rails"),
      { "schema_migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_digits, "digits, as in 20240131120000",
      1, "dirty", NULL,
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_ROWS,
      NULL },

    { ngx_string("dbmate"),
      { "schema_migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_digits, "digits, as in 20240131120000",
      1, "dirty", NULL,
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_ROWS,
      NULL },

    { ngx_string("ecto"),
      { "schema_migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_number,
      "a number, as in 20240131120000",
      1, "dirty", "inserted_at",
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_ROWS,
      NULL },

    /*
     * A row is written before its migration runs; after a failure, "logs"
     * contains the error.  The lock is held for all migrations of a run.
     */

    { ngx_string("prisma"),
      { "_prisma_migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_text, "the name of a migration",
      0, NULL, "finished_at",
      ", v AS (SELECT migration_name::text AS n FROM t"
      "  WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL),"
      " u AS (SELECT migration_name::text AS n,"
      "  coalesce(j->>'logs', '') <> '' AS failed FROM t"
      "  WHERE finished_at IS NULL AND rolled_back_at IS NULL)"
      " SELECT (SELECT max(n COLLATE \"C\") FROM v),"
      " EXISTS (SELECT 1 FROM v WHERE n = $1::text),"
      " EXISTS (SELECT 1 FROM v WHERE n COLLATE \"C\" > $1::text),"
      " (SELECT CASE WHEN bool_or(failed) THEN 'dirty'"
      "  WHEN" NGX_GATE_CHECK_MIGRATIONS_TOOLS_LOCKED("72707369")
      "   AND (count(*) > 0 OR NOT EXISTS"
      "    (SELECT 1 FROM v WHERE n = $1::text)) THEN 'running'"
      "  WHEN count(*) > 0 THEN" NGX_GATE_CHECK_MIGRATIONS_TOOLS_BROKEN
      "  END FROM u),"
      " (SELECT n FROM u ORDER BY failed DESC, n LIMIT 1)",
      NULL },

    { ngx_string("sqlx"),
      { "_sqlx_migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_number,
      "a number, as in 20240131120000",
      1, NULL, "installed_on",
      " SELECT (max(version) FILTER (WHERE success))::text,"
      " max(version) FILTER (WHERE success) >= $1::text::numeric,"
      " max(version) FILTER (WHERE success) > $1::text::numeric,"
      " CASE WHEN bool_or(NOT success) THEN 'dirty' END,"
      " (min(version) FILTER (WHERE NOT success))::text"
      " FROM t",
      NULL },

    /* the whole identifier, or the timestamp at its beginning */

    { ngx_string("efcore"),
      { "\"__EFMigrationsHistory\"", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_efcore,
      "an identifier, as in 20240131120000_Prices",
      1, NULL, NULL,
      ", v AS (SELECT \"MigrationId\"::text COLLATE \"C\" AS n FROM t)"
      " SELECT max(n),"
      " max(n) >= $1::text COLLATE \"C\","
      " max(n) > $1::text COLLATE \"C\""
      "  AND left(max(n), length($1::text) + 1) <> $1::text || '_'"
      " FROM v",
      NULL },

    /* names are those of files; the extension may be omitted */

    { ngx_string("knex"),
      { "knex_migrations", NULL }, "knex_migrations_lock", "_lock",
      ngx_gate_check_migrations_version_text, "the name of a migration",
      0, NULL, "migration_time",
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_NAMES("name", "(j->>'id')::bigint",
                                            "n = $1::text", " NULL::text"),
      " SELECT NULL::text, NULL::text, NULL::boolean"
      " FROM t WHERE is_locked = 1 LIMIT 1" },

    /* laravel and db-migrate use the same table name */

    { ngx_string("typeorm"),
      { "migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_text, "the name of a migration",
      0, "batch,migration,run_on", NULL,
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_NAMES("name", "(j->>'id')::bigint",
                                            "n = $1::text OR $1::text IN"
                                            " (SELECT \"timestamp\"::text"
                                            "  FROM t WHERE t.name = n)",
                                            " NULL::text"),
      NULL },

    { ngx_string("laravel"),
      { "migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_text, "the name of a migration",
      0, "name,run_on,timestamp", NULL,
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_NAMES("migration", "(j->>'id')::bigint",
                                            "n = $1::text", " NULL::text"),
      NULL },

    /* names begin with a slash */

    { ngx_string("db-migrate"),
      { "migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_text, "the name of a migration",
      0, "batch,migration,timestamp", "run_on",
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_NAMES("name", "(j->>'id')::bigint",
                                            "ltrim(n, '/') ="
                                            " ltrim($1::text, '/')",
                                            " NULL::text"),
      NULL },

    { ngx_string("sequelize"),
      { "\"SequelizeMeta\"", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_text, "the name of a migration",
      0, NULL, NULL,
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_NAMES("name",
                                            "name::text COLLATE \"C\"",
                                            "n = $1::text", " NULL::text"),
      NULL },

    { ngx_string("node-pg-migrate"),
      { "pgmigrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_text, "the name of a migration",
      0, NULL, "run_on",
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_NAMES("name", "(j->>'id')::bigint",
                                            "n = $1::text",
                 NGX_GATE_CHECK_MIGRATIONS_TOOLS_RUNNING("7241865325823964")),
      NULL },

    { ngx_string("kysely"),
      { "kysely_migration", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_text, "the name of a migration",
      0, NULL, "timestamp",
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_NAMES("name",
                                            "name::text COLLATE \"C\"",
                                            "n = $1::text",
              NGX_GATE_CHECK_MIGRATIONS_TOOLS_RUNNING("3853314791062309107")),
      NULL },

    { ngx_string("mikroorm"),
      { "mikro_orm_migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_text, "the name of a migration",
      0, NULL, "executed_at",
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_NAMES("name", "(j->>'id')::bigint",
                                            "n = $1::text", " NULL::text"),
      NULL },

    /* a class: the namespace and "Version" may be omitted */

    { ngx_string("doctrine"),
      { "doctrine_migration_versions", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_text,
      "a version, as in Version20240131120000",
      0, NULL, "executed_at",
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_NAMES("version",
                                            "version::text COLLATE \"C\"",
                                            "n = $1::text OR"
                                            " regexp_replace(n, '^.*\\\\', '')"
                                            " IN ($1::text,"
                                            " 'Version' || $1::text)",
                                            " NULL::text"),
      NULL },

    { ngx_string("phinx"),
      { "phinxlog", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_number,
      "a number, as in 20240131120000",
      1, NULL, "end_time",
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_ROWS,
      NULL },

    /* the time in the journal of the migrations, in milliseconds */

    { ngx_string("drizzle"),
      { "drizzle.__drizzle_migrations", "__drizzle_migrations" }, NULL, NULL,
      ngx_gate_check_migrations_version_number,
      "a number, \"when\" in the journal, as in 1706702400000",
      1, NULL, NULL,
      " SELECT max(created_at)::text,"
      " max(created_at) >= $1::text::numeric,"
      " max(created_at) > $1::text::numeric"
      " FROM t",
      NULL },

    { ngx_string("diesel"),
      { "__diesel_schema_migrations", NULL }, NULL, NULL,
      ngx_gate_check_migrations_version_diesel,
      "digits, as in 2024-01-31-120000",
      1, NULL, "run_on",
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_ROWS,
      NULL },

    /*
     * A row is written before its migration runs, and updated after each
     * statement.  Names that begin with a dot are internal to Atlas.  The
     * number of the lock is computed from its name, which may differ.
     */

    { ngx_string("atlas"),
      { "atlas_schema_revisions.atlas_schema_revisions",
        "atlas_schema_revisions" }, NULL, NULL,
      ngx_gate_check_migrations_version_text,
      "a version, as in 20240131120000",
      1, NULL, "executed_at",
      ", r AS (SELECT version::text AS n, applied < total AS partial,"
      "  coalesce(j->>'error', '') <> '' AS failed,"
      "  " NGX_GATE_CHECK_MIGRATIONS_TOOLS_KEY("version::text") " AS k FROM t"
      "  WHERE left(version::text, 1) <> '.'),"
      " v AS (SELECT n, k FROM r WHERE NOT partial AND NOT failed),"
      " u AS (SELECT n, k, failed FROM r WHERE partial OR failed)"
      " SELECT (SELECT n FROM v ORDER BY k DESC LIMIT 1),"
      " (SELECT max(k) >= "
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_KEY("$1::text") " FROM v),"
      " (SELECT max(k) > "
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_KEY("$1::text") " FROM v),"
      " (SELECT CASE WHEN bool_or(failed) THEN 'dirty'"
      "  WHEN" NGX_GATE_CHECK_MIGRATIONS_TOOLS_LOCKED("2686470616")
      "   AND (count(*) > 0 OR NOT coalesce((SELECT max(k) >= "
      NGX_GATE_CHECK_MIGRATIONS_TOOLS_KEY("$1::text") " FROM v), false))"
      "   THEN 'running'"
      "  WHEN count(*) > 0 THEN CASE WHEN EXISTS"
      "   (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory'"
      "    AND l.granted AND l.database = (SELECT d.oid FROM"
      "     pg_catalog.pg_database d WHERE d.datname = current_database()))"
      "   THEN 'unclear'"
      "   ELSE" NGX_GATE_CHECK_MIGRATIONS_TOOLS_BROKEN " END END FROM u),"
      " (SELECT n FROM u ORDER BY failed DESC, k LIMIT 1)",
      NULL }
};


#define NGX_GATE_CHECK_MIGRATIONS_TOOLS_N                                     \
    (sizeof(ngx_gate_check_migrations_tools)                                  \
     / sizeof(ngx_gate_check_migrations_tool_t))


ngx_gate_check_migrations_tool_t *
ngx_gate_check_migrations_tools_find(ngx_str_t *name)
{
    ngx_uint_t                         i;
    ngx_gate_check_migrations_tool_t  *tool;

    tool = ngx_gate_check_migrations_tools;

    for (i = 0; i < NGX_GATE_CHECK_MIGRATIONS_TOOLS_N; i++) {
        if (tool[i].name.len == name->len
            && ngx_strncmp(tool[i].name.data, name->data, name->len) == 0)
        {
            return &tool[i];
        }
    }

    return NULL;
}


u_char *
ngx_gate_check_migrations_tools_names(u_char *p, u_char *last)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_GATE_CHECK_MIGRATIONS_TOOLS_N; i++) {
        p = ngx_slprintf(p, last, "%s\"%V\"", i ? ", " : "",
                         &ngx_gate_check_migrations_tools[i].name);
    }

    return p;
}
