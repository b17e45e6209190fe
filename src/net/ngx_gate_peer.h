
/*
 * A background connection: it resolves, connects (TCP or Unix socket, then
 * TLS where asked), sends, receives, and reports each step by one handler.
 * It has no time limit of its own: whoever opened it closes it in time.
 */


#ifndef _NGX_GATE_PEER_H_INCLUDED_
#define _NGX_GATE_PEER_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_resolve.h>


#define NGX_GATE_PEER_BUFFER  16384


/* TLS as configured; shared by all connections to one endpoint */

typedef struct {
    ngx_str_t                 ca;          /* empty: the system's own */
    ngx_str_t                 cert;
    ngx_str_t                 key;
    ngx_str_t                 name;        /* sent as SNI and verified */
    ngx_uint_t                verify;
#if (NGX_SSL)
    ngx_ssl_t                *ssl;
#endif
} ngx_gate_tls_t;


/* where to connect to, as configured */

typedef struct {
    ngx_str_t                 text;        /* for messages, no secret in it */
    ngx_str_t                 host;        /* a name or an address ... */
    in_port_t                 port;
    ngx_str_t                 path;        /* ... or the path of a socket */
    ngx_gate_tls_t           *tls;         /* NULL: in the clear */
} ngx_gate_endpoint_t;


typedef enum {
    NGX_GATE_PEER_CONNECTED,   /* and, with TLS, verified: send() may begin */
    NGX_GATE_PEER_DATA,        /* bytes stand between in->pos and in->last */
    NGX_GATE_PEER_CLOSED,      /* the other side ended, in order */
    NGX_GATE_PEER_FAILED       /* reason and error tell; already closed */
} ngx_gate_peer_event_e;


typedef struct ngx_gate_peer_s  ngx_gate_peer_t;

struct ngx_gate_peer_s {
    /* in: set by the caller before connect */
    ngx_gate_endpoint_t      *endpoint;
    ngx_resolver_t           *resolver;
    ngx_log_t                *log;         /* log->action follows the step */
    void                     *data;
    void                    (*handler)(ngx_gate_peer_t *peer,
                                       ngx_gate_peer_event_e event);

    /*
     * out: received bytes; the handler takes them by moving in->pos, what it
     * leaves is there next time; a full buffer that nobody takes from fails
     * with "protocol"
     */
    ngx_buf_t                *in;
    ngx_gate_reason_e         reason;
    u_char                    error[128];
    size_t                    error_len;

    /* private */
    ngx_pool_t               *pool;        /* NULL: nothing is open */
    ngx_connection_t         *connection;
    ngx_buf_t                *out;
    ngx_gate_resolve_t        resolve;
    ngx_uint_t                address;     /* the one being tried */
    ngx_event_t               posted;
};


/*
 * At configuration: "host:port", "[::1]:6379", "unix:/path"; fills host,
 * port, path.  Never resolves.  NULL, or what is wrong with it.
 */

char *ngx_gate_endpoint_parse(ngx_conf_t *cf, ngx_gate_endpoint_t *endpoint,
    ngx_str_t *text, in_port_t default_port);

/* at configuration: reads certificates and prepares tls->ssl */

char *ngx_gate_tls_init(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_tls_t *tls);

/*
 * The handler is never called from within connect() or send(): failure, too,
 * comes as an event.  In the handler everything is allowed, close() included,
 * and after close() it is not called any more.
 */

void ngx_gate_peer_connect(ngx_gate_peer_t *peer);
void ngx_gate_peer_send(ngx_gate_peer_t *peer, u_char *data, size_t size);
void ngx_gate_peer_close(ngx_gate_peer_t *peer);    /* idempotent */

#define ngx_gate_peer_is_open(peer)  ((peer)->pool != NULL)


#endif /* _NGX_GATE_PEER_H_INCLUDED_ */
