
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Resolves names without blocking, as the C library of the host does:
 * /etc/hosts, then the name servers and the search list of /etc/resolv.conf.
 * The "resolver" directive replaces the name servers.
 */


#ifndef _NGX_GATE_RESOLVER_H_INCLUDED_
#define _NGX_GATE_RESOLVER_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_endpoint.h>


#define NGX_GATE_RESOLVER_MAX        16    /* addresses stored for a name */


/* the "resolver" directive */

struct ngx_gate_resolver_s {
    ngx_str_t                 servers;     /* "address:port,...", with a
                                              terminating zero */
    ngx_uint_t                nservers;
};


typedef struct ngx_gate_resolver_ctx_s     ngx_gate_resolver_ctx_t;
typedef struct ngx_gate_resolver_lookup_s  ngx_gate_resolver_lookup_t;

struct ngx_gate_resolver_ctx_s {
    /* in: set by the caller before start */
    ngx_str_t                 name;        /* a name or a literal address */
    in_port_t                 port;
    ngx_gate_resolver_t      *resolver;    /* NULL: the host's name servers */
    ngx_log_t                *log;
    void                     *data;
    void                    (*handler)(ngx_gate_resolver_ctx_t *ctx);

    /*
     * out: the addresses in the order in which they are to be tried; on
     * failure, naddrs is 0, and the error is set
     */
    ngx_sockaddr_t            addrs[NGX_GATE_RESOLVER_MAX];
    socklen_t                 socklens[NGX_GATE_RESOLVER_MAX];
    ngx_uint_t                naddrs;
    ngx_gate_error_t          error;       /* cannot resolve "name": ... */

    /* private */
    ngx_gate_resolver_lookup_t  *lookup;     /* in progress */
    ngx_uint_t                channel;     /* the number of the last channel */
    ngx_uint_t                candidate;   /* the next name to query */
    ngx_uint_t                troubled;    /* a name server failed */
    ngx_uint_t                starting;
    ngx_event_t               event;       /* posted; timer: end of the wait */
};


/*
 * At configuration: adds an address, with or without a port.  NGX_DECLINED:
 * not an address.
 */

ngx_int_t ngx_gate_resolver_add(ngx_conf_t *cf, ngx_gate_resolver_t *resolver,
    ngx_str_t *address);

/* either may be NULL */

ngx_uint_t ngx_gate_resolver_same(ngx_gate_resolver_t *a,
    ngx_gate_resolver_t *b);

/*
 * The structure is zeroed before its first use.
 *
 * NGX_OK: resolved, the handler will not be called.  NGX_AGAIN: the handler
 * will be called once.  NGX_ERROR: failed, the handler will not be called.
 */

ngx_int_t ngx_gate_resolver_start(ngx_gate_resolver_ctx_t *ctx);

/* the handler will not be called again; harmless if not in progress */

void ngx_gate_resolver_cancel(ngx_gate_resolver_ctx_t *ctx);

/* at exit of the process: no resolving after that */

void ngx_gate_resolver_exit(void);


#endif /* _NGX_GATE_RESOLVER_H_INCLUDED_ */
