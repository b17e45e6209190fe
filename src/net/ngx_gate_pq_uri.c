
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Converts URIs of other drivers to URIs of libpq, so that a check accepts
 * the connection string of an application.
 */


#include <ngx_gate_pq.h>
#include <ngx_gate_param.h>


typedef struct {
    ngx_gate_check_t    *check;
    ngx_gate_pq_conf_t  *pcf;
    PQconninfoOption    *options;     /* all keywords of libpq */
    u_char              *out;
    ngx_uint_t           n;           /* number of parameters written */
    ngx_uint_t           secret;      /* a password may be in the rest */
} ngx_gate_pq_uri_ctx_t;


static char *ngx_gate_pq_uri_scheme(ngx_conf_t *cf,
    ngx_gate_pq_uri_ctx_t *ctx, ngx_str_t *scheme);
static char *ngx_gate_pq_uri_query(ngx_conf_t *cf,
    ngx_gate_pq_uri_ctx_t *ctx, u_char *p, u_char *last);
static char *ngx_gate_pq_uri_param(ngx_conf_t *cf,
    ngx_gate_pq_uri_ctx_t *ctx, ngx_str_t *name, ngx_str_t *value);
static void ngx_gate_pq_uri_add(ngx_gate_pq_uri_ctx_t *ctx, const char *name,
    ngx_str_t *value);
static void ngx_gate_pq_uri_add_ssl(ngx_gate_pq_uri_ctx_t *ctx,
    ngx_str_t *value);
static char *ngx_gate_pq_uri_search_path(ngx_conf_t *cf,
    ngx_gate_pq_uri_ctx_t *ctx, ngx_str_t *value, ngx_uint_t quote);
static char *ngx_gate_pq_uri_unknown(ngx_conf_t *cf,
    ngx_gate_pq_uri_ctx_t *ctx, ngx_str_t *name);
static ngx_uint_t ngx_gate_pq_uri_is_ignored(ngx_str_t *name);
static ngx_uint_t ngx_gate_pq_uri_in(ngx_str_t *word, const char **list);


static const char  *ngx_gate_pq_uri_schemes[] = {
    "postgres", "postgresql", "pgsql", "pgx", "pgx4", "pgx5", NULL
};


/* options of drivers (pools, caches, types); also all that begin with "pool" */

static const char  *ngx_gate_pq_uri_ignored[] = {

    /* Prisma */
    "connection_limit", "pgbouncer", "socket_timeout", "sslaccept",
    "statement_cache_size",

    /* JDBC */
    "binaryTransfer", "connectTimeout", "loginTimeout", "preferQueryMode",
    "prepareThreshold", "reWriteBatchedInserts", "socketTimeout",
    "stringtype", "tcpKeepAlive",

    /* Go, Node.js */
    "default_query_exec_mode", "description_cache_capacity", "idle_timeout",
    "max", "prepare", "statement_cache_capacity", "uselibpqcompat",

    /* Rails, Django, SQLAlchemy, Doctrine */
    "charset", "checkout_timeout", "conn_health_checks", "conn_max_age",
    "encoding", "max_overflow", "prepared_statements",
    "prepared_statement_cache_size", "reaping_frequency", "serverVersion",
    "timeout", NULL
};


char *
ngx_gate_pq_uri_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, ngx_str_t *uri)
{
    char                   *rv, *error;
    u_char                 *p, *last, *query;
    ngx_str_t               scheme, *text;
    ngx_gate_pq_uri_ctx_t   ctx;

    text = &pcf->conninfo;
    last = text->data + text->len;
    *uri = *text;

    for (p = text->data; p < last; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9') || *p == '+' || *p == '-'
              || *p == '.' || (*p == ':' && p[1] != '/')))
        {
            break;
        }
    }

    if (last - p < 3 || ngx_strncmp(p, "://", 3) != 0) {
        return NGX_CONF_OK;
    }

    scheme.data = text->data;
    scheme.len = p - text->data;

    ngx_memzero(&ctx, sizeof(ctx));

    ctx.check = check;
    ctx.pcf = pcf;

    if (ngx_gate_pq_uri_scheme(cf, &ctx, &scheme) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    /* a parameter grows by less than the length of "sslmode=require" */

    uri->data = ngx_pcalloc(cf->pool, 16 * text->len + sizeof("postgresql"));
    ctx.options = libpq.PQconninfoParse("", &error);

    if (uri->data == NULL || ctx.options == NULL) {
        return NGX_CONF_ERROR;
    }

    query = ngx_strlchr(p, last, '?');

    ctx.out = ngx_sprintf(uri->data, "postgresql%*s",
                          (size_t) ((query ? query : last) - p), p);

    rv = query ? ngx_gate_pq_uri_query(cf, &ctx, query + 1, last)
               : NGX_CONF_OK;

    libpq.PQconninfoFree(ctx.options);

    uri->len = ctx.out - uri->data;

    return rv;
}


/* "jdbc:postgresql", or with the name of a driver: "postgresql+psycopg2" */

static char *
ngx_gate_pq_uri_scheme(ngx_conf_t *cf, ngx_gate_pq_uri_ctx_t *ctx,
    ngx_str_t *scheme)
{
    u_char     *plus;
    ngx_str_t   name;

    name = *scheme;

    if (name.len > 5 && ngx_strncmp(name.data, "jdbc:", 5) == 0) {
        name.data += 5;
        name.len -= 5;
    }

    plus = ngx_strlchr(name.data, name.data + name.len, '+');

    if (plus) {
        name.len = plus - name.data;
    }

    if (ngx_gate_pq_uri_in(&name, ngx_gate_pq_uri_schemes)) {
        return NGX_CONF_OK;
    }

    return ngx_gate_param_error(cf, ctx->check, "unknown scheme \"%V\" of the "
                                "connection string, must be \"postgresql\"",
                                scheme);
}


static char *
ngx_gate_pq_uri_query(ngx_conf_t *cf, ngx_gate_pq_uri_ctx_t *ctx, u_char *p,
    u_char *last)
{
    u_char     *end, *equal;
    ngx_str_t   name, value;

    /* an unescaped "@" in a parameter may be the end of a password */

    ctx->secret = ngx_strlchr(p, last, '@') != NULL;

    for ( /* void */ ; p <= last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        equal = ngx_strlchr(p, end, '=');

        if (end == p) {
            continue;
        }

        if (equal == NULL) {
            return ngx_gate_param_error(cf, ctx->check, "invalid connection "
                                        "string: a parameter has no \"=\"");
        }

        name.data = p;
        name.len = equal - p;
        value.data = equal + 1;
        value.len = end - value.data;

        if (ngx_gate_pq_uri_param(cf, ctx, &name, &value) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_pq_uri_param(ngx_conf_t *cf, ngx_gate_pq_uri_ctx_t *ctx,
    ngx_str_t *name, ngx_str_t *value)
{
    PQconninfoOption  *option;

    static const char  *quoted[] = { "schema", NULL };
    static const char  *paths[] = { "currentSchema", "search_path", NULL };
    static const char  *ssl[] = { "ssl", NULL };
    static const char  *application[] = { "ApplicationName", NULL };

    for (option = ctx->options; option->keyword; option++) {

        if (name->len == ngx_strlen(option->keyword)
            && ngx_strncmp(name->data, option->keyword, name->len) == 0)
        {
            if (ngx_strcmp(option->keyword, "password") == 0) {
                ctx->secret = 1;
            }

            ngx_gate_pq_uri_add(ctx, option->keyword, value);
            return NGX_CONF_OK;
        }
    }

    if (ngx_gate_pq_uri_in(name, application)) {
        ngx_gate_pq_uri_add(ctx, "application_name", value);
        return NGX_CONF_OK;
    }

    if (ngx_gate_pq_uri_in(name, ssl)) {
        ngx_gate_pq_uri_add_ssl(ctx, value);
        return NGX_CONF_OK;
    }

    if (ngx_gate_pq_uri_in(name, quoted) || ngx_gate_pq_uri_in(name, paths)) {
        return ngx_gate_pq_uri_search_path(cf, ctx, value,
                                           ngx_gate_pq_uri_in(name, quoted));
    }

    return ngx_gate_pq_uri_is_ignored(name)
               ? NGX_CONF_OK : ngx_gate_pq_uri_unknown(cf, ctx, name);
}


static void
ngx_gate_pq_uri_add(ngx_gate_pq_uri_ctx_t *ctx, const char *name,
    ngx_str_t *value)
{
    ctx->out = ngx_sprintf(ctx->out, "%c%s=%V", ctx->n++ ? '&' : '?', name,
                           value);
}


static void
ngx_gate_pq_uri_add_ssl(ngx_gate_pq_uri_ctx_t *ctx, ngx_str_t *value)
{
    ngx_str_t  mode;

    static const char  *on[] = { "true", "1", "on", "", NULL };
    static const char  *off[] = { "false", "0", "off", NULL };

    mode = *value;

    if (ngx_gate_pq_uri_in(value, on)) {
        ngx_str_set(&mode, "require");

    } else if (ngx_gate_pq_uri_in(value, off)) {
        ngx_str_set(&mode, "disable");
    }

    ngx_gate_pq_uri_add(ctx, "sslmode", &mode);
}


/* a list, or one name that is written literally */

static char *
ngx_gate_pq_uri_search_path(ngx_conf_t *cf, ngx_gate_pq_uri_ctx_t *ctx,
    ngx_str_t *value, ngx_uint_t quote)
{
    u_char  *p, *start, *dst, *src;

    if (value->len == 0) {
        return NGX_CONF_OK;
    }

    p = ngx_pnalloc(cf->pool, 3 * value->len + sizeof("\"\""));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    start = p + 2 * value->len + 2;
    dst = start;
    src = value->data;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    ctx->pcf->search_path = (char *) p;

    if (quote) {
        *p++ = '"';
    }

    for (src = start; src < dst; src++) {

        if (quote && *src == '"') {
            *p++ = '"';
        }

        *p++ = *src;
    }

    if (quote) {
        *p++ = '"';
    }

    *p = '\0';

    return NGX_CONF_OK;
}


static char *
ngx_gate_pq_uri_unknown(ngx_conf_t *cf, ngx_gate_pq_uri_ctx_t *ctx,
    ngx_str_t *name)
{
    if (ctx->secret) {
        return ngx_gate_param_error(cf, ctx->check, "invalid connection "
                                    "string: unknown parameter \"...\"");
    }

    return ngx_gate_param_error(cf, ctx->check, "invalid connection string: "
                                "unknown parameter \"%V\"", name);
}


static ngx_uint_t
ngx_gate_pq_uri_is_ignored(ngx_str_t *name)
{
    /* parameters of golang-migrate begin with "x-" */

    return ngx_gate_pq_uri_in(name, ngx_gate_pq_uri_ignored)
           || (name->len >= 4 && ngx_strncmp(name->data, "pool", 4) == 0)
           || (name->len > 2 && ngx_strncmp(name->data, "x-", 2) == 0);
}


static ngx_uint_t
ngx_gate_pq_uri_in(ngx_str_t *word, const char **list)
{
    for ( /* void */ ; *list; list++) {

        if (word->len == ngx_strlen(*list)
            && ngx_strncmp(word->data, *list, word->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
