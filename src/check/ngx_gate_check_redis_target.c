
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The target of a redis check.
 */


#include <ngx_gate_check_redis_target.h>
#include <ngx_gate_uri.h>


#define NGX_GATE_CHECK_REDIS_TARGET_DATABASE_MAX  0x7fffffff


typedef struct {
    ngx_str_t                 text;
    ngx_uint_t                tls;
} ngx_gate_check_redis_target_scheme_t;


static ngx_uint_t ngx_gate_check_redis_target_scheme(ngx_str_t *rest,
    ngx_uint_t *tls);
static char *ngx_gate_check_redis_target_unix(ngx_conf_t *cf, ngx_str_t *rest,
    ngx_gate_check_redis_target_t *target);
static char *ngx_gate_check_redis_target_hosts(ngx_conf_t *cf, ngx_str_t *rest,
    ngx_uint_t sentinels, ngx_gate_check_redis_target_t *target);
static char *ngx_gate_check_redis_target_host(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t sentinels, ngx_gate_check_redis_target_t *target);
static char *ngx_gate_check_redis_target_query(ngx_str_t *rest,
    ngx_gate_check_redis_target_t *target);
static char *ngx_gate_check_redis_target_path(ngx_str_t *rest, ngx_str_t *hosts,
    ngx_gate_check_redis_target_t *target);
static char *ngx_gate_check_redis_target_user(ngx_conf_t *cf, ngx_str_t *hosts,
    ngx_gate_check_redis_target_t *target);
static char *ngx_gate_check_redis_target_decode(ngx_conf_t *cf, ngx_str_t *text,
    ngx_str_t *decoded);


static ngx_gate_check_redis_target_scheme_t
    ngx_gate_check_redis_target_schemes[] = {

    { ngx_string("redis://"), 0 },
    { ngx_string("rediss://"), 1 },
    { ngx_null_string, 0 }
};


char *
ngx_gate_check_redis_target_parse(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t sentinels, ngx_gate_check_redis_target_t *target)
{
    char       *err;
    ngx_str_t   rest;

    ngx_memzero(target, sizeof(ngx_gate_check_redis_target_t));
    target->database = NGX_GATE_NONE;

    rest = *text;

    err = ngx_gate_check_redis_target_query(&rest, target);

    if (err) {
        return err;
    }

    if (ngx_gate_check_redis_target_scheme(&rest, &target->tls)) {
        return ngx_gate_check_redis_target_hosts(cf, &rest, sentinels, target);
    }

    if (rest.len >= 5 && ngx_strncasecmp(rest.data, (u_char *) "unix:", 5) == 0)
    {
        rest.data += 5;
        rest.len -= 5;

        return ngx_gate_check_redis_target_unix(cf, &rest, target);
    }

    if (sentinels) {
        return ngx_gate_check_redis_target_hosts(cf, &rest, sentinels, target);
    }

    return "does not begin with \"redis://\", \"rediss://\" or \"unix:\"";
}


static ngx_uint_t
ngx_gate_check_redis_target_scheme(ngx_str_t *rest, ngx_uint_t *tls)
{
    ngx_gate_check_redis_target_scheme_t  *scheme;

    for (scheme = ngx_gate_check_redis_target_schemes;
         scheme->text.len;
         scheme++)
    {
        if (rest->len < scheme->text.len
            || ngx_strncasecmp(rest->data, scheme->text.data,
                               scheme->text.len)
               != 0)
        {
            continue;
        }

        rest->data += scheme->text.len;
        rest->len -= scheme->text.len;

        *tls = scheme->tls;

        return 1;
    }

    return 0;
}


static char *
ngx_gate_check_redis_target_unix(ngx_conf_t *cf, ngx_str_t *rest,
    ngx_gate_check_redis_target_t *target)
{
    char       *err;
    u_char     *p;
    ngx_str_t   text;

    if (rest->len > 2 && rest->data[0] == '/' && rest->data[1] == '/') {
        rest->data += 2;
        rest->len -= 2;
    }

    /* the path may contain "@" */

    p = ngx_strlchr(rest->data, rest->data + rest->len, '/');

    if (p == NULL) {
        return "has no absolute path of a socket after \"unix:\"";
    }

    text.len = p - rest->data;
    text.data = rest->data;

    if (text.len) {

        if (p[-1] != '@') {
            return "has no absolute path of a socket after \"unix:\"";
        }

        err = ngx_gate_check_redis_target_user(cf, &text, target);

        if (err) {
            return err;
        }
    }

    while (p + 1 < rest->data + rest->len && p[1] == '/') {
        p++;
    }

    rest->len -= p - rest->data;
    rest->data = p;

    text.len = sizeof("unix:") - 1 + rest->len;
    text.data = ngx_pnalloc(cf->pool, text.len);

    if (text.data == NULL) {
        return "cannot be parsed: no memory";
    }

    ngx_sprintf(text.data, "unix:%V", rest);

    target->nservers = 1;

    return ngx_gate_endpoint_parse(cf, &target->servers[0], &text, 0);
}


static char *
ngx_gate_check_redis_target_hosts(ngx_conf_t *cf, ngx_str_t *rest,
    ngx_uint_t sentinels, ngx_gate_check_redis_target_t *target)
{
    char       *err;
    u_char     *p;
    ngx_str_t   hosts, host;

    err = ngx_gate_check_redis_target_path(rest, &hosts, target);

    if (err) {
        return err;
    }

    err = ngx_gate_check_redis_target_user(cf, &hosts, target);

    if (err) {
        return err;
    }

    for ( ;; ) {
        p = ngx_strlchr(hosts.data, hosts.data + hosts.len, ',');

        host.data = hosts.data;
        host.len = p ? (size_t) (p - hosts.data) : hosts.len;

        err = ngx_gate_check_redis_target_host(cf, &host, sentinels, target);

        if (err || p == NULL) {
            return err;
        }

        hosts.data += host.len + 1;
        hosts.len -= host.len + 1;
    }
}


static char *
ngx_gate_check_redis_target_host(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t sentinels, ngx_gate_check_redis_target_t *target)
{
    in_port_t             port;
    ngx_gate_endpoint_t  *endpoint;

    if (target->nservers == NGX_GATE_CHECK_REDIS_TARGET_SERVERS_MAX) {
        return "has more than 16 servers";
    }

    if (target->nservers && !sentinels) {
        return "has several servers, which requires \"sentinel=\"";
    }

    if (text->len >= 5 && ngx_strncmp(text->data, "unix:", 5) == 0) {
        return "mixes hosts and sockets";
    }

    port = sentinels ? NGX_GATE_CHECK_REDIS_TARGET_SENTINEL_PORT
           : NGX_GATE_CHECK_REDIS_TARGET_PORT;

    endpoint = &target->servers[target->nservers++];

    return ngx_gate_endpoint_parse(cf, endpoint, text, port);
}


/* "?db=3" */

static char *
ngx_gate_check_redis_target_query(ngx_str_t *rest,
    ngx_gate_check_redis_target_t *target)
{
    u_char     *p;
    ngx_str_t   number;

    p = ngx_strlchr(rest->data, rest->data + rest->len, '?');

    if (p == NULL) {
        return NULL;
    }

    number.data = p + sizeof("?db=") - 1;
    number.len = rest->data + rest->len - number.data;

    if ((size_t) (rest->data + rest->len - p) < sizeof("?db=") - 1
        || ngx_strncmp(p, "?db=", sizeof("?db=") - 1) != 0)
    {
        return "has a parameter other than \"db=N\" after \"?\" (\"?\" "
               "is \"%3F\" in a password)";
    }

    target->database = ngx_gate_check_redis_target_database(&number);

    if (target->database == NGX_GATE_NONE) {
        return "has an invalid number of a database";
    }

    rest->len = p - rest->data;

    return NULL;
}


/* cuts off "/3", or "/" alone */

static char *
ngx_gate_check_redis_target_path(ngx_str_t *rest, ngx_str_t *hosts,
    ngx_gate_check_redis_target_t *target)
{
    u_char     *p, *last;
    ngx_str_t   number;

    *hosts = *rest;

    last = rest->data + rest->len;

    p = ngx_strlchr(rest->data, last, '/');

    if (p == NULL) {
        return NULL;
    }

    hosts->len = p - rest->data;

    p++;

    if (p == last) {
        return NULL;
    }

    if (ngx_strlchr(p, last, '@')) {
        return "has \"/\" before \"@\" (it is \"%2F\" in a password)";
    }

    if (target->database != NGX_GATE_NONE) {
        return "has two databases";
    }

    number.data = p;
    number.len = last - p;

    target->database = ngx_gate_check_redis_target_database(&number);

    if (target->database == NGX_GATE_NONE) {
        return "has an invalid number of a database";
    }

    return NULL;
}


/* cuts off "user:password@" */

static char *
ngx_gate_check_redis_target_user(ngx_conf_t *cf, ngx_str_t *hosts,
    ngx_gate_check_redis_target_t *target)
{
    char       *err;
    u_char     *p;
    ngx_str_t   user, password;

    ngx_gate_uri_cut_userinfo(hosts, &user);

    if (user.data == NULL) {
        return NULL;
    }

    p = ngx_strlchr(user.data, user.data + user.len, ':');

    if (p) {
        password.data = p + 1;
        password.len = user.data + user.len - password.data;
        user.len = p - user.data;

        if (password.len == 0) {
            return "has an empty password";
        }

        err = ngx_gate_check_redis_target_decode(cf, &password,
                                                 &target->password);

        if (err) {
            return err;
        }

    } else if (user.len == 0) {
        return "has neither user nor password before \"@\"";
    }

    return ngx_gate_check_redis_target_decode(cf, &user, &target->user);
}


static char *
ngx_gate_check_redis_target_decode(ngx_conf_t *cf, ngx_str_t *text,
    ngx_str_t *decoded)
{
    switch (ngx_gate_uri_decode(cf->pool, text->data, text->data + text->len,
                                decoded, 0))
    {

    case NGX_OK:
        return NULL;

    case NGX_DECLINED:
        return "has \"%\" without two hexadecimal digits (it is \"%25\" "
               "in a password)";

    default: /* NGX_ERROR */
        return "cannot be parsed: no memory";
    }
}


ngx_uint_t
ngx_gate_check_redis_target_database(ngx_str_t *text)
{
    ngx_int_t  n;

    n = ngx_atoi(text->data, text->len);

    if (n == NGX_ERROR || n > NGX_GATE_CHECK_REDIS_TARGET_DATABASE_MAX) {
        return NGX_GATE_NONE;
    }

    return n;
}
