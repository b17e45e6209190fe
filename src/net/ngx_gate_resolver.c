
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Resolves a name: a literal address, /etc/hosts, localhost, then the names
 * of the search list in order, until one has an address.
 *
 * IPv4 and IPv6 are queried separately.  The second response may take 50 ms
 * longer than the first, so that a missing response costs no more.  If the
 * name exists but has no IPv4 address, the IPv6 response is awaited.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_addresses.h>
#include <ngx_gate_resolver.h>
#include <ngx_gate_resolver_channel.h>


#define NGX_GATE_RESOLVER_GRACE  50      /* for the second family, ms */
#define NGX_GATE_RESOLVER_PORT   53

#define NGX_GATE_RESOLVER_V4     0
#define NGX_GATE_RESOLVER_V6     1

#define NGX_GATE_RESOLVER_WAITING  (-1)  /* not a status of c-ares */


/* the query for one family of a name */

typedef struct {
    ngx_gate_resolver_lookup_t  *lookup;
    int                          status;
} ngx_gate_resolver_family_t;


/* a query of c-ares cannot be canceled: this lives until its callback */

struct ngx_gate_resolver_lookup_s {
    ngx_gate_resolver_ctx_t     *ctx;        /* NULL: canceled */
    ngx_gate_resolver_family_t   families[2];
    ngx_uint_t                   pending;
    ngx_gate_reason_e            reason;     /* of ARES_EDESTRUCTION */
};


static ngx_int_t ngx_gate_resolver_hosts(ngx_gate_resolver_ctx_t *ctx);
static void ngx_gate_resolver_hosts_handler(void *arg, int status,
    int timeouts, struct ares_addrinfo *ai);
static void ngx_gate_resolver_add_addresses(ngx_gate_resolver_ctx_t *ctx,
    struct ares_addrinfo *ai);
static void ngx_gate_resolver_add_loopback(ngx_gate_resolver_ctx_t *ctx,
    const char *address);
static ngx_uint_t ngx_gate_resolver_below_localhost(ngx_str_t *name);

static ngx_int_t ngx_gate_resolver_next(ngx_gate_resolver_ctx_t *ctx);
static ngx_int_t ngx_gate_resolver_ask(ngx_gate_resolver_ctx_t *ctx,
    ngx_gate_resolver_channel_t *channel, const char *name);
static void ngx_gate_resolver_answered(void *arg, int status, int timeouts,
    struct ares_addrinfo *ai);
static void ngx_gate_resolver_handler(ngx_event_t *ev);
static ngx_int_t ngx_gate_resolver_evaluate(ngx_gate_resolver_ctx_t *ctx);
static ngx_int_t ngx_gate_resolver_conclude(ngx_gate_resolver_ctx_t *ctx);
static ngx_int_t ngx_gate_resolver_found(ngx_gate_resolver_ctx_t *ctx);
static ngx_int_t ngx_gate_resolver_fail(ngx_gate_resolver_ctx_t *ctx,
    ngx_gate_reason_e reason, const char *text);


ngx_int_t
ngx_gate_resolver_add(ngx_conf_t *cf, ngx_gate_resolver_t *resolver,
    ngx_str_t *address)
{
    size_t                len;
    u_char               *p;
    socklen_t             socklen;
    ngx_sockaddr_t        sa;
    ngx_gate_endpoint_t   endpoint;

    if (ngx_gate_endpoint_parse(cf, &endpoint, address, NGX_GATE_RESOLVER_PORT)
        != NULL
        || ngx_gate_endpoint_parse_address(&endpoint.host, endpoint.port, &sa,
                                           &socklen)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(cf->pool, resolver->servers.len + sizeof(",")
                              + NGX_SOCKADDR_STRLEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    len = resolver->servers.len;

    if (len) {
        ngx_memcpy(p, resolver->servers.data, len);
        p[len++] = ',';
    }

    len += ngx_sock_ntop(&sa.sockaddr, socklen, p + len, NGX_SOCKADDR_STRLEN,
                         1);
    p[len] = '\0';

    resolver->servers.data = p;
    resolver->servers.len = len;
    resolver->nservers++;

    return NGX_OK;
}


ngx_uint_t
ngx_gate_resolver_same(ngx_gate_resolver_t *a, ngx_gate_resolver_t *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }

    return ngx_gate_str_eq(&a->servers, &b->servers);
}


ngx_int_t
ngx_gate_resolver_start(ngx_gate_resolver_ctx_t *ctx)
{
    ngx_uint_t  below;

    ngx_gate_resolver_cancel(ctx);

    ctx->naddrs = 0;
    ctx->error.len = 0;
    ctx->channel = 0;

    if (ngx_gate_endpoint_parse_address(&ctx->name, ctx->port, &ctx->addrs[0],
                                        &ctx->socklens[0])
        == NGX_OK)
    {
        ctx->naddrs = 1;
        return NGX_OK;
    }

    if (ctx->name.len == 0 || ctx->name.len > NGX_GATE_ENDPOINT_HOST_MAX) {
        return ngx_gate_resolver_fail(ctx, NGX_GATE_DNS, "invalid host name");
    }

    below = ngx_gate_resolver_below_localhost(&ctx->name);

    /* c-ares 1.18 leaks memory if "localhost" is not in /etc/hosts */

    if (below != 0 && ngx_gate_resolver_hosts(ctx) == NGX_ERROR) {
        return ngx_gate_resolver_fail(ctx, NGX_GATE_NO_MEMORY, "no memory");
    }

    if (below != NGX_GATE_NONE && ctx->naddrs == 0) {
        ngx_gate_resolver_add_loopback(ctx, "127.0.0.1");
        ngx_gate_resolver_add_loopback(ctx, "::1");
    }

    if (ctx->naddrs) {
        return ngx_gate_resolver_found(ctx);
    }

    return ngx_gate_resolver_next(ctx);
}


void
ngx_gate_resolver_exit(void)
{
    ngx_gate_resolver_channel_exit();
}


static ngx_int_t
ngx_gate_resolver_hosts(ngx_gate_resolver_ctx_t *ctx)
{
    u_char                        name[NGX_GATE_ENDPOINT_HOST_MAX + 1];
    ngx_gate_resolver_channel_t  *channel;

    channel = ngx_gate_resolver_channel_hosts();

    if (channel == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(name, ctx->name.data, ctx->name.len + 1);

    ngx_gate_resolver_channel_ask(channel, (char *) name, AF_UNSPEC,
                                  ngx_gate_resolver_hosts_handler, ctx);
    return NGX_OK;
}


static void
ngx_gate_resolver_hosts_handler(void *arg, int status, int timeouts,
    struct ares_addrinfo *ai)
{
    if (status == ARES_SUCCESS) {
        ngx_gate_resolver_add_addresses(arg, ai);
    }

    if (ai) {
        ares_freeaddrinfo(ai);
    }
}


static void
ngx_gate_resolver_add_addresses(ngx_gate_resolver_ctx_t *ctx,
    struct ares_addrinfo *ai)
{
    ngx_uint_t                  n;
    struct ares_addrinfo_node  *node;

    for (node = ai->nodes; node; node = node->ai_next) {

        n = ctx->naddrs;

        if (n == NGX_GATE_RESOLVER_MAX
            || node->ai_addrlen > (ares_socklen_t) sizeof(ngx_sockaddr_t))
        {
            continue;
        }

        ngx_memcpy(&ctx->addrs[n], node->ai_addr, node->ai_addrlen);
        ngx_inet_set_port(&ctx->addrs[n].sockaddr, ctx->port);

        ctx->socklens[n] = node->ai_addrlen;
        ctx->naddrs++;
    }
}


static void
ngx_gate_resolver_add_loopback(ngx_gate_resolver_ctx_t *ctx,
    const char *address)
{
    ngx_str_t   text;
    ngx_uint_t  n;

    n = ctx->naddrs;

    text.data = (u_char *) address;
    text.len = ngx_strlen(address);

    if (ngx_gate_endpoint_parse_address(&text, ctx->port, &ctx->addrs[n],
                                        &ctx->socklens[n])
        == NGX_OK)
    {
        ctx->naddrs++;
    }
}


/* the length before "localhost", or NGX_GATE_NONE */

static ngx_uint_t
ngx_gate_resolver_below_localhost(ngx_str_t *name)
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
        return NGX_GATE_NONE;
    }

    len -= 9;

    return (len == 0 || name->data[len - 1] == '.') ? len : NGX_GATE_NONE;
}


/* queries names in order until a response has to be awaited */

static ngx_int_t
ngx_gate_resolver_next(ngx_gate_resolver_ctx_t *ctx)
{
    u_char                        name[NGX_GATE_ENDPOINT_HOST_MAX + 2];
    ngx_int_t                     rc;
    ngx_gate_resolver_channel_t  *channel;

    do {
        channel = ngx_gate_resolver_channel_servers(ctx->resolver);

        if (channel == NULL) {
            return ngx_gate_resolver_fail(ctx, NGX_GATE_NO_MEMORY,
                                          "no memory");
        }

        if (ctx->channel != ngx_gate_resolver_channel_number(channel)) {

            /* the search list may have changed, too */

            ctx->channel = ngx_gate_resolver_channel_number(channel);
            ctx->candidate = 0;
            ctx->troubled = 0;
        }

        rc = ngx_gate_resolver_search_name(
                                   ngx_gate_resolver_channel_search(channel),
                                   &ctx->name, ctx->candidate++, name);

        if (rc == NGX_DONE) {
            return ngx_gate_resolver_fail(ctx, NGX_GATE_DNS, ctx->troubled
                                          ? "name server failure"
                                          : "host not found");
        }

        if (rc == NGX_OK) {
            rc = ngx_gate_resolver_ask(ctx, channel, (char *) name);
        }

    } while (rc == NGX_DECLINED);

    return rc;
}


static ngx_int_t
ngx_gate_resolver_ask(ngx_gate_resolver_ctx_t *ctx,
    ngx_gate_resolver_channel_t *channel, const char *name)
{
    ngx_gate_resolver_family_t  *families;
    ngx_gate_resolver_lookup_t  *lookup;

    lookup = ngx_alloc(sizeof(ngx_gate_resolver_lookup_t), ctx->log);
    if (lookup == NULL) {
        return ngx_gate_resolver_fail(ctx, NGX_GATE_NO_MEMORY, "no memory");
    }

    lookup->ctx = ctx;
    lookup->pending = 2;
    lookup->reason = NGX_GATE_OK;

    families = lookup->families;

    families[NGX_GATE_RESOLVER_V4].lookup = lookup;
    families[NGX_GATE_RESOLVER_V4].status = NGX_GATE_RESOLVER_WAITING;
    families[NGX_GATE_RESOLVER_V6].lookup = lookup;
    families[NGX_GATE_RESOLVER_V6].status = NGX_GATE_RESOLVER_WAITING;

    ngx_gate_event_init(&ctx->event, ngx_gate_resolver_handler, ctx->log);

    ctx->lookup = lookup;
    ctx->starting = 1;

    ngx_gate_resolver_channel_ask(channel, name, AF_INET,
                                  ngx_gate_resolver_answered,
                                  &families[NGX_GATE_RESOLVER_V4]);
    ngx_gate_resolver_channel_ask(channel, name, AF_INET6,
                                  ngx_gate_resolver_answered,
                                  &families[NGX_GATE_RESOLVER_V6]);
    ctx->starting = 0;

    return ngx_gate_resolver_evaluate(ctx);
}


/*
 * Called by c-ares: results are processed later, since that may call c-ares
 * again.
 */

static void
ngx_gate_resolver_answered(void *arg, int status, int timeouts,
    struct ares_addrinfo *ai)
{
    ngx_gate_resolver_family_t *family = arg;

    ngx_gate_resolver_ctx_t     *ctx;
    ngx_gate_resolver_lookup_t  *lookup;

    lookup = family->lookup;
    ctx = lookup->ctx;

    lookup->pending--;

    if (ctx) {

        if (status == ARES_SUCCESS) {
            ngx_gate_resolver_add_addresses(ctx, ai);

            if (ai->nodes == NULL) {
                status = ARES_ENODATA;
            }
        }

        if (status == ARES_EDESTRUCTION) {
            lookup->reason = ngx_gate_resolver_channel_reason();
        }

        family->status = status;

        if (!ctx->starting) {
            ngx_post_event(&ctx->event, &ngx_posted_events);
        }

    } else if (lookup->pending == 0) {
        ngx_free(lookup);
    }

    if (ai) {
        ares_freeaddrinfo(ai);
    }
}


static void
ngx_gate_resolver_handler(ngx_event_t *ev)
{
    ngx_int_t                 rc;
    ngx_gate_resolver_ctx_t  *ctx;

    ctx = ngx_queue_data(ev, ngx_gate_resolver_ctx_t, event);

    rc = ngx_gate_resolver_evaluate(ctx);

    if (rc == NGX_DECLINED) {
        rc = ngx_gate_resolver_next(ctx);
    }

    if (rc != NGX_AGAIN) {
        ctx->handler(ctx);
    }
}


/* NGX_DECLINED: the next name is tried */

static ngx_int_t
ngx_gate_resolver_evaluate(ngx_gate_resolver_ctx_t *ctx)
{
    int                          status;
    ngx_uint_t                   enough;
    ngx_gate_resolver_lookup_t  *lookup;

    lookup = ctx->lookup;

    if (lookup->pending) {

        status = lookup->families[NGX_GATE_RESOLVER_V4].status;

        enough = ctx->naddrs
                 || (status != NGX_GATE_RESOLVER_WAITING
                     && status != ARES_ENODATA);

        if (!enough) {
            return NGX_AGAIN;
        }

        if (!ctx->event.timedout) {

            if (!ctx->event.timer_set) {
                ngx_add_timer(&ctx->event, NGX_GATE_RESOLVER_GRACE);
            }

            return NGX_AGAIN;
        }
    }

    return ngx_gate_resolver_conclude(ctx);
}


static ngx_int_t
ngx_gate_resolver_conclude(ngx_gate_resolver_ctx_t *ctx)
{
    int                          status;
    ngx_gate_reason_e            reason;
    ngx_gate_resolver_lookup_t  *lookup;

    lookup = ctx->lookup;
    reason = lookup->reason;
    status = lookup->families[NGX_GATE_RESOLVER_V4].status;

    if (status == ARES_ENODATA) {
        status = lookup->families[NGX_GATE_RESOLVER_V6].status;
    }

    ngx_gate_resolver_cancel(ctx);

    if (ctx->naddrs) {
        return ngx_gate_resolver_found(ctx);
    }

    switch (status) {

    case ARES_ENOTFOUND:
    case ARES_ENODATA:
        return NGX_DECLINED;

    case ARES_EDESTRUCTION:

        if (reason == NGX_GATE_OK) {

            /* restarts with the new name servers */

            return NGX_DECLINED;
        }

        return ngx_gate_resolver_fail(ctx, reason, "no free connection");

    case ARES_ENOMEM:
        return ngx_gate_resolver_fail(ctx, NGX_GATE_NO_MEMORY, "no memory");

    case ARES_ETIMEOUT:
        return ngx_gate_resolver_fail(ctx, NGX_GATE_DNS,
                                      "no response from the name server");

    case ARES_EBADNAME:
        return ngx_gate_resolver_fail(ctx, NGX_GATE_DNS, "invalid host name");

    default:
        ctx->troubled = 1;
        return NGX_DECLINED;
    }
}


void
ngx_gate_resolver_cancel(ngx_gate_resolver_ctx_t *ctx)
{
    ngx_gate_resolver_lookup_t  *lookup;

    lookup = ctx->lookup;

    if (lookup == NULL) {
        return;
    }

    ctx->lookup = NULL;
    lookup->ctx = NULL;

    if (lookup->pending == 0) {
        ngx_free(lookup);
    }

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    if (ctx->event.posted) {
        ngx_delete_posted_event(&ctx->event);
    }
}


static ngx_int_t
ngx_gate_resolver_found(ngx_gate_resolver_ctx_t *ctx)
{
    ngx_gate_addresses_order(ctx->addrs, ctx->socklens, ctx->naddrs);

    return NGX_OK;
}


static ngx_int_t
ngx_gate_resolver_fail(ngx_gate_resolver_ctx_t *ctx, ngx_gate_reason_e reason,
    const char *text)
{
    ngx_gate_error_set(&ctx->error, reason, "cannot resolve \"%V\": %s",
                       &ctx->name, text);
    ctx->naddrs = 0;

    return NGX_ERROR;
}
