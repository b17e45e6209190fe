
/*
 * A background connection: it resolves, connects (TCP or Unix socket, then
 * TLS where asked), sends, receives, and reports each step by one handler.
 * It knows its deadline only to share the time until then among the addresses
 * of a name: whoever opened it closes it in time.
 */


#ifndef _NGX_GATE_PEER_H_INCLUDED_
#define _NGX_GATE_PEER_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_endpoint.h>
#include <ngx_gate_log_capture.h>
#include <ngx_gate_resolver.h>
#include <ngx_gate_tls.h>


#define NGX_GATE_PEER_IN_SIZE  16384
#define NGX_GATE_PEER_KEEP     30000   /* see ngx_gate_peer_keep() */


typedef enum {
    NGX_GATE_PEER_CONNECTED,   /* and, with TLS, verified: send() may begin */
    NGX_GATE_PEER_DATA,        /* bytes stand between in->pos and in->last */
    NGX_GATE_PEER_CLOSED,      /* the other side ended, in order: close() */
    NGX_GATE_PEER_FAILED       /* reason and error tell; already closed */
} ngx_gate_peer_event_e;


typedef struct ngx_gate_peer_s  ngx_gate_peer_t;

struct ngx_gate_peer_s {
    /* in: set by the caller before connect, the rest zeroed */
    ngx_gate_endpoint_t      *endpoint;
    ngx_gate_resolver_t      *resolver;
    ngx_log_t                *log;         /* log->action follows the step */
    ngx_msec_t                deadline;    /* shared out among addresses */
    void                     *data;
    void                    (*handler)(ngx_gate_peer_t *peer,
                                       ngx_gate_peer_event_e event);
    ngx_uint_t                read_kept;   /* see keep() */
    ngx_msec_t                confirm;     /* how long CONNECTED waits for a
                                              server that may refuse our
                                              certificate, 0: not at all */

    /*
     * out: received bytes; the handler takes them by moving in->pos, what it
     * leaves is there next time; a full buffer that nobody takes from fails
     * with "protocol"
     */
    ngx_buf_t                *in;
    ngx_gate_reason_e         reason;
    size_t                    error_len;
    u_char                    error[256];

    /* private */
    ngx_pool_t               *pool;        /* NULL: nothing is open */
    ngx_connection_t         *connection;
    ngx_buf_t                *out;
    ngx_gate_resolver_ctx_t   resolve;
    ngx_uint_t                tried;       /* how many addresses */
    ngx_event_t               timer;       /* of the one that is tried now */
    ngx_event_t               posted;
    ngx_event_t               confirm_timer;
    ngx_event_t               expiry;      /* of the kept connection */
    ngx_msec_t                established;
    ngx_uint_t                cert_requested;
    ngx_gate_log_capture_t    capture;     /* c->log */
    ngx_err_t                 err;         /* of recv(), behind some bytes */
    ngx_err_t                 send_err;

    unsigned                  connected:1;
    unsigned                  failed:1;    /* which the handler must be told */
    unsigned                  eof:1;       /* nothing more will come */
    unsigned                  send_failed:1;
    unsigned                  kept:1;
    unsigned                  reused:1;    /* kept, then sent to, no answer */
    unsigned                  silent:1;    /* sent to, no answer */
};


/*
 * The handler is never called from within connect() or send(): failure, too,
 * comes as an event.  In the handler everything is allowed, close() included,
 * and after close() it is not called any more.
 */

void ngx_gate_peer_connect(ngx_gate_peer_t *peer);
void ngx_gate_peer_send(ngx_gate_peer_t *peer, u_char *data, size_t size);
void ngx_gate_peer_close(ngx_gate_peer_t *peer);    /* idempotent */

/*
 * Keeps the connection for a later exchange, as long as it is younger than
 * NGX_GATE_PEER_KEEP: it stays with the server that it was made to, and others
 * may be behind the same name or address by then.  Until the next send() the handler
 * is not called, and whatever arrives closes it.  So the next exchange begins
 * with send() if the peer is kept still, and with connect() if it is not.
 * With read_kept the handler is called for what arrives; where it sends, it
 * calls keep() again.
 *
 * The other side may close just then: if it ends a kept connection without
 * having answered a byte, a new one is made, once, and the handler sees
 * CONNECTED, whereupon it sends the whole exchange again.
 */

void ngx_gate_peer_keep(ngx_gate_peer_t *peer);

#define ngx_gate_peer_is_open(peer)  ((peer)->pool != NULL)
#define ngx_gate_peer_is_kept(peer)  ((peer)->kept)


#endif /* _NGX_GATE_PEER_H_INCLUDED_ */
