
/*
 * The target of a redis check.  The result of parsing, written in full, must
 * be parsed to the same result.
 */


#include "fuzz.h"
#include <ngx_gate_check_redis_target.h>


static void fuzz_check(ngx_conf_t *cf, ngx_gate_check_redis_target_t *target,
    ngx_uint_t sentinels);
static u_char *fuzz_write(u_char *p, ngx_gate_check_redis_target_t *target);
static u_char *fuzz_encode(u_char *p, ngx_str_t *text);
static ngx_uint_t fuzz_same(ngx_str_t *a, ngx_str_t *b);


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    ngx_str_t                      text;
    ngx_conf_t                     cf;
    ngx_uint_t                     sentinels;
    ngx_gate_check_redis_target_t  target;

    if (size == 0 || fuzz_conf(&cf) != NGX_OK) {
        return 0;
    }

    sentinels = (data[0] == 's');

    text.len = size - 1;
    text.data = ngx_pnalloc(cf.pool, size);

    if (text.data) {
        ngx_memcpy(text.data, data + 1, size - 1);

        if (ngx_gate_check_redis_target_parse(&cf, &text, sentinels, &target)
            == NULL)
        {
            fuzz_check(&cf, &target, sentinels);
        }
    }

    ngx_destroy_pool(cf.pool);

    return 0;
}


static void
fuzz_check(ngx_conf_t *cf, ngx_gate_check_redis_target_t *target,
    ngx_uint_t sentinels)
{
    size_t                         size;
    ngx_str_t                      text;
    ngx_uint_t                     i;
    ngx_gate_endpoint_t           *a, *b;
    ngx_gate_check_redis_target_t  other;

    static ngx_str_t  unix_host = ngx_string("unix");

    fuzz_assert(target->nservers > 0);
    fuzz_assert(target->nservers == 1 || sentinels);

    size = 100 + 3 * (target->user.len + target->password.len);

    for (i = 0; i < target->nservers; i++) {
        size += target->servers[i].host.len + target->servers[i].path.len + 20;

        if (fuzz_same(&target->servers[i].host, &unix_host)) {
            /* with a port it could not be distinguished from a socket */
            return;
        }
    }

    text.data = ngx_pnalloc(cf->pool, size);

    if (text.data == NULL) {
        return;
    }

    text.len = fuzz_write(text.data, target) - text.data;

    fuzz_assert(ngx_gate_check_redis_target_parse(cf, &text, sentinels, &other)
                == NULL);
    fuzz_assert(other.tls == target->tls);
    fuzz_assert(other.database == target->database);
    fuzz_assert(other.nservers == target->nservers);
    fuzz_assert(fuzz_same(&other.user, &target->user));
    fuzz_assert(fuzz_same(&other.password, &target->password));

    for (i = 0; i < target->nservers; i++) {
        a = &target->servers[i];
        b = &other.servers[i];

        fuzz_assert(a->port == b->port);
        fuzz_assert(fuzz_same(&a->host, &b->host));
        fuzz_assert(fuzz_same(&a->path, &b->path));
    }
}


static u_char *
fuzz_write(u_char *p, ngx_gate_check_redis_target_t *target)
{
    ngx_uint_t            i;
    ngx_gate_endpoint_t  *server;

    server = target->servers;

    p = ngx_sprintf(p, "%s", server->path.len ? "unix:"
                             : target->tls ? "rediss://" : "redis://");

    if (target->user.len || target->password.len) {
        p = fuzz_encode(p, &target->user);

        if (target->password.len) {
            *p++ = ':';
            p = fuzz_encode(p, &target->password);
        }

        *p++ = '@';
    }

    if (server->path.len) {
        p = ngx_sprintf(p, "%V", &server->path);
    }

    for (i = 0; i < target->nservers && server->path.len == 0; i++) {
        server = &target->servers[i];

        p = ngx_sprintf(p, ngx_strlchr(server->host.data,
                                       server->host.data + server->host.len,
                                       ':')
                           ? "%s[%V]:%ui" : "%s%V:%ui",
                        i ? "," : "", &server->host,
                        (ngx_uint_t) server->port);
    }

    if (target->database != NGX_GATE_NONE) {
        p = ngx_sprintf(p, "?db=%ui", target->database);
    }

    return p;
}


static u_char *
fuzz_encode(u_char *p, ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        p = ngx_sprintf(p, "%%%02Xd", (int) text->data[i]);
    }

    return p;
}


static ngx_uint_t
fuzz_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}
