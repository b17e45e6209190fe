
/*
 * Names to addresses without blocking: by nginx's own resolver where the http
 * level has one, otherwise as the host would (/etc/hosts, then the name
 * servers and search domains of /etc/resolv.conf).
 */


#ifndef _NGX_GATE_RESOLVE_H_INCLUDED_
#define _NGX_GATE_RESOLVE_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_endpoint.h>


#define NGX_GATE_RESOLVE_MAX  16    /* addresses kept of one name */


typedef struct ngx_gate_resolve_s  ngx_gate_resolve_t;

struct ngx_gate_resolve_s {
    /* in: set by the caller before start */
    ngx_str_t                 name;        /* a name or a literal address */
    in_port_t                 port;
    ngx_resolver_t           *resolver;    /* NULL: as the host does */
    ngx_log_t                *log;
    void                     *data;
    void                    (*handler)(ngx_gate_resolve_t *resolve);

    /* out: naddrs is 0 after a failure, and error says why */
    ngx_sockaddr_t            addrs[NGX_GATE_RESOLVE_MAX];
    socklen_t                 socklens[NGX_GATE_RESOLVE_MAX];
    ngx_uint_t                naddrs;
    ngx_gate_reason_e         reason;      /* DNS, NO_MEMORY, NO_CONNECTIONS */
    ngx_str_t                 error;       /* "host not found", ... */

    /* private */
    void                     *host;        /* the host's resolver, held */
    ngx_resolver_ctx_t       *ctx;
    ngx_int_t                 state;       /* ctx's answer */
    ngx_uint_t                candidate;   /* the next name to try */
    ngx_uint_t                troubled;    /* a name server had trouble */
    ngx_uint_t                starting;
    ngx_event_t               answered;
    u_char                    buf[NGX_GATE_ENDPOINT_HOST_MAX];
};


/*
 * The structure is zeroed before its first use.
 *
 * NGX_OK: the answer is there already, handler will not be called.
 * NGX_AGAIN: handler will be called once.  NGX_ERROR: as NGX_OK, but failed.
 */

ngx_int_t ngx_gate_resolve_start(ngx_gate_resolve_t *resolve);

/* handler will not be called any more; harmless when nothing is under way */

void ngx_gate_resolve_cancel(ngx_gate_resolve_t *resolve);


#endif /* _NGX_GATE_RESOLVE_H_INCLUDED_ */
