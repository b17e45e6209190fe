
/*
 * Sixteen migration tools, as a table.
 *
 * The columns that a decision rests on are named, so that the table of
 * another tool under the same name is an error and not an answer; those that
 * only put rows in order, or are younger than the tool, are taken from the
 * row as JSON ("j"), where a missing one is NULL.
 */


#include <ngx_gate_check_migrations.h>


/* rows of digits in the order of numbers, anything else as bytes */

#define NGX_GATE_CHECK_MIGRATIONS_KEY(v)                                      \
    "(CASE WHEN " v " ~ '^[0-9]+$' THEN lpad(" v ", 64, '0') ELSE " v         \
    " END COLLATE \"C\")"

/* Flyway's versions: 1.10 is after 1.9, and 1.0 is 1 */

#define NGX_GATE_CHECK_MIGRATIONS_DOTTED(v)                                   \
    "string_to_array(regexp_replace(" v ", '(\\.0+)+$', ''), '.')::numeric[]"

/* a row for each migration, and versions of digits */

#define NGX_GATE_CHECK_MIGRATIONS_ROWS                                        \
    ", v AS (SELECT version::text AS n,"                                      \
    " " NGX_GATE_CHECK_MIGRATIONS_KEY("version::text") " AS k FROM t)"        \
    " SELECT (SELECT n FROM v ORDER BY k DESC LIMIT 1),"                      \
    " bool_or(n = $1::text),"                                                 \
    " bool_or(k > " NGX_GATE_CHECK_MIGRATIONS_KEY("$1::text") ")"             \
    " FROM v"


static ngx_int_t ngx_gate_check_migrations_is_number(ngx_str_t *version);
static ngx_int_t ngx_gate_check_migrations_is_digits(ngx_str_t *version);
static ngx_int_t ngx_gate_check_migrations_is_dotted(ngx_str_t *version);
static ngx_int_t ngx_gate_check_migrations_is_diesel(ngx_str_t *version);
static ngx_int_t ngx_gate_check_migrations_is_heads(ngx_str_t *version);
static ngx_int_t ngx_gate_check_migrations_is_apps(ngx_str_t *version);
static ngx_int_t ngx_gate_check_migrations_is_efcore(ngx_str_t *version);
static ngx_int_t ngx_gate_check_migrations_is_text(ngx_str_t *version);
static ngx_int_t ngx_gate_check_migrations_is_list(ngx_str_t *version,
    ngx_int_t (*is_item)(u_char *p, u_char *last));
static ngx_int_t ngx_gate_check_migrations_is_head(u_char *p, u_char *last);
static ngx_int_t ngx_gate_check_migrations_is_app(u_char *p, u_char *last);

static ngx_uint_t ngx_gate_check_migrations_is_running(ngx_str_t *row);
static ngx_uint_t ngx_gate_check_migrations_has_lock(ngx_str_t *locks,
    uint32_t id);
static uint32_t ngx_gate_check_migrations_lock_id(u_char *data, size_t len);
static ngx_uint_t ngx_gate_check_migrations_is_true(ngx_str_t *value);

static void ngx_cdecl ngx_gate_check_migrations_result(
    ngx_gate_check_migrations_result_t *result, ngx_gate_verdict_e verdict,
    ngx_gate_reason_e reason, const char *fmt, ...);


static ngx_gate_check_migrations_tool_t  ngx_gate_check_migrations_tools[] = {

    /*
     * One row.  It is dirty while a migration runs and after one has failed;
     * the advisory lock of a running one tells the two apart.
     */

    { ngx_string("golang-migrate"),
      { "schema_migrations", NULL }, NULL,
      ngx_gate_check_migrations_is_number, "a number, as in 42",
      1,
      " SELECT (max(version) FILTER (WHERE version >= 0))::text,"
      " max(version) >= $1::text::numeric,"
      " max(version) > $1::text::numeric,"
      " CASE WHEN bool_or(dirty) THEN 'dirty' END,"
      " (max(version) FILTER (WHERE dirty))::text,"
      " (SELECT string_agg(l.objid::text, ' ') FROM pg_catalog.pg_locks l"
      "  WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objsubid = 1"
      "  AND l.granted AND l.database = (SELECT d.oid FROM"
      "   pg_catalog.pg_database d WHERE d.datname = current_database())),"
      " (SELECT n.nspname FROM pg_catalog.pg_class c"
      "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      "  WHERE c.oid = to_regclass('schema_migrations')),"
      " current_database()"
      " FROM t",
      NULL },

    /* a history, up and down: the newest row of a version decides */

    { ngx_string("goose"),
      { "goose_db_version", NULL }, NULL,
      ngx_gate_check_migrations_is_number, "a number, as in 42",
      1,
      ", v AS (SELECT DISTINCT ON (version_id) version_id, is_applied FROM t"
      "  ORDER BY version_id, (j->>'id')::bigint DESC NULLS LAST,"
      "  j->>'tstamp' DESC NULLS LAST),"
      " a AS (SELECT max(version_id) AS n FROM v WHERE is_applied),"
      " l AS (SELECT 1 FROM pg_catalog.pg_locks l"
      "  WHERE l.locktype = 'advisory' AND l.classid = 0"
      "  AND l.objid::bigint = 4097083626 AND l.objsubid = 1 AND l.granted"
      "  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d"
      "   WHERE d.datname = current_database()))"
      " SELECT CASE WHEN n > 0 THEN n::text END,"
      " n >= $1::text::numeric,"
      " n > $1::text::numeric,"
      " CASE WHEN EXISTS (SELECT 1 FROM l)"
      "  AND NOT coalesce(n >= $1::text::numeric, false) THEN 'running' END"
      " FROM a",
      NULL },

    /* a history, too; repeatable migrations have no version */

    { ngx_string("flyway"),
      { "flyway_schema_history", NULL }, NULL,
      ngx_gate_check_migrations_is_dotted, "numbers, as in 1.10.2",
      1,
      ", h AS (SELECT DISTINCT ON (version) version, success,"
      "  coalesce(j->>'type', '') AS type FROM t WHERE version IS NOT NULL"
      "  ORDER BY version, (j->>'installed_rank')::bigint DESC NULLS LAST),"
      " v AS (SELECT version,"
      "  " NGX_GATE_CHECK_MIGRATIONS_DOTTED("version") " AS n FROM h"
      "  WHERE success AND type !~ '^(UNDO|DELETE|SCHEMA)'"
      "  AND version ~ '^[0-9]+(\\.[0-9]+)*$'),"
      " w AS (SELECT " NGX_GATE_CHECK_MIGRATIONS_DOTTED("$1::text") " AS n)"
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

    { ngx_string("liquibase"),
      { "databasechangelog", NULL }, "databasechangeloglock",
      ngx_gate_check_migrations_is_text, "a tag or the id of a changeset",
      0,
      ", v AS (SELECT id::text, tag::text,"
      "  (j->>'orderexecuted')::bigint AS n FROM t"
      "  WHERE coalesce(j->>'exectype', '') <> 'FAILED'),"
      " w AS (SELECT max(n) AS n FROM v"
      "  WHERE id = $1::text OR tag = $1::text)"
      " SELECT (SELECT coalesce(tag, id) FROM v"
      "  ORDER BY n DESC NULLS LAST LIMIT 1),"
      " EXISTS (SELECT 1 FROM v WHERE id = $1::text OR tag = $1::text),"
      " (SELECT max(v.n) > max(w.n) FROM v, w)",
      " SELECT lockedby::text, lockgranted::text,"
      " lockgranted::timestamp < localtimestamp - interval '12 hours'"
      " FROM t WHERE locked LIMIT 1" },

    /* a row for each head of the tree, and nothing tells which came first */

    { ngx_string("alembic"),
      { "alembic_version", NULL }, NULL,
      ngx_gate_check_migrations_is_heads,
      "the id of a revision, or several with commas",
      0,
      ", v AS (SELECT array_agg(version_num::text ORDER BY version_num) AS n"
      "  FROM t)"
      " SELECT array_to_string(n, ','),"
      " n @> string_to_array($1::text, ','),"
      " NOT n <@ string_to_array($1::text, ',')"
      " FROM v",
      NULL },

    { ngx_string("django"),
      { "django_migrations", NULL }, NULL,
      ngx_gate_check_migrations_is_apps,
      "app.name, or several with commas, as in shop.0003_prices",
      0,
      ", v AS (SELECT app::text, app || '.' || name AS n,"
      "  (j->>'id')::bigint AS i FROM t),"
      " w AS (SELECT u AS n, split_part(u, '.', 1) AS app"
      "  FROM unnest(string_to_array($1::text, ',')) AS u),"
      " a AS (SELECT DISTINCT ON (app) app, n FROM v"
      "  WHERE $1::text IS NULL OR app IN (SELECT app FROM w)"
      "  ORDER BY app, i DESC NULLS LAST, n DESC)"
      " SELECT CASE WHEN EXISTS (SELECT 1 FROM t) THEN"
      "  coalesce((SELECT string_agg(n, ',' ORDER BY n) FROM a), 'others')"
      "  END,"
      " (SELECT bool_and(n IN (SELECT n FROM v)) FROM w),"
      " (SELECT bool_or(a.n NOT IN (SELECT n FROM w)) FROM a)",
      NULL },

    { ngx_string("rails"),
      { "schema_migrations", NULL }, NULL,
      ngx_gate_check_migrations_is_digits, "digits, as in 20240131120000",
      1,
      NGX_GATE_CHECK_MIGRATIONS_ROWS,
      NULL },

    { ngx_string("dbmate"),
      { "schema_migrations", NULL }, NULL,
      ngx_gate_check_migrations_is_digits, "digits, as in 20240131120000",
      1,
      NGX_GATE_CHECK_MIGRATIONS_ROWS,
      NULL },

    { ngx_string("ecto"),
      { "schema_migrations", NULL }, NULL,
      ngx_gate_check_migrations_is_number, "a number, as in 20240131120000",
      1,
      NGX_GATE_CHECK_MIGRATIONS_ROWS,
      NULL },

    /*
     * A row is written before its migration runs; after a failure "logs"
     * says what went wrong.
     */

    { ngx_string("prisma"),
      { "_prisma_migrations", NULL }, NULL,
      ngx_gate_check_migrations_is_text, "the name of a migration",
      0,
      ", v AS (SELECT migration_name::text AS n FROM t"
      "  WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL),"
      " u AS (SELECT migration_name::text AS n,"
      "  coalesce(j->>'logs', '') <> '' AS failed FROM t"
      "  WHERE finished_at IS NULL AND rolled_back_at IS NULL)"
      " SELECT (SELECT max(n COLLATE \"C\") FROM v),"
      " EXISTS (SELECT 1 FROM v WHERE n = $1::text),"
      " EXISTS (SELECT 1 FROM v WHERE n COLLATE \"C\" > $1::text),"
      " (SELECT CASE WHEN bool_or(failed) THEN 'dirty'"
      "  WHEN count(*) > 0 THEN 'running' END FROM u),"
      " (SELECT n FROM u ORDER BY failed DESC, n LIMIT 1)",
      NULL },

    { ngx_string("sqlx"),
      { "_sqlx_migrations", NULL }, NULL,
      ngx_gate_check_migrations_is_number, "a number, as in 20240131120000",
      1,
      " SELECT (max(version) FILTER (WHERE success))::text,"
      " max(version) FILTER (WHERE success) >= $1::text::numeric,"
      " max(version) FILTER (WHERE success) > $1::text::numeric,"
      " CASE WHEN bool_or(NOT success) THEN 'dirty' END,"
      " (min(version) FILTER (WHERE NOT success))::text"
      " FROM t",
      NULL },

    /* the whole identifier, or the timestamp it begins with */

    { ngx_string("efcore"),
      { "\"__EFMigrationsHistory\"", NULL }, NULL,
      ngx_gate_check_migrations_is_efcore,
      "an identifier, as in 20240131120000_Prices",
      1,
      ", v AS (SELECT \"MigrationId\"::text COLLATE \"C\" AS n FROM t)"
      " SELECT max(n),"
      " max(n) >= $1::text COLLATE \"C\","
      " max(n) > $1::text COLLATE \"C\""
      "  AND left(max(n), length($1::text) + 1) <> $1::text || '_'"
      " FROM v",
      NULL },

    /* names are those of files; the extension may be left out */

    { ngx_string("knex"),
      { "knex_migrations", NULL }, "knex_migrations_lock",
      ngx_gate_check_migrations_is_text, "the name of a migration",
      0,
      ", v AS (SELECT name::text AS n, (j->>'id')::bigint AS i FROM t),"
      " w AS (SELECT n, i FROM v WHERE n = $1::text"
      "  OR regexp_replace(n, '\\.[a-z]+$', '') = $1::text)"
      " SELECT (SELECT n FROM v ORDER BY i DESC NULLS LAST, n DESC LIMIT 1),"
      " EXISTS (SELECT 1 FROM w),"
      " (SELECT max(v.i) > max(w.i) FROM v, w)",
      " SELECT NULL::text, NULL::text, NULL::boolean"
      " FROM t WHERE is_locked = 1 LIMIT 1" },

    { ngx_string("typeorm"),
      { "migrations", NULL }, NULL,
      ngx_gate_check_migrations_is_text, "the name of a migration",
      0,
      ", v AS (SELECT name::text AS n, (j->>'id')::bigint AS i,"
      "  j->>'timestamp' AS s FROM t),"
      " w AS (SELECT n, i FROM v WHERE n = $1::text OR s = $1::text)"
      " SELECT (SELECT n FROM v ORDER BY i DESC NULLS LAST, n DESC LIMIT 1),"
      " EXISTS (SELECT 1 FROM w),"
      " (SELECT max(v.i) > max(w.i) FROM v, w)",
      NULL },

    { ngx_string("diesel"),
      { "__diesel_schema_migrations", NULL }, NULL,
      ngx_gate_check_migrations_is_diesel, "digits, as in 2024-01-31-120000",
      1,
      NGX_GATE_CHECK_MIGRATIONS_ROWS,
      NULL },

    /*
     * A row is written before its migration runs, and again after each of
     * its statements.  Names that begin with a dot are Atlas's own.
     */

    { ngx_string("atlas"),
      { "atlas_schema_revisions.atlas_schema_revisions",
        "atlas_schema_revisions" }, NULL,
      ngx_gate_check_migrations_is_text, "a version, as in 20240131120000",
      1,
      ", r AS (SELECT version::text AS n, applied < total AS partial,"
      "  coalesce(j->>'error', '') <> '' AS failed,"
      "  " NGX_GATE_CHECK_MIGRATIONS_KEY("version::text") " AS k FROM t"
      "  WHERE left(version::text, 1) <> '.'),"
      " v AS (SELECT n, k FROM r WHERE NOT partial AND NOT failed),"
      " u AS (SELECT n, k, failed FROM r WHERE partial OR failed)"
      " SELECT (SELECT n FROM v ORDER BY k DESC LIMIT 1),"
      " (SELECT max(k) >= " NGX_GATE_CHECK_MIGRATIONS_KEY("$1::text") " FROM "
      "v),"
      " (SELECT max(k) > " NGX_GATE_CHECK_MIGRATIONS_KEY("$1::text") " FROM v),"
      " (SELECT CASE WHEN bool_or(failed) THEN 'dirty'"
      "  WHEN count(*) > 0 THEN 'running' END FROM u),"
      " (SELECT n FROM u ORDER BY failed DESC, k LIMIT 1)",
      NULL }
};


#define NGX_GATE_CHECK_MIGRATIONS_NTOOLS                                      \
    (sizeof(ngx_gate_check_migrations_tools)                                  \
     / sizeof(ngx_gate_check_migrations_tool_t))


ngx_gate_check_migrations_tool_t *
ngx_gate_check_migrations_find(ngx_str_t *name)
{
    ngx_uint_t                         i;
    ngx_gate_check_migrations_tool_t  *tool;

    tool = ngx_gate_check_migrations_tools;

    for (i = 0; i < NGX_GATE_CHECK_MIGRATIONS_NTOOLS; i++) {
        if (tool[i].name.len == name->len
            && ngx_strncmp(tool[i].name.data, name->data, name->len) == 0)
        {
            return &tool[i];
        }
    }

    return NULL;
}


u_char *
ngx_gate_check_migrations_names(u_char *p, u_char *last)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_GATE_CHECK_MIGRATIONS_NTOOLS; i++) {
        p = ngx_slprintf(p, last, "%s\"%V\"", i ? ", " : "",
                         &ngx_gate_check_migrations_tools[i].name);
    }

    return p;
}


void
ngx_gate_check_migrations_evaluate(ngx_gate_check_migrations_conf_t *conf,
    ngx_str_t *row, ngx_gate_check_migrations_result_t *result)
{
    ngx_str_t   *newest, *subject;
    ngx_uint_t   reached, ahead;

    newest = &row[NGX_GATE_CHECK_MIGRATIONS_NEWEST];
    subject = &row[NGX_GATE_CHECK_MIGRATIONS_SUBJECT];
    reached = ngx_gate_check_migrations_is_true(
                                      &row[NGX_GATE_CHECK_MIGRATIONS_REACHED]);
    ahead = ngx_gate_check_migrations_is_true(
                                        &row[NGX_GATE_CHECK_MIGRATIONS_AHEAD]);

    if (ngx_gate_check_migrations_is_running(row)) {

        ngx_gate_check_migrations_result(result, NGX_GATE_RUNNING,
                                         NGX_GATE_IN_PROGRESS,
                                         "migration%s%V is running%s%V",
                                         subject->len ? " " : "", subject,
                                         conf->version.len ? ", wants " : "",
                                         &conf->version);
        return;
    }

    if (row[NGX_GATE_CHECK_MIGRATIONS_STATE].len) {

        ngx_gate_check_migrations_result(result, NGX_GATE_FAILED,
                                         NGX_GATE_DIRTY,
                                         "migration%s%V broke off%s%V",
                                         subject->len ? " " : "", subject,
                                         conf->version.len ? ", wants " : "",
                                         &conf->version);
        return;
    }

    if (newest->len == 0) {
        ngx_gate_check_migrations_none(conf, result);
        return;
    }

    if (conf->version.len == 0) {
        ngx_gate_check_migrations_result(result, NGX_GATE_PASSED, NGX_GATE_OK,
                                         "at %V", newest);
        return;
    }

    if (!reached && conf->tool->ordered) {
        ngx_gate_check_migrations_result(result, NGX_GATE_WAITING,
                                         NGX_GATE_BEHIND,
                                         ahead ? "at %V, but %V is missing"
                                               : "at %V, wants %V",
                                         newest, &conf->version);
        return;
    }

    if (!reached) {
        ngx_gate_check_migrations_result(result, NGX_GATE_WAITING,
                                         NGX_GATE_OTHER_REVISION,
                                         "at %V, wants %V", newest,
                                         &conf->version);
        return;
    }

    if (ahead && conf->exact) {
        ngx_gate_check_migrations_result(result, NGX_GATE_WAITING,
                                         NGX_GATE_AHEAD,
                                         "at %V, wants exactly %V",
                                         newest, &conf->version);
        return;
    }

    ngx_gate_check_migrations_result(result, NGX_GATE_PASSED, NGX_GATE_OK,
                                     "at %V, wants %V", newest, &conf->version);
}


void
ngx_gate_check_migrations_none(ngx_gate_check_migrations_conf_t *conf,
    ngx_gate_check_migrations_result_t *result)
{
    ngx_gate_check_migrations_result(result, NGX_GATE_WAITING,
                                     NGX_GATE_UNINITIALIZED,
                                     "no migration of %V has run%s%V",
                                     &conf->tool->name,
                                     conf->version.len ? ", wants " : "",
                                     &conf->version);
}


void
ngx_gate_check_migrations_locked(ngx_gate_check_migrations_conf_t *conf,
    ngx_str_t *row, ngx_msec_t held,
    ngx_gate_check_migrations_result_t *result)
{
    ngx_str_t   *holder, *since;
    ngx_uint_t   stale;

    holder = &row[NGX_GATE_CHECK_MIGRATIONS_HOLDER];
    since = &row[NGX_GATE_CHECK_MIGRATIONS_SINCE];

    /*
     * The time in the lock may be that of another time zone, so that only a
     * long one says something.
     */

    stale = ngx_gate_check_migrations_is_true(
                                           &row[NGX_GATE_CHECK_MIGRATIONS_OLD])
            || held >= NGX_GATE_CHECK_MIGRATIONS_STALE;

    ngx_gate_check_migrations_result(result,
                                     stale ? NGX_GATE_FAILED : NGX_GATE_RUNNING,
                                     stale ? NGX_GATE_STALE_LOCK
                                           : NGX_GATE_IN_PROGRESS,
                                     "\"%s\" is locked%s%V%s%V%s",
                                     conf->tool->lock_table,
                                     holder->len ? " by " : "", holder,
                                     since->len ? " since " : "", since,
                                     stale ? ", for too long" : "");
}


static ngx_uint_t
ngx_gate_check_migrations_is_running(ngx_str_t *row)
{
    size_t       len;
    u_char      *p, buf[NGX_MAX_ERROR_STR];
    uint32_t     id;
    ngx_str_t   *state, *schema, *locks, *database;

    state = &row[NGX_GATE_CHECK_MIGRATIONS_STATE];

    if (state->len == 7 && ngx_strncmp(state->data, "running", 7) == 0) {
        return 1;
    }

    locks = &row[NGX_GATE_CHECK_MIGRATIONS_LOCKS];

    if (locks->len == 0) {
        return 0;
    }

    if (state->len == 0
        && ngx_gate_check_migrations_is_true(
                                      &row[NGX_GATE_CHECK_MIGRATIONS_REACHED]))
    {
        return 0;
    }

    /*
     * golang-migrate derives its lock from names, which ones depends on its
     * age: "schema", "table", "database"; "schema", "database"; "database".
     */

    schema = &row[NGX_GATE_CHECK_MIGRATIONS_SCHEMA];
    database = &row[NGX_GATE_CHECK_MIGRATIONS_DATABASE];

    p = ngx_slprintf(buf, buf + sizeof(buf), "%V%Zschema_migrations%Z%V",
                     schema, database);
    len = p - buf;
    id = ngx_gate_check_migrations_lock_id(buf, len);

    if (ngx_gate_check_migrations_has_lock(locks, id)) {
        return 1;
    }

    p = ngx_slprintf(buf, buf + sizeof(buf), "%V%Z%V", schema, database);
    len = p - buf;
    id = ngx_gate_check_migrations_lock_id(buf, len);

    if (ngx_gate_check_migrations_has_lock(locks, id)) {
        return 1;
    }

    return ngx_gate_check_migrations_has_lock(locks,
                        ngx_gate_check_migrations_lock_id(database->data,
                                                          database->len));
}


static uint32_t
ngx_gate_check_migrations_lock_id(u_char *data, size_t len)
{
    return ngx_crc32_long(data, len) * 1486364155u;
}


static ngx_uint_t
ngx_gate_check_migrations_has_lock(ngx_str_t *locks, uint32_t id)
{
    size_t   len;
    u_char  *p, *last, *end, text[NGX_INT32_LEN];

    len = ngx_sprintf(text, "%uD", id) - text;

    p = locks->data;
    last = locks->data + locks->len;

    while (p < last) {
        end = ngx_strlchr(p, last, ' ');

        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) == len && ngx_strncmp(p, text, len) == 0) {
            return 1;
        }

        p = end + 1;
    }

    return 0;
}


static ngx_uint_t
ngx_gate_check_migrations_is_true(ngx_str_t *value)
{
    return value->len == 1 && value->data[0] == 't';
}


static void ngx_cdecl
ngx_gate_check_migrations_result(ngx_gate_check_migrations_result_t *result,
    ngx_gate_verdict_e verdict, ngx_gate_reason_e reason, const char *fmt,
    ...)
{
    u_char   *last;
    va_list   args;

    result->verdict = verdict;
    result->reason = reason;

    va_start(args, fmt);
    last = ngx_vslprintf(result->message.data,
                         result->message.data + result->message.len, fmt, args);
    va_end(args);

    result->message.len = last - result->message.data;
}


static ngx_int_t
ngx_gate_check_migrations_is_number(ngx_str_t *version)
{
    /* as a bigint */

    return ngx_gate_check_migrations_is_digits(version) && version->len <= 18;
}


static ngx_int_t
ngx_gate_check_migrations_is_digits(ngx_str_t *version)
{
    size_t  i;

    for (i = 0; i < version->len; i++) {
        if (version->data[i] < '0' || version->data[i] > '9') {
            return 0;
        }
    }

    return version->len > 0 && version->len <= 64;
}


static ngx_int_t
ngx_gate_check_migrations_is_dotted(ngx_str_t *version)
{
    u_char      ch;
    size_t      i;
    ngx_uint_t  digits;

    digits = 0;

    for (i = 0; i < version->len; i++) {
        ch = version->data[i];

        /* in the names of files, where Flyway finds them, it is "_" */

        if (ch == '_') {
            version->data[i] = ch = '.';
        }

        if (ch >= '0' && ch <= '9') {
            digits++;
            continue;
        }

        if (ch != '.' || digits == 0) {
            return 0;
        }

        digits = 0;
    }

    return digits > 0;
}


static ngx_int_t
ngx_gate_check_migrations_is_diesel(ngx_str_t *version)
{
    u_char  *p;
    size_t   i;

    /* the directory is 2024-01-31-120000_prices, the row is 20240131120000 */

    p = version->data;

    for (i = 0; i < version->len; i++) {
        if (version->data[i] != '-') {
            *p++ = version->data[i];
        }
    }

    version->len = p - version->data;

    return ngx_gate_check_migrations_is_digits(version);
}


static ngx_int_t
ngx_gate_check_migrations_is_efcore(ngx_str_t *version)
{
    ngx_str_t  stamp;

    stamp.data = version->data;
    stamp.len = ngx_min(version->len, 14);

    return stamp.len == 14
           && ngx_gate_check_migrations_is_digits(&stamp)
           && (version->len == 14
               || (version->len > 15 && version->data[14] == '_'));
}


static ngx_int_t
ngx_gate_check_migrations_is_text(ngx_str_t *version)
{
    return version->len > 0;
}


static ngx_int_t
ngx_gate_check_migrations_is_heads(ngx_str_t *version)
{
    return ngx_gate_check_migrations_is_list(version,
                                             ngx_gate_check_migrations_is_head);
}


static ngx_int_t
ngx_gate_check_migrations_is_apps(ngx_str_t *version)
{
    return ngx_gate_check_migrations_is_list(version,
                                             ngx_gate_check_migrations_is_app);
}


static ngx_int_t
ngx_gate_check_migrations_is_list(ngx_str_t *version,
    ngx_int_t (*is_item)(u_char *p, u_char *last))
{
    u_char  *p, *end, *last;

    p = version->data;
    last = version->data + version->len;

    for ( ;; ) {
        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            return is_item(p, last);
        }

        if (!is_item(p, end)) {
            return 0;
        }

        p = end + 1;
    }
}


/* Alembic's own ways to name a revision are not in the table */

static ngx_int_t
ngx_gate_check_migrations_is_head(u_char *p, u_char *last)
{
    size_t        len;
    const char  **name;

    static const char  *names[] = { "head", "heads", "base", "current", NULL };

    len = last - p;

    for (name = names; *name; name++) {
        if (ngx_strlen(*name) == len && ngx_strncmp(p, *name, len) == 0) {
            return 0;
        }
    }

    for ( /* void */ ; p < last; p++) {
        if (*p <= ' ' || *p == '@' || *p == ':' || *p == '+') {
            return 0;
        }
    }

    return len > 0;
}


static ngx_int_t
ngx_gate_check_migrations_is_app(u_char *p, u_char *last)
{
    u_char  *dot;

    dot = ngx_strlchr(p, last, '.');

    return dot && dot > p && dot + 1 < last;
}
