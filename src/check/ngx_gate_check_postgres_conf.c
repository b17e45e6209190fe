
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The check type "postgres" at configuration time: its parameters, and the
 * SQL statements for them.  Names of tables are quoted; all other values are
 * passed as parameters.
 */


#include <ngx_gate_check_postgres.h>


#define NGX_GATE_CHECK_POSTGRES_CONF_NAMES  256

#define NGX_GATE_CHECK_POSTGRES_CONF_SETTLE  5000

/*
 * A hash of a table to detect changes, and the age of its newest row in
 * milliseconds.  A time without a zone is in the server's zone, or UTC.
 */

#define NGX_GATE_CHECK_POSTGRES_CONF_CHANGED                                  \
    " x) SELECT count(*)::text || ' '"                                        \
    " || coalesce(sum(pg_catalog.hashtext(j::text)), 0)::text,"               \
    " (SELECT min(abs(extract(epoch FROM pg_catalog.now() - v.c)))"           \
    "   * 1000 FROM t,"                                                       \
    "   LATERAL (VALUES ((t.j->>$1::text)::timestamptz),"                     \
    "    ((t.j->>$1::text)::timestamp AT TIME ZONE 'UTC')) AS v (c)"          \
    " )::bigint FROM t"

/* builds the list of VALUES, with a number and a parameter for each */

#define NGX_GATE_CHECK_POSTGRES_CONF_VALUES                                   \
    (NGX_GATE_CHECK_POSTGRES_CONF_NAMES * sizeof("(000,$000::text),"))

/* relations that may be in a FROM clause */

#define NGX_GATE_CHECK_POSTGRES_CONF_RELKINDS  "('r', 'p', 'v', 'm', 'f')"

#define NGX_GATE_CHECK_POSTGRES_CONF_LOOKUP                                   \
    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c"                      \
    " WHERE c.oid = pg_catalog.to_regclass(v.n)"                              \
    " AND c.relkind IN " NGX_GATE_CHECK_POSTGRES_CONF_RELKINDS "),"           \
    " (SELECT a.attname FROM pg_catalog.pg_attribute a"                       \
    " WHERE a.attrelid = pg_catalog.to_regclass(v.n) AND a.attnum > 0"        \
    " AND NOT a.attisdropped"                                                 \
    " AND a.attname = ANY (string_to_array($%ui::text, ',')) LIMIT 1)"        \
    " FROM (VALUES %*s) AS v (i, n) ORDER BY v.i%Z"


static char *ngx_gate_check_postgres_conf_conflicts(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_postgres_conf_t *conf);
static char *ngx_gate_check_postgres_conf_schema(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_postgres_conf_t *conf);
static char *ngx_gate_check_postgres_conf_tables(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_postgres_conf_t *conf,
    ngx_array_t *lookup);
static char *ngx_gate_check_postgres_conf_rows(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_postgres_conf_t *conf,
    ngx_array_t *lookup);
static char *ngx_gate_check_postgres_conf_migrations(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_postgres_conf_t *conf,
    ngx_array_t *lookup);
static char *ngx_gate_check_postgres_conf_tool_table(ngx_conf_t *cf,
    ngx_gate_check_postgres_conf_t *conf, ngx_array_t *lookup,
    const char *name);
static char *ngx_gate_check_postgres_conf_lock_table(ngx_conf_t *cf,
    ngx_gate_check_postgres_conf_t *conf, ngx_array_t *lookup,
    const char *table);
static char *ngx_gate_check_postgres_conf_version(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_postgres_conf_t *conf);
static char *ngx_gate_check_postgres_conf_listen(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_check_postgres_conf_t *conf);
static ngx_uint_t ngx_gate_check_postgres_conf_is_channel(ngx_str_t *name);
static char *ngx_gate_check_postgres_conf_lookup(ngx_conf_t *cf,
    ngx_gate_check_postgres_conf_t *conf, ngx_array_t *lookup);

static char *ngx_gate_check_postgres_conf_add(ngx_array_t *lookup,
    const char *name);
static char *ngx_gate_check_postgres_conf_sql(ngx_conf_t *cf,
    ngx_gate_pq_statement_t *statement, const char *before, const char *name,
    const char *between, const char *after);
static ngx_array_t *ngx_gate_check_postgres_conf_names(ngx_conf_t *cf,
    ngx_gate_check_t *check, const char *param, ngx_str_t *value,
    ngx_uint_t parts);


ngx_gate_param_t  ngx_gate_check_postgres_conf_params[] = {

    { ngx_string("tables"),
      NGX_GATE_PARAM_QUOTED,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_postgres_conf_t, tables),
      "names of tables, with commas" },

    { ngx_string("schema"),
      NGX_GATE_PARAM_QUOTED,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_postgres_conf_t, schema),
      "names of schemas, with commas" },

    { ngx_string("rows"),
      NGX_GATE_PARAM_QUOTED,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_postgres_conf_t, rows),
      "a table and a number, as in users:100" },

    { ngx_string("migrations"),
      0,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_postgres_conf_t, tool),
      "the name of a tool" },

    { ngx_string("table"),
      NGX_GATE_PARAM_QUOTED,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_postgres_conf_t, tool_table),
      "the name of the migration tool's table" },

    { ngx_string("version"),
      0,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_postgres_conf_t, version),
      "a version of the migration tool" },

    { ngx_string("exact"),
      NGX_GATE_PARAM_FLAG,
      ngx_gate_param_set_flag,
      offsetof(ngx_gate_check_postgres_conf_t, exact),
      NULL },

    { ngx_string("settle"),
      0,
      ngx_gate_param_set_time,
      offsetof(ngx_gate_check_postgres_conf_t, settle),
      "a time, as in 5s" },

    { ngx_string("query"),
      0,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_postgres_conf_t, query),
      "an SQL query" },

    { ngx_string("expect"),
      0,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_postgres_conf_t, expect),
      "a value" },

    { ngx_string("min"),
      0,
      ngx_gate_param_set_count,
      offsetof(ngx_gate_check_postgres_conf_t, min),
      "a number, 1 or more" },

    { ngx_string("password_file"),
      0,
      ngx_gate_param_set_path,
      offsetof(ngx_gate_check_postgres_conf_t, pq.password_file),
      "a path" },

    { ngx_string("passfile"),
      0,
      ngx_gate_param_set_path,
      offsetof(ngx_gate_check_postgres_conf_t, pq.passfile),
      "a path" },

    { ngx_string("keepalive"),
      NGX_GATE_PARAM_FLAG,
      ngx_gate_param_set_flag,
      offsetof(ngx_gate_check_postgres_conf_t, pq.keepalive),
      NULL },

    { ngx_string("listen"),
      0,
      ngx_gate_param_set_str,
      offsetof(ngx_gate_check_postgres_conf_t, listen),
      "the name of a channel" },

      ngx_gate_param_end
};


char *
ngx_gate_check_postgres_conf_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    ngx_gate_check_postgres_conf_t *conf = check->conf;

    ngx_array_t  *lookup;

    conf->pq.conninfo = check->target;

    if (ngx_gate_check_postgres_conf_conflicts(cf, check, conf) != NGX_CONF_OK
        || ngx_gate_pq_conf_parse(cf, check, &conf->pq) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    lookup = ngx_array_create(cf->pool, 4, sizeof(char *));
    if (lookup == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_gate_check_postgres_conf_schema(cf, check, conf) != NGX_CONF_OK
        || ngx_gate_check_postgres_conf_tables(cf, check, conf, lookup)
           != NGX_CONF_OK
        || ngx_gate_check_postgres_conf_rows(cf, check, conf, lookup)
           != NGX_CONF_OK
        || ngx_gate_check_postgres_conf_migrations(cf, check, conf, lookup)
           != NGX_CONF_OK
        || ngx_gate_check_postgres_conf_listen(cf, check, conf)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* a string of the configuration ends with a zero */

    conf->select.sql = (char *) conf->query.data;

    return ngx_gate_check_postgres_conf_lookup(cf, conf, lookup);
}


static char *
ngx_gate_check_postgres_conf_conflicts(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_postgres_conf_t *conf)
{
    if (conf->version.len && conf->tool.len == 0) {
        return ngx_gate_param_error(cf, check, "\"version\" without "
                                    "\"migrations\"");
    }

    if (conf->tool_table.len && conf->tool.len == 0) {
        return ngx_gate_param_error(cf, check, "\"table\" without "
                                    "\"migrations\"");
    }

    if (conf->settle && conf->tool.len == 0) {
        return ngx_gate_param_error(cf, check, "\"settle\" without "
                                    "\"migrations\"");
    }

    if (conf->settle && conf->version.len) {
        return ngx_gate_param_error(cf, check, "\"settle\" and \"version\" "
                                    "exclude each other");
    }

    if (conf->exact && conf->version.len == 0) {
        return ngx_gate_param_error(cf, check, "\"exact\" without "
                                    "\"version\"");
    }

    if ((conf->expect.len || conf->min) && conf->query.len == 0) {
        return ngx_gate_param_error(cf, check, "\"%s\" without \"query\"",
                                    conf->min ? "min" : "expect");
    }

    if (conf->expect.len && conf->min) {
        return ngx_gate_param_error(cf, check, "\"expect\" and \"min\" "
                                    "exclude each other");
    }

    if (conf->rows.len && conf->min) {
        return ngx_gate_param_error(cf, check, "\"rows\" and \"min\" exclude "
                                    "each other, a check counts one thing");
    }

    if (conf->schema.len && conf->tables.len == 0 && conf->rows.len == 0
        && conf->tool.len == 0 && conf->query.len == 0)
    {
        return ngx_gate_param_error(cf, check, "\"schema\" without "
                                    "\"tables\", \"rows\", \"migrations\" or "
                                    "\"query\"");
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_postgres_conf_schema(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_postgres_conf_t *conf)
{
    u_char                     *p;
    size_t                      len;
    ngx_uint_t                  i;
    ngx_array_t                *names;
    ngx_gate_check_sql_name_t  *name;

    if (conf->schema.len == 0) {
        conf->search_path = conf->pq.search_path;
        return NGX_CONF_OK;
    }

    names = ngx_gate_check_postgres_conf_names(cf, check, "schema",
                                               &conf->schema, 1);
    if (names == NULL) {
        return NGX_CONF_ERROR;
    }

    name = names->elts;
    len = 1;

    for (i = 0; i < names->nelts; i++) {
        len += ngx_strlen(name[i].quoted) + 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->search_path = (char *) p;

    for (i = 0; i < names->nelts; i++) {
        p = ngx_sprintf(p, "%s%s", i ? "," : "", name[i].quoted);
    }

    *p = '\0';

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_postgres_conf_tables(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_postgres_conf_t *conf, ngx_array_t *lookup)
{
    ngx_uint_t    i;
    ngx_array_t  *names;

    if (conf->tables.len == 0) {
        return NGX_CONF_OK;
    }

    names = ngx_gate_check_postgres_conf_names(cf, check, "tables",
                                               &conf->tables, 2);
    if (names == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->names = names->elts;
    conf->nnames = names->nelts;

    for (i = 0; i < conf->nnames; i++) {
        if (ngx_gate_check_postgres_conf_add(lookup, conf->names[i].quoted)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_postgres_conf_rows(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_postgres_conf_t *conf, ngx_array_t *lookup)
{
    size_t        len;
    u_char        limit[NGX_INT64_LEN + sizeof(") AS x")];
    ngx_str_t     value;
    ngx_array_t  *names;

    value = conf->rows;

    if (value.len == 0) {
        return NGX_CONF_OK;
    }

    for (len = value.len; len && value.data[len - 1] != ':'; len--) {
        /* void */
    }

    conf->limit = ngx_atoof(value.data + len, value.len - len);

    if (len < 2 || conf->limit < 1) {
        return ngx_gate_param_error(cf, check, "invalid value \"%V\" of "
                                    "parameter \"rows\", must be a table and "
                                    "a number, as in users:100", &value);
    }

    value.len = len - 1;

    names = ngx_gate_check_postgres_conf_names(cf, check, "rows", &value, 2);
    if (names == NULL) {
        return NGX_CONF_ERROR;
    }

    if (names->nelts > 1) {
        return ngx_gate_param_error(cf, check, "\"rows\" takes one table");
    }

    conf->table = names->elts;
    conf->rows_index = lookup->nelts;

    if (ngx_gate_check_postgres_conf_add(lookup, conf->table->quoted)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(limit, "%L) AS x%Z", conf->limit);

    return ngx_gate_check_postgres_conf_sql(cf, &conf->count,
                                            "SELECT count(*) FROM (SELECT 1 "
                                            "FROM ",
                                            conf->table->quoted, " LIMIT ",
                                            (char *) limit);
}


static char *
ngx_gate_check_postgres_conf_migrations(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_postgres_conf_t *conf, ngx_array_t *lookup)
{
    u_char                            *p, list[NGX_MAX_CONF_ERRSTR / 2];
    ngx_uint_t                         i;
    ngx_array_t                       *names;
    ngx_gate_check_sql_name_t         *name;
    ngx_gate_check_migrations_tool_t  *tool;

    if (conf->tool.len == 0) {
        return NGX_CONF_OK;
    }

    tool = ngx_gate_check_migrations_tools_find(&conf->tool);

    if (tool == NULL) {
        p = ngx_gate_check_migrations_tools_names(list, list + sizeof(list));

        return ngx_gate_param_error(cf, check, "unknown migration tool "
                                    "\"%V\", known are %*s", &conf->tool,
                                    (size_t) (p - list), list);
    }

    conf->migration.tool = tool;
    conf->migration.exact = conf->exact;

    if (ngx_gate_check_postgres_conf_version(cf, check, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    conf->tool_index = lookup->nelts;

    if (conf->tool_table.len) {
        names = ngx_gate_check_postgres_conf_names(cf, check, "table",
                                                   &conf->tool_table, 2);
        if (names == NULL) {
            return NGX_CONF_ERROR;
        }

        if (names->nelts > 1) {
            return ngx_gate_param_error(cf, check, "\"table\" takes one "
                                        "table");
        }

        name = names->elts;

        if (ngx_gate_check_postgres_conf_tool_table(cf, conf, lookup,
                                                    name->quoted)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        return ngx_gate_check_postgres_conf_lock_table(cf, conf, lookup,
                                                       name->quoted);
    }

    for (i = 0; i < 2; i++) {

        /* if a schema is given, the default schema of the tool is not used */

        if (tool->table[i] == NULL
            || (i == 0 && tool->table[1] && conf->search_path))
        {
            continue;
        }

        if (ngx_gate_check_postgres_conf_tool_table(cf, conf, lookup,
                                                    tool->table[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_gate_check_postgres_conf_lock_table(cf, conf, lookup,
                                                   tool->table[0]);
}


static char *
ngx_gate_check_postgres_conf_tool_table(ngx_conf_t *cf,
    ngx_gate_check_postgres_conf_t *conf, ngx_array_t *lookup,
    const char *name)
{
    const char                       **params;
    ngx_gate_pq_statement_t           *migrations, *changed;
    ngx_gate_check_migrations_tool_t  *tool;

    tool = conf->migration.tool;
    params = conf->tool_params[conf->ntool];
    migrations = &conf->migrations[conf->ntool];
    changed = &conf->changed[conf->ntool++];

    params[0] = conf->wanted;
    params[1] = name;

    migrations->nparams = strstr(tool->sql, "$2") ? 2 : 1;
    migrations->params = params;

    changed->nparams = 1;
    changed->params = &tool->time;

    if (ngx_gate_check_postgres_conf_add(lookup, name) != NGX_CONF_OK
        || ngx_gate_check_postgres_conf_sql(cf, migrations,
                              "WITH t AS (SELECT x.*, to_jsonb(x) AS j FROM ",
                                            name, " x)", tool->sql)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_gate_check_postgres_conf_sql(cf, changed,
                                   "WITH t AS (SELECT to_jsonb(x) AS j FROM ",
                                            name, "",
                                      NGX_GATE_CHECK_POSTGRES_CONF_CHANGED);
}


/* Knex adds a suffix to the table's name, which may have another schema */

static char *
ngx_gate_check_postgres_conf_lock_table(ngx_conf_t *cf,
    ngx_gate_check_postgres_conf_t *conf, ngx_array_t *lookup,
    const char *table)
{
    u_char                            *p;
    size_t                             len;
    const char                        *name;
    ngx_gate_check_migrations_tool_t  *tool;

    tool = conf->migration.tool;
    name = tool->lock_table;

    if (name == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->tool_table.len && tool->lock_suffix) {
        len = ngx_strlen(table);

        p = ngx_pnalloc(cf->pool, len + ngx_strlen(tool->lock_suffix) + 2);
        if (p == NULL) {
            return NGX_CONF_ERROR;
        }

        /* before the closing quote */

        ngx_sprintf(p, "%*s%s\"%Z", len - 1, table,
                    tool->lock_suffix);
        name = (char *) p;
    }

    conf->migration.lock_table = name;
    conf->lock_index = lookup->nelts;

    if (ngx_gate_check_postgres_conf_add(lookup, name) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_gate_check_postgres_conf_sql(cf, &conf->lock,
                                            "WITH t AS (SELECT x.* FROM ",
                                            name, " x)", tool->lock_sql);
}


static char *
ngx_gate_check_postgres_conf_version(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_postgres_conf_t *conf)
{
    u_char                            *p;
    ngx_gate_check_migrations_conf_t  *migration;

    migration = &conf->migration;

    if (conf->version.len == 0) {

        if (conf->settle == 0) {
            conf->settle = NGX_GATE_CHECK_POSTGRES_CONF_SETTLE;
        }

        ngx_gate_param_warn(cf, check, "\"migrations\" without \"version\" "
                            "passes when %V has applied any migration and its "
                            "table has not changed for %Mms,",
                            &migration->tool->name, conf->settle);

        return NGX_CONF_OK;
    }

    /* may be converted to the format in the table */

    p = ngx_pnalloc(cf->pool, conf->version.len + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(p, conf->version.data, conf->version.len);

    migration->version.data = p;
    migration->version.len = conf->version.len;

    if (!migration->tool->is_version(&migration->version)) {
        return ngx_gate_param_error(cf, check, "invalid version \"%V\" of "
                                    "\"%V\", must be %s", &conf->version,
                                    &migration->tool->name,
                                    migration->tool->form);
    }

    p[migration->version.len] = '\0';

    conf->wanted = (char *) p;

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_postgres_conf_listen(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_postgres_conf_t *conf)
{
    if (conf->listen.len == 0) {
        return NGX_CONF_OK;
    }

    if (!ngx_gate_check_postgres_conf_is_channel(&conf->listen)) {
        return ngx_gate_param_error(cf, check, "invalid value \"%V\" of "
                                    "parameter \"listen\", must be a name of "
                                    "at most %d lower-case letters, digits "
                                    "and \"_\", not beginning with a digit",
                                    &conf->listen, NGX_GATE_PQ_CHANNEL_MAX);
    }

    if (conf->names == NULL && conf->table == NULL
        && conf->migration.tool == NULL && conf->query.len == 0)
    {
        return ngx_gate_param_error(cf, check, "\"listen\" without "
                                    "\"tables\", \"rows\", \"migrations\" or "
                                    "\"query\"");
    }

    if (conf->pq.role == NGX_GATE_PQ_STANDBY) {
        return ngx_gate_param_error(cf, check, "\"listen\" and "
                                    "\"target_session_attrs=standby\" exclude "
                                    "each other, a standby sends no "
                                    "notifications");
    }

    return NGX_CONF_OK;
}


/* a name that is the same in SQL with and without quotes, save for keywords */

static ngx_uint_t
ngx_gate_check_postgres_conf_is_channel(ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    if (name->len > NGX_GATE_PQ_CHANNEL_MAX) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (!((ch >= 'a' && ch <= 'z') || ch == '_'
              || (i && ch >= '0' && ch <= '9')))
        {
            return 0;
        }
    }

    return 1;
}


static char *
ngx_gate_check_postgres_conf_lookup(ngx_conf_t *cf,
    ngx_gate_check_postgres_conf_t *conf, ngx_array_t *lookup)
{
    u_char     *p, *last;
    u_char      values[NGX_GATE_CHECK_POSTGRES_CONF_VALUES];
    ngx_uint_t  i, n;

    n = lookup->nelts;

    if (n == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_gate_check_postgres_conf_add(lookup,
                                         conf->migration.tool
                                             ? conf->migration.tool->others
                                             : NULL)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    p = values;
    last = values + sizeof(values);

    for (i = 0; i < n; i++) {
        p = ngx_slprintf(p, last, "%s(%ui,$%ui::text)", i ? "," : "", i,
                         i + 1);
    }

    last = ngx_pnalloc(cf->pool, sizeof(NGX_GATE_CHECK_POSTGRES_CONF_LOOKUP)
                                 + NGX_INT_T_LEN + (p - values));
    if (last == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(last, NGX_GATE_CHECK_POSTGRES_CONF_LOOKUP, n + 1,
                (size_t) (p - values), values);

    conf->lookup.sql = (char *) last;
    conf->lookup.nparams = lookup->nelts;
    conf->lookup.params = lookup->elts;

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_postgres_conf_add(ngx_array_t *lookup, const char *name)
{
    const char  **slot;

    slot = ngx_array_push(lookup);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = name;

    return NGX_CONF_OK;
}


static char *
ngx_gate_check_postgres_conf_sql(ngx_conf_t *cf,
    ngx_gate_pq_statement_t *statement, const char *before, const char *name,
    const char *between, const char *after)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(before) + ngx_strlen(name) + ngx_strlen(between)
          + ngx_strlen(after) + 1;

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(p, "%s%s%s%s%Z", before, name, between, after);

    statement->sql = (char *) p;

    return NGX_CONF_OK;
}


static ngx_array_t *
ngx_gate_check_postgres_conf_names(ngx_conf_t *cf, ngx_gate_check_t *check,
    const char *param, ngx_str_t *value, ngx_uint_t parts)
{
    char         *error;
    ngx_array_t  *names;

    error = ngx_gate_check_sql_names(cf->pool, value, parts, &names);

    if (error == NULL
        && names->nelts > NGX_GATE_CHECK_POSTGRES_CONF_NAMES - 8)
    {
        error = "has more than 248 names";
    }

    if (error) {
        (void) ngx_gate_param_error(cf, check, "\"%s\" %s: \"%V\"", param,
                                    error, value);
        return NULL;
    }

    return names;
}
