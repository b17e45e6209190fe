
/*
 * The postgres check without a server: names in SQL, versions of migration
 * tools, verdicts on their tables, and reasons for errors of a server.
 */


#include <unit.h>
#include <ngx_gate_check_migrations.h>
#include <ngx_gate_pq.h>
#include <ngx_gate_check_sql.h>


static struct {
    const char  *list;
    ngx_uint_t   parts;
    const char  *quoted;    /* separated by ";", NULL if it is invalid */
} unit_names[] = {
    { "a",                  2, "\"a\"" },
    { "Users,ORDERS",       2, "\"users\";\"orders\"" },
    { "s.b,_x$1",           2, "\"s\".\"b\";\"_x$1\"" },
    { "S.\"B\"",            2, "\"s\".\"B\"" },
    { "\"a,b.c\"",          2, "\"a,b.c\"" },
    { "\"a\"\"b\"",         2, "\"a\"\"b\"" },
    { "\"; DROP TABLE x\"", 2, "\"; DROP TABLE x\"" },
    { "gr\xc3\xb6\xc3\x9f", 2, "\"gr\xc3\xb6\xc3\x9f\"" },
    { "a",                  1, "\"a\"" },
    { "a.b",                1, NULL },
    { "a.b.c",              2, NULL },
    { "",                   2, NULL },
    { ",a",                 2, NULL },
    { "a,",                 2, NULL },
    { "a,,b",               2, NULL },
    { "a.",                 2, NULL },
    { ".a",                 2, NULL },
    { "1a",                 2, NULL },
    { "$a",                 2, NULL },
    { "a b",                2, NULL },
    { "a;b",                2, NULL },
    { "a'b",                2, NULL },
    { "a\"b",               2, NULL },
    { "\"a",                2, NULL },
    { "\"a\"b",             2, NULL },
    { "\"\"",               2, NULL },
    { "\"a\"\"",            2, NULL }
};


static struct {
    const char  *tool;
    const char  *version;
    const char  *written;    /* as in the query, NULL if it is invalid */
} unit_versions[] = {
    { "golang-migrate", "42",                 "42" },
    { "golang-migrate", "999999999999999999", "999999999999999999" },
    { "golang-migrate", "9999999999999999999", NULL },
    { "golang-migrate", "4 2",                NULL },
    { "golang-migrate", "-1",                 NULL },
    { "flyway",         "1_10",               "1.10" },
    { "flyway",         "1.10.2",             "1.10.2" },
    { "flyway",         "1..2",               NULL },
    { "flyway",         "1.",                 NULL },
    { "flyway",         "v1",                 NULL },
    { "diesel",         "2024-01-31-120000",  "20240131120000" },
    { "diesel",         "-",                  NULL },
    { "alembic",        "a,b",                "a,b" },
    { "alembic",        "a,,b",               NULL },
    { "alembic",        "head@a",             NULL },
    { "django",         "a.b,c.d",            "a.b,c.d" },
    { "django",         "a,b.c",              NULL },
    { "efcore",         "20240131120000",     "20240131120000" },
    { "efcore",         "20240131120000_",    NULL },
    { "efcore",         "2024013112000x_A",   NULL },
    { "liquibase",      "it's; \"any\" text", "it's; \"any\" text" }
};


static struct {
    const char          *text;
    ngx_gate_reason_e    reason;
    const char          *error;
    ngx_uint_t           answered;
} unit_texts[] = {
    { "connection to server at \"127.0.0.1\", port 1 failed: FATAL:  28P01: "
      "password authentication failed for user \"a\"\nLOCATION:  x, y.c:1\n",
      NGX_GATE_AUTH,
      "password authentication failed for user \"a\" (28P01)", 1 },
    { "FATAL:  57P03: the database system is starting up\n",
      NGX_GATE_STARTING_UP,
      "the database system is starting up (57P03)", 1 },
    { "\320\244:  3D000: x\n", NGX_GATE_NO_DATABASE, "x (3D000)", 1 },
    { "FATAL:  08P01: no such database: x\n",
      NGX_GATE_NO_DATABASE, "no such database: x (08P01)", 1 },
    { "FATAL:  08P01: what it never said before\n",
      NGX_GATE_PROTOCOL, "what it never said before (08P01)", 1 },
    { "FATAL:  28p01: x\n", NGX_GATE_PROTOCOL, "FATAL:  28p01: x", 0 },
    { "FATAL:  28P0", NGX_GATE_PROTOCOL, "FATAL:  28P0", 0 },
    { "x:  28P01:", NGX_GATE_PROTOCOL, "x:  28P01:", 0 },
    { "y:  x:  53300: z", NGX_GATE_TOO_MANY_CONNECTIONS, "z (53300)", 1 },
    { "connection to server at \"h\" (127.0.0.1), port 5432 failed: "
      "Connection refused\n\tIs the server running on that host\n",
      NGX_GATE_REFUSED,
      "connection to server at \"h\" (127.0.0.1), port 5432 failed: "
      "Connection refused", 0 },
    { "SSL SYSCALL error: EOF detected\n", NGX_GATE_RESET,
      "SSL SYSCALL error: EOF detected", 0 },
    { "SSL error: certificate verify failed\n", NGX_GATE_TLS,
      "SSL error: certificate verify failed", 0 },
    { "could not open certificate file \"x\": No such file or directory\n",
      NGX_GATE_TLS,
      "could not open certificate file \"x\": No such file or directory", 0 },
    { "server closed the connection unexpectedly\n\tThis probably means\n",
      NGX_GATE_RESET, "server closed the connection unexpectedly", 0 },
    { "could not create socket: Too many open files\n",
      NGX_GATE_NO_CONNECTIONS,
      "could not create socket: Too many open files", 0 },
    { "", NGX_GATE_PROTOCOL, "unexpected reply", 0 },
    { "\n", NGX_GATE_PROTOCOL, "", 0 }
};


static struct {
    const char          *state;
    ngx_gate_reason_e    reason;
} unit_states[] = {
    { "28000", NGX_GATE_AUTH },
    { "28P01", NGX_GATE_AUTH },
    { "3D000", NGX_GATE_NO_DATABASE },
    { "42501", NGX_GATE_DENIED },
    { "53300", NGX_GATE_TOO_MANY_CONNECTIONS },
    { "55P03", NGX_GATE_LOCKED },
    { "57014", NGX_GATE_TIMEOUT },
    { "57P01", NGX_GATE_RESET },
    { "57P02", NGX_GATE_RESET },
    { "57P03", NGX_GATE_STARTING_UP },
    { "57P04", NGX_GATE_NO_DATABASE },
    { "08006", NGX_GATE_UNREACHABLE },
    { "42601", NGX_GATE_QUERY },
    { "", NGX_GATE_QUERY }
};


static ngx_uint_t
unit_is(u_char *p, size_t len, const char *expected)
{
    return len == ngx_strlen(expected)
           && ngx_memcmp(p, expected, len) == 0;
}


static void
unit_sql(void)
{
    char                       *error;
    u_char                     *p, text[256];
    ngx_str_t                   list;
    ngx_uint_t                  i, n;
    ngx_array_t                *names;
    ngx_gate_check_sql_name_t  *name;

    for (i = 0; i < sizeof(unit_names) / sizeof(unit_names[0]); i++) {
        list.data = (u_char *) unit_names[i].list;
        list.len = ngx_strlen(unit_names[i].list);

        error = ngx_gate_check_sql_names(unit_pool, &list, unit_names[i].parts,
                                         &names);

        if (unit_names[i].quoted == NULL) {
            ok(error, "refused: %s", unit_names[i].list);
            continue;
        }

        p = text;
        name = names->elts;

        for (n = 0; n < names->nelts; n++) {
            p = ngx_sprintf(p, "%s%s", n ? ";" : "", name[n].quoted);
        }

        ok(error == NULL && unit_is(text, p - text, unit_names[i].quoted),
           "%s is %.*s", unit_names[i].list, (int) (p - text), text);
    }
}


static void
unit_version(void)
{
    u_char                             text[64];
    ngx_str_t                          name, version;
    ngx_int_t                          rc;
    ngx_uint_t                         i;
    ngx_gate_check_migrations_tool_t  *tool;

    for (i = 0; i < sizeof(unit_versions) / sizeof(unit_versions[0]); i++) {
        name.data = (u_char *) unit_versions[i].tool;
        name.len = ngx_strlen(unit_versions[i].tool);

        version.data = text;
        version.len = ngx_strlen(unit_versions[i].version);
        ngx_memcpy(text, unit_versions[i].version, version.len);

        tool = ngx_gate_check_migrations_tools_find(&name);
        rc = tool->is_version(&version);

        ok(unit_versions[i].written
               ? rc && unit_is(version.data, version.len,
                               unit_versions[i].written)
               : !rc,
           "%s %s %s", unit_versions[i].tool, unit_versions[i].version,
           unit_versions[i].written ? "is a version" : "is not a version");
    }
}


static void
unit_errors(void)
{
    ngx_uint_t        i, answered;
    ngx_gate_error_t  error;

    for (i = 0; i < sizeof(unit_texts) / sizeof(unit_texts[0]); i++) {
        answered = ngx_gate_pq_error_set_text(&error, unit_texts[i].text);

        ok(error.reason == unit_texts[i].reason
               && answered == unit_texts[i].answered
               && unit_is(error.text, error.len, unit_texts[i].error),
           "%.40s", unit_texts[i].error);
    }

    for (i = 0; i < sizeof(unit_states) / sizeof(unit_states[0]); i++) {
        ok(ngx_gate_pq_error_sqlstate_reason(unit_states[i].state)
               == unit_states[i].reason,
           "SQLSTATE %s", unit_states[i].state);
    }
}


/* a lock without a time is stale once it has been seen for long enough */

static void
unit_lock(void)
{
    u_char                              text[256];
    ngx_str_t                           name = ngx_string("knex");
    ngx_str_t                           row[NGX_GATE_CHECK_MIGRATIONS_LOCK_N];
    ngx_gate_check_migrations_conf_t    want;
    ngx_gate_check_migrations_result_t  found;

    ngx_memzero(&want, sizeof(want));
    ngx_memzero(row, sizeof(row));

    want.tool = ngx_gate_check_migrations_tools_find(&name);
    want.lock_table = want.tool->lock_table;

    found.message.data = text;
    found.message.len = sizeof(text);

    ngx_gate_check_migrations_locked(&want, row,
                                     NGX_GATE_CHECK_MIGRATIONS_STALE - 1,
                                     &found);

    ok(found.verdict == NGX_GATE_RUNNING
           && found.reason == NGX_GATE_IN_PROGRESS,
       "lock of almost ten minutes: held");

    found.message.len = sizeof(text);

    ngx_gate_check_migrations_locked(&want, row,
                                     NGX_GATE_CHECK_MIGRATIONS_STALE, &found);

    ok(found.verdict == NGX_GATE_FAILED
           && found.reason == NGX_GATE_STALE_LOCK,
       "lock of ten minutes: stale");

    ok(unit_is(text, found.message.len,
               "\"knex_migrations_lock\" is locked, for too long"),
       "%.*s", (int) found.message.len, text);

    found.message.len = 5;

    ngx_gate_check_migrations_locked(&want, row, 0, &found);
    ok(unit_is(text, found.message.len, "\"knex"), "long message: truncated");
}


/* the lock of golang-migrate among others */

static void
unit_golang_migrate(void)
{
    u_char                              text[256];
    ngx_str_t                           name = ngx_string("golang-migrate");
    ngx_str_t                           row[NGX_GATE_CHECK_MIGRATIONS_ROW_N];
    ngx_str_t                          *locks;
    ngx_msec_t                          held;
    ngx_gate_check_migrations_conf_t    want;
    ngx_gate_check_migrations_result_t  found;

    ngx_memzero(&want, sizeof(want));
    ngx_memzero(row, sizeof(row));

    want.tool = ngx_gate_check_migrations_tools_find(&name);
    ngx_str_set(&want.version, "42");

    held = 0;
    locks = &row[NGX_GATE_CHECK_MIGRATIONS_LOCKS];

    ngx_str_set(&row[NGX_GATE_CHECK_MIGRATIONS_NEWEST], "42");
    ngx_str_set(&row[NGX_GATE_CHECK_MIGRATIONS_REACHED], "t");
    ngx_str_set(&row[NGX_GATE_CHECK_MIGRATIONS_STATE], "dirty");
    ngx_str_set(&row[NGX_GATE_CHECK_MIGRATIONS_SUBJECT], "42");
    ngx_str_set(&row[NGX_GATE_CHECK_MIGRATIONS_SCHEMA], "public");
    ngx_str_set(&row[NGX_GATE_CHECK_MIGRATIONS_TABLE], "schema_migrations");
    ngx_str_set(&row[NGX_GATE_CHECK_MIGRATIONS_DATABASE], "test");

    found.message.data = text;

#define decide()                                                              \
    found.message.len = sizeof(text);                                         \
    ngx_gate_check_migrations_evaluate(&want, row, held, &found)

    decide();
    ok(found.verdict == NGX_GATE_FAILED && found.reason == NGX_GATE_DIRTY,
       "dirty, no lock: failed");

    ngx_str_set(locks, "7 77 777");
    decide();
    ok(found.reason == NGX_GATE_DIRTY, "dirty, other locks: failed");

    /* a standby shows no locks */

    ngx_str_null(locks);
    ngx_str_set(&row[NGX_GATE_CHECK_MIGRATIONS_STATE], "unclear");
    held = NGX_GATE_CHECK_MIGRATIONS_STALE - 1;
    decide();
    ok(found.verdict == NGX_GATE_RUNNING
           && found.reason == NGX_GATE_IN_PROGRESS,
       "dirty on a standby, almost ten minutes: running");

    held = NGX_GATE_CHECK_MIGRATIONS_STALE;
    decide();
    ok(found.verdict == NGX_GATE_FAILED && found.reason == NGX_GATE_DIRTY,
       "dirty on a standby, ten minutes: failed");

    held = 0;
    ngx_str_set(&row[NGX_GATE_CHECK_MIGRATIONS_STATE], "dirty");

    /* crc32("public\0schema_migrations\0test") * 1486364155 */

    ngx_str_set(locks, "7 2151868736");
    decide();
    ok(found.verdict == NGX_GATE_RUNNING
           && found.reason == NGX_GATE_IN_PROGRESS,
       "dirty, lock of the tool: running");

    ngx_str_set(locks, "72151868736 21518687367");
    decide();
    ok(found.reason == NGX_GATE_DIRTY, "dirty, similar locks: failed");

    ngx_str_null(&row[NGX_GATE_CHECK_MIGRATIONS_STATE]);
    ngx_str_set(locks, "2151868736");
    decide();
    ok(found.verdict == NGX_GATE_PASSED,
       "lock of the tool, version reached: passed");
}


static void
unit(void)
{
    unit_sql();
    unit_version();
    unit_errors();
    unit_lock();
    unit_golang_migrate();
}
