
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parses a libpq connection string or URI at configuration time.  At run time
 * libpq gets one host and its address at a time, so that it resolves no name.
 */


#include <ngx_gate_pq.h>
#include <ngx_gate_param.h>
#include <pg_config_manual.h>


#define NGX_GATE_PQ_CONF_PORT  "5432"


/* parameters that libpq must not read from elsewhere, unless given */

typedef struct {
    const char  *keyword;
    const char  *value;
} ngx_gate_pq_conf_default_t;


static char *ngx_gate_pq_conf_option(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, PQconninfoOption *option);
static char *ngx_gate_pq_conf_options(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, PQconninfoOption *options);
static char *ngx_gate_pq_conf_role(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, const char *value);
static char *ngx_gate_pq_conf_secrets(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf);
static void ngx_gate_pq_conf_set_defaults(ngx_gate_pq_conf_t *pcf,
    PQconninfoOption *options);
static char *ngx_gate_pq_conf_hosts(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, PQconninfoOption *options);
static char *ngx_gate_pq_conf_host(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, ngx_gate_pq_host_t *host);
static ngx_array_t *ngx_gate_pq_conf_list(ngx_conf_t *cf, const char *value);
static char *ngx_gate_pq_conf_validate(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf);
static char *ngx_gate_pq_conf_key(ngx_conf_t *cf, ngx_gate_pq_conf_t *pcf);
static char *ngx_gate_pq_conf_error(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, const char *text);
static const char *ngx_gate_pq_conf_quote(ngx_gate_pq_conf_t *pcf,
    const char *value);
static ngx_uint_t ngx_gate_pq_conf_has_secret(ngx_gate_pq_conf_t *pcf);
static const char *ngx_gate_pq_conf_get(ngx_gate_pq_conf_t *pcf,
    const char *keyword);
static char *ngx_gate_pq_conf_copy(ngx_conf_t *cf, const char *text);


/*
 * The default of libpq for "sslmode" is "prefer", which costs another
 * connection whenever the first one is refused, and hides the cause.  Here
 * the second connection is opened only if the server requires TLS.
 */

static ngx_gate_pq_conf_default_t  ngx_gate_pq_conf_defaults[] = {
    { "application_name", "nginx-init-gate" },
    { "sslmode", "disable" },
    { "gssencmode", "disable" },
    { "require_auth", "!gss,!sspi" },
    { "target_session_attrs", "any" },
    { "client_encoding", "UTF8" },
    { NULL, NULL }
};


char *
ngx_gate_pq_conf_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf)
{
    char              *rv, *error;
    ngx_str_t          uri;
    PQconninfoOption  *options;

    error = ngx_gate_pq_library_load();

    if (error) {
        return ngx_gate_param_error(cf, check, "cannot load PostgreSQL's "
                                    "library, which is in the package libpq5 "
                                    "(14 or later): %s", error);
    }

    if (ngx_gate_pq_uri_parse(cf, check, pcf, &uri) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    /* a string of the configuration ends with a zero */

    options = libpq.PQconninfoParse((char *) uri.data, &error);

    if (options == NULL) {
        rv = ngx_gate_pq_conf_error(cf, check, pcf,
                                    error ? error : "no memory");
        libpq.PQfreemem(error);
        return rv;
    }

    rv = ngx_gate_pq_conf_options(cf, check, pcf, options);

    if (rv == NGX_CONF_OK) {
        rv = ngx_gate_pq_conf_hosts(cf, check, pcf, options);
    }

    if (rv == NGX_CONF_OK) {
        ngx_gate_pq_conf_set_defaults(pcf, options);
    }

    libpq.PQconninfoFree(options);

    if (rv != NGX_CONF_OK
        || ngx_gate_pq_conf_secrets(cf, check, pcf) != NGX_CONF_OK
        || ngx_gate_pq_conf_validate(cf, check, pcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_gate_pq_conf_key(cf, pcf);
}


static char *
ngx_gate_pq_conf_options(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, PQconninfoOption *options)
{
    ngx_uint_t         n;
    PQconninfoOption  *option;

    n = sizeof(ngx_gate_pq_conf_defaults) / sizeof(ngx_gate_pq_conf_default_t);

    for (option = options; option->keyword; option++) {
        if (option->val) {
            n++;
        }
    }

    if (n + 1 > NGX_GATE_PQ_OPTIONS) {
        return ngx_gate_param_error(cf, check, "too many keywords in the "
                                    "connection string");
    }

    /* one more for "passfile"; libpq expects a terminating NULL */

    pcf->keywords = ngx_pcalloc(cf->pool, (n + 2) * sizeof(char *));
    pcf->values = ngx_pcalloc(cf->pool, (n + 2) * sizeof(char *));

    if (pcf->keywords == NULL || pcf->values == NULL) {
        return NGX_CONF_ERROR;
    }

    for (option = options; option->keyword; option++) {

        if (option->val == NULL || option->val[0] == '\0') {
            continue;
        }

        if (ngx_gate_pq_conf_option(cf, check, pcf, option) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_pq_conf_option(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, PQconninfoOption *option)
{
    char        *value;
    const char  *keyword;

    keyword = option->keyword;

    value = ngx_gate_pq_conf_copy(cf, option->val);

    if (value == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strcmp(keyword, "host") == 0
        || ngx_strcmp(keyword, "hostaddr") == 0
        || ngx_strcmp(keyword, "port") == 0)
    {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(keyword, "connect_timeout") == 0) {

        /*
         * ignored: the string may be an application's; "timeout" applies
         * instead
         */

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(keyword, "password") == 0) {
        pcf->password = value;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(keyword, "target_session_attrs") == 0) {
        return ngx_gate_pq_conf_role(cf, check, pcf, value);
    }

    if (ngx_strcmp(keyword, "service") == 0
        || ngx_strcmp(keyword, "replication") == 0)
    {
        return ngx_gate_param_error(cf, check, "\"%s\" is not supported in "
                                    "a connection string", keyword);
    }

    if ((ngx_strcmp(keyword, "gssencmode") == 0
         && ngx_strcmp(value, "disable") != 0)
        || (ngx_strcmp(keyword, "require_auth") == 0
            && strstr(value, "gss") && *value != '!'))
    {
        return ngx_gate_param_error(cf, check, "Kerberos is not supported: "
                                    "\"%s\" is not supported with the value "
                                    "\"%s\"", keyword,
                                    ngx_gate_pq_conf_quote(pcf, value));
    }

    /* quoting is safe only in a known encoding */

    if (ngx_strcmp(keyword, "client_encoding") == 0
        && ngx_strcasecmp((u_char *) value, (u_char *) "utf8") != 0
        && ngx_strcasecmp((u_char *) value, (u_char *) "utf-8") != 0)
    {
        return ngx_gate_param_error(cf, check,
                                    "\"client_encoding\" must be \"UTF8\"");
    }

    pcf->keywords[pcf->noptions] = ngx_gate_pq_conf_copy(cf, keyword);

    if (pcf->keywords[pcf->noptions] == NULL) {
        return NGX_CONF_ERROR;
    }

    pcf->values[pcf->noptions++] = value;

    return NGX_CONF_OK;
}


static char *
ngx_gate_pq_conf_role(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, const char *value)
{
    ngx_uint_t  i;

    static const char  *roles[] = {
        "any", "read-write", "read-only", "primary", "standby",
        "prefer-standby", NULL
    };

    for (i = 0; roles[i]; i++) {
        if (ngx_strcmp(value, roles[i]) == 0) {
            pcf->role = i;
            return NGX_CONF_OK;
        }
    }

    return ngx_gate_param_error(cf, check, "invalid target_session_attrs "
                                "\"%s\", allowed are \"any\", \"read-write\", "
                                "\"read-only\", \"primary\", \"standby\", "
                                "\"prefer-standby\"",
                                ngx_gate_pq_conf_quote(pcf, value));
}


static char *
ngx_gate_pq_conf_secrets(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf)
{
    const char  *passfile;

    passfile = ngx_gate_pq_conf_get(pcf, "passfile");

    if (pcf->passfile.len) {

        if (passfile) {
            return ngx_gate_param_error(cf, check, "\"passfile\" is given in "
                                        "the connection string, too");
        }

        pcf->keywords[pcf->noptions] = "passfile";
        pcf->values[pcf->noptions++] = (char *) pcf->passfile.data;

    } else if (passfile) {
        pcf->passfile.data = (u_char *) passfile;
        pcf->passfile.len = ngx_strlen(passfile);
    }

    if ((pcf->password != NULL) + (pcf->passfile.len != 0)
        + (pcf->password_file.len != 0) > 1)
    {
        return ngx_gate_param_error(cf, check, "only one of a password in "
                                    "the connection string, \"passfile\" and "
                                    "\"password_file\" is allowed");
    }

    if (pcf->password) {
        ngx_gate_param_warn(cf, check, "the connection string contains a "
                            "password, \"password_file=\" keeps it out of the "
                            "configuration");
    }

    ngx_gate_param_warn_missing(cf, check, "password_file",
                                &pcf->password_file);
    ngx_gate_param_warn_missing(cf, check, "passfile", &pcf->passfile);

    return NGX_CONF_OK;
}


static void
ngx_gate_pq_conf_set_defaults(ngx_gate_pq_conf_t *pcf,
    PQconninfoOption *options)
{
    PQconninfoOption            *option;
    ngx_gate_pq_conf_default_t  *d;

    pcf->sslmode = NGX_GATE_NONE;

    for (d = ngx_gate_pq_conf_defaults; d->keyword; d++) {

        /* some versions of libpq do not have all of them */

        for (option = options; option->keyword; option++) {
            if (ngx_strcmp(option->keyword, d->keyword) == 0) {
                break;
            }
        }

        if (option->keyword && ngx_gate_pq_conf_get(pcf, d->keyword) == NULL) {
            if (ngx_strcmp(d->keyword, "sslmode") == 0) {
                pcf->sslmode = pcf->noptions;
            }

            pcf->keywords[pcf->noptions] = d->keyword;
            pcf->values[pcf->noptions++] = d->value;
        }
    }
}


/*
 * As in libpq: comma-separated lists of the same length; a single port is
 * used for all hosts; an empty host is the socket in the default directory.
 */

static char *
ngx_gate_pq_conf_hosts(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, PQconninfoOption *options)
{
    char                **host, **addr, **port;
    ngx_uint_t            i;
    ngx_array_t          *hosts, *addrs, *ports;
    PQconninfoOption     *option;
    ngx_gate_pq_host_t   *h;

    hosts = NULL;
    addrs = NULL;
    ports = NULL;

    for (option = options; option->keyword; option++) {

        if (ngx_strcmp(option->keyword, "host") == 0) {
            hosts = ngx_gate_pq_conf_list(cf, option->val);

        } else if (ngx_strcmp(option->keyword, "hostaddr") == 0) {
            addrs = ngx_gate_pq_conf_list(cf, option->val);

        } else if (ngx_strcmp(option->keyword, "port") == 0) {
            ports = ngx_gate_pq_conf_list(cf, option->val);
        }
    }

    if (hosts == NULL || addrs == NULL || ports == NULL) {
        return NGX_CONF_ERROR;
    }

    pcf->nhosts = ngx_max(ngx_max(hosts->nelts, addrs->nelts), 1);

    if (hosts->nelts && addrs->nelts && hosts->nelts != addrs->nelts) {
        return ngx_gate_param_error(cf, check, "%ui hosts do not match %ui "
                                    "addresses in \"hostaddr\"",
                                    hosts->nelts, addrs->nelts);
    }

    if (ports->nelts > 1 && ports->nelts != pcf->nhosts) {
        return ngx_gate_param_error(cf, check,
                                    "%ui ports do not match %ui hosts",
                                    ports->nelts, pcf->nhosts);
    }

    pcf->hosts = ngx_pcalloc(cf->pool,
                             pcf->nhosts * sizeof(ngx_gate_pq_host_t));
    if (pcf->hosts == NULL) {
        return NGX_CONF_ERROR;
    }

    host = hosts->elts;
    addr = addrs->elts;
    port = ports->elts;

    for (i = 0; i < pcf->nhosts; i++) {
        h = &pcf->hosts[i];

        h->host = (hosts->nelts && *host[i]) ? host[i] : NULL;
        h->addr = (addrs->nelts && *addr[i]) ? addr[i] : NULL;
        h->port = ports->nelts ? port[ports->nelts > 1 ? i : 0] : "";

        if (*h->port == '\0') {
            h->port = NGX_GATE_PQ_CONF_PORT;
        }

        if (ngx_gate_pq_conf_host(cf, check, pcf, h) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_gate_pq_conf_host(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, ngx_gate_pq_host_t *host)
{
    u_char      *p;
    size_t       len;
    ngx_int_t    n;
    ngx_addr_t   addr;
    const char  *name;

    n = ngx_atoi((u_char *) host->port, ngx_strlen(host->port));

    if (n < 1 || n > 65535) {
        return ngx_gate_param_error(cf, check, "invalid port \"%s\"",
                                    ngx_gate_pq_conf_quote(pcf, host->port));
    }

    host->number = (in_port_t) n;

    if (host->host == NULL && host->addr == NULL) {
        host->host = DEFAULT_PGSOCKET_DIR;
    }

    /* "@" is followed by a name, not by a file */

    host->local = host->addr == NULL
                  && (*host->host == '/' || *host->host == '@');

    if (host->addr
        && ngx_parse_addr(cf->temp_pool, &addr, (u_char *) host->addr,
                          ngx_strlen(host->addr))
           != NGX_OK)
    {
        return ngx_gate_param_error(cf, check, "invalid address \"%s\" in "
                                    "\"hostaddr\"",
                                    ngx_gate_pq_conf_quote(pcf, host->addr));
    }

    host->name = host->host;
    len = host->host ? ngx_strlen(host->host) : 0;

    if (len > 1 && host->host[len - 1] == '.' && !host->local) {
        host->name = ngx_gate_pq_conf_copy(cf, host->host);

        if (host->name == NULL) {
            return NGX_CONF_ERROR;
        }

        host->name[len - 1] = '\0';
    }

    name = host->host ? host->host : host->addr;
    len = ngx_strlen(name) + sizeof("[]:65535");

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    host->text.data = p;
    host->text.len = ngx_snprintf(p, len, strchr(name, ':') ? "[%s]:%s"
                                                            : "%s:%s",
                                  name, host->port)
                     - p;

    return NGX_CONF_OK;
}


static ngx_array_t *
ngx_gate_pq_conf_list(ngx_conf_t *cf, const char *value)
{
    char         *p, *item, **slot;
    ngx_array_t  *list;

    list = ngx_array_create(cf->pool, 2, sizeof(char *));

    if (list == NULL || value == NULL || *value == '\0') {
        return list;
    }

    item = ngx_gate_pq_conf_copy(cf, value);

    if (item == NULL) {
        return NULL;
    }

    do {
        slot = ngx_array_push(list);

        if (slot == NULL) {
            return NULL;
        }

        *slot = item;

        p = strchr(item, ',');

        if (p) {
            *p = '\0';
            item = p + 1;
        }

    } while (p);

    return list;
}


/*
 * libpq validates the values when a connection starts.  With an invalid
 * address it only validates them and opens no connection.
 */

static char *
ngx_gate_pq_conf_validate(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf)
{
    char         *rv, **environ_saved, *none[1];
    PGconn       *conn;
    ngx_uint_t    n;
    const char  **keywords, **values;

    none[0] = NULL;

    n = pcf->noptions;

    keywords = ngx_pcalloc(cf->temp_pool, (n + 3) * sizeof(char *));
    values = ngx_pcalloc(cf->temp_pool, (n + 3) * sizeof(char *));

    if (keywords == NULL || values == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(keywords, pcf->keywords, n * sizeof(char *));
    ngx_memcpy(values, pcf->values, n * sizeof(char *));

    keywords[n] = "hostaddr";
    values[n] = "none";
    keywords[n + 1] = "password";   /* libpq must not open a password file */
    values[n + 1] = "none";

    /* a worker may lack variables of the master, such as PGSERVICE */

    environ_saved = environ;
    environ = none;

    conn = libpq.PQconnectStartParams(keywords, values, 0);

    environ = environ_saved;

    if (conn == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = NGX_CONF_OK;

    if (strstr(libpq.PQerrorMessage(conn), "parse network address") == NULL) {
        rv = ngx_gate_pq_conf_error(cf, check, pcf, libpq.PQerrorMessage(conn));
    }

    libpq.PQfinish(conn);

    return rv;
}


/* equal parameters in a different order have the same key */

static char *
ngx_gate_pq_conf_key(ngx_conf_t *cf, ngx_gate_pq_conf_t *pcf)
{
    u_char               *p, *last;
    size_t                len;
    ngx_uint_t            i;
    ngx_gate_pq_host_t   *h;

    len = sizeof("0,") + pcf->password_file.len + 1;
    len += pcf->password ? ngx_strlen(pcf->password) + 1 : 1;

    for (i = 0; i < pcf->noptions; i++) {
        len += ngx_strlen(pcf->keywords[i]) + ngx_strlen(pcf->values[i]) + 2;
    }

    for (i = 0; i < pcf->nhosts; i++) {
        h = &pcf->hosts[i];
        len += h->text.len + (h->addr ? ngx_strlen(h->addr) : 0) + 2;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    last = p + len;
    pcf->key.data = p;

    p = ngx_slprintf(p, last, "%ui,%s%Z%V%Z", (ngx_uint_t) pcf->role,
                     pcf->password ? pcf->password : "", &pcf->password_file);

    for (i = 0; i < pcf->noptions; i++) {
        p = ngx_slprintf(p, last, "%s=%s%Z", pcf->keywords[i],
                         pcf->values[i]);
    }

    for (i = 0; i < pcf->nhosts; i++) {
        h = &pcf->hosts[i];
        p = ngx_slprintf(p, last, "%V,%s%Z", &h->text,
                         h->addr ? h->addr : "");
    }

    pcf->key.len = p - pcf->key.data;

    return NGX_CONF_OK;
}


/*
 * A quoted part may contain a password that was not recognized: if the string
 * has a password, nothing is quoted.
 */

static char *
ngx_gate_pq_conf_error(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_pq_conf_t *pcf, const char *text)
{
    size_t       len;
    ngx_uint_t   secret;
    const char  *p;

    if (ngx_strstr(text, "missing \"=\"")) {
        return ngx_gate_param_error(cf, check, "invalid connection string: "
                                    "it must be \"keyword=value ...\" or "
                                    "\"postgresql://...\"");
    }

    secret = ngx_gate_pq_conf_has_secret(pcf);

    for (p = text; *p && *p != LF && !(secret && *p == '"'); p++) {
        /* void */
    }

    len = p - text;

    return ngx_gate_param_error(cf, check, "invalid connection string: %*s%s",
                                len, text, *p == '"' ? "..." : "");
}


static const char *
ngx_gate_pq_conf_quote(ngx_gate_pq_conf_t *pcf, const char *value)
{
    return ngx_gate_pq_conf_has_secret(pcf) ? "..." : value;
}


static ngx_uint_t
ngx_gate_pq_conf_has_secret(ngx_gate_pq_conf_t *pcf)
{
    ngx_str_t  *text;

    text = &pcf->conninfo;

    /* in a URI, a password may be in place of the port or lack a scheme */

    return ngx_strcasestrn(text->data, "password", 8 - 1) != NULL
           || ngx_strlchr(text->data, text->data + text->len, ':') != NULL
           || ngx_strlchr(text->data, text->data + text->len, '@') != NULL;
}


static const char *
ngx_gate_pq_conf_get(ngx_gate_pq_conf_t *pcf, const char *keyword)
{
    ngx_uint_t  i;

    for (i = 0; i < pcf->noptions; i++) {
        if (ngx_strcmp(pcf->keywords[i], keyword) == 0) {
            return pcf->values[i];
        }
    }

    return NULL;
}


static char *
ngx_gate_pq_conf_copy(ngx_conf_t *cf, const char *text)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(text) + 1;

    p = ngx_pnalloc(cf->pool, len);

    if (p) {
        ngx_memcpy(p, text, len);
    }

    return (char *) p;
}
