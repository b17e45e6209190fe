
/*
 * Which way a name goes: an address, localhost, nginx's resolver, or as the
 * host would; see ngx_gate_resolve.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_resolve.h>
#include <ngx_gate_host.h>


#define NGX_GATE_RESOLVE_TIMEOUT  10000   /* of one name, ms */


static ngx_int_t ngx_gate_resolve_hosts(ngx_gate_resolve_t *resolve,
    ngx_str_t *name);
static void ngx_gate_resolve_add(ngx_gate_resolve_t *resolve,
    const char *address);
static ngx_uint_t ngx_gate_resolve_is_localhost(ngx_str_t *name);
static ngx_int_t ngx_gate_resolve_next(ngx_gate_resolve_t *resolve);
static ngx_int_t ngx_gate_resolve_candidate(ngx_gate_resolve_t *resolve,
    ngx_str_t *name);
static ngx_int_t ngx_gate_resolve_query(ngx_gate_resolve_t *resolve,
    ngx_resolver_t *r, ngx_str_t *name);
static void ngx_gate_resolve_handler(ngx_resolver_ctx_t *ctx);
static void ngx_gate_resolve_answered(ngx_event_t *ev);
static ngx_int_t ngx_gate_resolve_evaluate(ngx_gate_resolve_t *resolve);
static ngx_int_t ngx_gate_resolve_fail(ngx_gate_resolve_t *resolve,
    ngx_gate_reason_e reason, const char *text);
static void ngx_gate_resolve_release(ngx_gate_resolve_t *resolve);


ngx_int_t
ngx_gate_resolve_start(ngx_gate_resolve_t *resolve)
{
    ngx_str_t        name;
    ngx_uint_t       localhost;
    ngx_gate_host_t  *host;

    ngx_gate_resolve_cancel(resolve);

    resolve->naddrs = 0;
    resolve->reason = NGX_GATE_OK;
    ngx_str_null(&resolve->error);

    name = resolve->name;

    if (ngx_gate_endpoint_parse_address(&name, resolve->port,
                                        &resolve->addrs[0],
                                        &resolve->socklens[0])
        == NGX_OK)
    {
        resolve->naddrs = 1;
        return NGX_OK;
    }

    if (name.len == 0 || name.len > NGX_GATE_ENDPOINT_HOST_MAX) {
        return ngx_gate_resolve_fail(resolve, NGX_GATE_DNS,
                                     "invalid host name");
    }

    if (resolve->resolver && resolve->resolver->connections.nelts == 0) {

        /* the "resolver" directive was not given */

        resolve->resolver = NULL;
    }

    localhost = ngx_gate_resolve_is_localhost(&name);

    if (resolve->resolver == NULL || localhost) {
        if (ngx_gate_resolve_hosts(resolve, &name) == NGX_OK) {
            return NGX_OK;
        }
    }

    if (localhost) {
        ngx_gate_resolve_add(resolve, "127.0.0.1");
        ngx_gate_resolve_add(resolve, "::1");
        return NGX_OK;
    }

    if (resolve->resolver == NULL) {
        host = ngx_gate_host_get();

        if (host == NULL) {
            return ngx_gate_resolve_fail(resolve, NGX_GATE_NO_MEMORY,
                                         "no memory");
        }

        resolve->host = host;

        if (host->resolver == NULL) {
            return ngx_gate_resolve_fail(resolve, NGX_GATE_DNS,
                                         "host not found (no name servers in "
                                         NGX_GATE_RESOLV_CONF ")");
        }
    }

    resolve->candidate = 0;
    resolve->troubled = 0;

    return ngx_gate_resolve_next(resolve);
}


void
ngx_gate_resolve_cancel(ngx_gate_resolve_t *resolve)
{
    if (resolve->ctx) {
        ngx_resolve_name_done(resolve->ctx);
        resolve->ctx = NULL;
    }

    if (resolve->answered.posted) {
        ngx_delete_posted_event(&resolve->answered);
    }

    ngx_gate_resolve_release(resolve);
}


static ngx_int_t
ngx_gate_resolve_hosts(ngx_gate_resolve_t *resolve, ngx_str_t *name)
{
    ngx_uint_t  i;

    resolve->naddrs = ngx_gate_host_find(name, resolve->addrs,
                                         resolve->socklens,
                                         NGX_GATE_RESOLVE_MAX);

    for (i = 0; i < resolve->naddrs; i++) {
        ngx_inet_set_port(&resolve->addrs[i].sockaddr, resolve->port);
    }

    return resolve->naddrs ? NGX_OK : NGX_DECLINED;
}


static void
ngx_gate_resolve_add(ngx_gate_resolve_t *resolve, const char *address)
{
    ngx_str_t   text;
    ngx_uint_t  n;

    n = resolve->naddrs;

    text.data = (u_char *) address;
    text.len = ngx_strlen(address);

    if (ngx_gate_endpoint_parse_address(&text, resolve->port,
                                        &resolve->addrs[n],
                                        &resolve->socklens[n])
        == NGX_OK)
    {
        resolve->naddrs++;
    }
}


static ngx_uint_t
ngx_gate_resolve_is_localhost(ngx_str_t *name)
{
    size_t  len;

    len = name->len;

    if (name->data[len - 1] == '.') {
        len--;
    }

    if (len < 9 || ngx_strncasecmp(&name->data[len - 9],
                                   (u_char *) "localhost", 9)
                   != 0)
    {
        return 0;
    }

    return len == 9 || name->data[len - 10] == '.';
}


/* asks for one candidate name after the other until one has to be awaited */

static ngx_int_t
ngx_gate_resolve_next(ngx_gate_resolve_t *resolve)
{
    ngx_int_t         rc;
    ngx_str_t         name;
    ngx_resolver_t   *r;
    ngx_gate_host_t  *host;

    host = resolve->host;
    r = host ? host->resolver : resolve->resolver;

    do {
        rc = ngx_gate_resolve_candidate(resolve, &name);

        if (rc == NGX_DONE) {
            return ngx_gate_resolve_fail(resolve, NGX_GATE_DNS,
                                         resolve->troubled
                                         ? "name server failure"
                                         : "host not found");
        }

        if (rc == NGX_DECLINED) {
            rc = NGX_AGAIN;
            continue;
        }

        rc = ngx_gate_resolve_query(resolve, r, &name);

        if (rc == NGX_OK) {
            rc = ngx_gate_resolve_evaluate(resolve);

        } else if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

    } while (rc == NGX_AGAIN);

    return rc;
}


/*
 * The next name to ask for: as the C library does, the name itself comes
 * first if it has ndots dots, and last otherwise; NGX_DECLINED: too long.
 */

static ngx_int_t
ngx_gate_resolve_candidate(ngx_gate_resolve_t *resolve, ngx_str_t *name)
{
    size_t                   i;
    u_char                  *p;
    ngx_str_t               *domain;
    ngx_uint_t               n, dots, nsearch, itself;
    ngx_gate_host_t         *host;
    ngx_gate_resolv_conf_t  *conf;

    host = resolve->host;
    conf = host ? &host->conf : NULL;
    nsearch = conf ? conf->nsearch : 0;
    itself = 0;

    if (resolve->name.data[resolve->name.len - 1] == '.') {
        nsearch = 0;
    }

    if (nsearch) {
        dots = 0;

        for (i = 0; i < resolve->name.len; i++) {
            if (resolve->name.data[i] == '.') {
                dots++;
            }
        }

        itself = (dots >= conf->ndots) ? 0 : nsearch;
    }

    n = resolve->candidate++;

    if (n > nsearch) {
        return NGX_DONE;
    }

    /* nginx's resolver writes to the name */

    name->data = resolve->buf;
    p = ngx_cpymem(name->data, resolve->name.data, resolve->name.len);

    if (n != itself) {
        domain = &conf->search[n > itself ? n - 1 : n];

        if (resolve->name.len + 1 + domain->len > NGX_GATE_ENDPOINT_HOST_MAX) {
            return NGX_DECLINED;
        }

        *p++ = '.';
        p = ngx_cpymem(p, domain->data, domain->len);
    }

    name->len = p - name->data;

    return NGX_OK;
}


/* NGX_OK: answered, in resolve->state; NGX_AGAIN: will be */

static ngx_int_t
ngx_gate_resolve_query(ngx_gate_resolve_t *resolve, ngx_resolver_t *r,
    ngx_str_t *name)
{
    ngx_int_t            rc;
    ngx_resolver_ctx_t  *ctx;

    ctx = ngx_resolve_start(r, NULL);

    if (ctx == NULL) {
        return ngx_gate_resolve_fail(resolve, NGX_GATE_NO_MEMORY, "no memory");
    }

    if (ctx == NGX_NO_RESOLVER) {
        return ngx_gate_resolve_fail(resolve, NGX_GATE_DNS,
                                     "no name servers");
    }

    ctx->name = *name;
    ctx->handler = ngx_gate_resolve_handler;
    ctx->data = resolve;
    ctx->timeout = NGX_GATE_RESOLVE_TIMEOUT;
    ctx->cancelable = 1;

    resolve->ctx = ctx;
    resolve->starting = 1;

    rc = ngx_resolve_name(ctx);

    resolve->starting = 0;

    if (rc != NGX_OK) {
        resolve->ctx = NULL;
        return ngx_gate_resolve_fail(resolve, NGX_GATE_NO_MEMORY,
                                     "could not ask the name server");
    }

    return resolve->ctx ? NGX_AGAIN : NGX_OK;
}


static void
ngx_gate_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_gate_resolve_t *resolve = ctx->data;

    ngx_uint_t            i, n;
    ngx_resolver_addr_t  *addr;

    resolve->state = ctx->state;

    if (ctx->state == NGX_OK) {
        n = ngx_min(ctx->naddrs, NGX_GATE_RESOLVE_MAX);

        for (i = 0; i < n; i++) {
            addr = &ctx->addrs[i];

            ngx_memcpy(&resolve->addrs[i], addr->sockaddr, addr->socklen);
            resolve->socklens[i] = addr->socklen;
            ngx_inet_set_port(&resolve->addrs[i].sockaddr, resolve->port);
        }

        resolve->naddrs = n;
    }

    ngx_resolve_name_done(ctx);
    resolve->ctx = NULL;

    if (resolve->starting) {
        return;
    }

    /*
     * The resolver is walking the list of all who wait for this name: what
     * happens next might cancel one of them, so it happens later.
     */

    ngx_gate_event_init(&resolve->answered, ngx_gate_resolve_answered,
                        resolve->log);

    ngx_post_event(&resolve->answered, &ngx_posted_next_events);
}


static void
ngx_gate_resolve_answered(ngx_event_t *ev)
{
    ngx_int_t            rc;
    ngx_gate_resolve_t  *resolve;

    resolve = ngx_queue_data(ev, ngx_gate_resolve_t, answered);

    rc = ngx_gate_resolve_evaluate(resolve);

    if (rc == NGX_AGAIN) {
        rc = ngx_gate_resolve_next(resolve);
    }

    if (rc != NGX_AGAIN) {
        resolve->handler(resolve);
    }
}


/* NGX_AGAIN: another candidate may do better */

static ngx_int_t
ngx_gate_resolve_evaluate(ngx_gate_resolve_t *resolve)
{
    switch (resolve->state) {

    case NGX_OK:
        if (resolve->naddrs == 0) {
            return NGX_AGAIN;
        }

        ngx_gate_resolve_release(resolve);
        return NGX_OK;

    case NGX_RESOLVE_NXDOMAIN:
        return NGX_AGAIN;

    case NGX_RESOLVE_TIMEDOUT:
        return ngx_gate_resolve_fail(resolve, NGX_GATE_DNS,
                                     "no answer from the name server");

    default:
        resolve->troubled = 1;
        return NGX_AGAIN;
    }
}


static ngx_int_t
ngx_gate_resolve_fail(ngx_gate_resolve_t *resolve, ngx_gate_reason_e reason,
    const char *text)
{
    ngx_gate_resolve_release(resolve);

    resolve->naddrs = 0;
    resolve->reason = reason;
    resolve->error.data = (u_char *) text;
    resolve->error.len = ngx_strlen(text);

    return NGX_ERROR;
}


static void
ngx_gate_resolve_release(ngx_gate_resolve_t *resolve)
{
    if (resolve->host) {
        ngx_gate_host_release(resolve->host);
        resolve->host = NULL;
    }
}
