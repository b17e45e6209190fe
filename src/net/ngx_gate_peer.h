
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A background connection: it resolves, connects (TCP or Unix socket, then
 * TLS if configured), sends, receives, and reports each step to one handler.
 * The deadline only divides the time among the addresses of a name; a timeout
 * is the responsibility of the caller, which closes the peer.
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
    NGX_GATE_PEER_CONNECTED,   /* with TLS: verified; send() may be called */
    NGX_GATE_PEER_DATA,        /* bytes between in->pos and in->last */
    NGX_GATE_PEER_CLOSED,      /* orderly end by the peer: call close() */
    NGX_GATE_PEER_FAILED       /* reason and error are set; already closed */
} ngx_gate_peer_event_e;


typedef struct ngx_gate_peer_s  ngx_gate_peer_t;

struct ngx_gate_peer_s {
    /* in: set by the caller before connect, the rest zeroed */
    ngx_gate_endpoint_t      *endpoint;
    ngx_gate_resolver_t      *resolver;
    ngx_log_t                *log;         /* log->action follows the step */
    ngx_msec_t                deadline;    /* divided among addresses */
    void                     *data;
    void                    (*handler)(ngx_gate_peer_t *peer,
                                       ngx_gate_peer_event_e event);
    ngx_uint_t                read_kept;   /* see keep() */
    ngx_msec_t                confirm;     /* time in CONNECTED for a server
                                              to refuse our certificate, 0:
                                              none */

    /*
     * out: received bytes; the handler consumes them by moving in->pos, the
     * rest remains for the next call; a full buffer of which nothing is
     * consumed fails with "protocol"
     */
    ngx_buf_t                *in;
    ngx_gate_error_t          error;

    /* private */
    ngx_pool_t               *pool;        /* NULL: not open */
    ngx_connection_t         *connection;
    ngx_buf_t                *out;
    ngx_gate_resolver_ctx_t   resolve;
    ngx_uint_t                tried;       /* number of addresses */
    ngx_event_t               timer;       /* index of the current one */
    ngx_event_t               posted;
    ngx_event_t               confirm_timer;
    ngx_event_t               expiry;      /* of the kept connection */
    ngx_msec_t                established;
    ngx_uint_t                cert_requested;
    ngx_gate_log_capture_t    capture;     /* c->log */
    ngx_err_t                 err;         /* of recv(), after the last bytes */
    ngx_err_t                 send_err;

    unsigned                  connected:1;
    unsigned                  failed:1;    /* event to be reported to the
                                              handler */
    unsigned                  eof:1;       /* no more data will be received */
    unsigned                  send_failed:1;
    unsigned                  kept:1;
    unsigned                  reused:1;    /* sent on a kept connection */
    unsigned                  silent:1;    /* sent, no response */
};


/*
 * The handler is never called from within connect() or send(); a failure,
 * too, is reported by an event.  The handler may call every function,
 * including close().  After close(), it is not called again.
 */

void ngx_gate_peer_connect(ngx_gate_peer_t *peer);
void ngx_gate_peer_send(ngx_gate_peer_t *peer, u_char *data, size_t size);
void ngx_gate_peer_close(ngx_gate_peer_t *peer);    /* idempotent */

/*
 * Keeps the connection for a later exchange, as long as it is younger than
 * NGX_GATE_PEER_KEEP, since other servers may have the same name or address
 * meanwhile.  Until the next send(), the handler is not called, and the
 * connection is closed if data arrive.  The next exchange begins with send()
 * if the peer is still kept, otherwise with connect().  With read_kept, the
 * handler is called for data that arrive; if it sends, it calls keep() again.
 *
 * The peer may close at the same time: if a kept connection ends before a
 * byte of the response, it is opened again, once.  The handler is called with
 * CONNECTED and sends the whole exchange again.
 */

void ngx_gate_peer_keep(ngx_gate_peer_t *peer);

/*
 * The same for a response that shows that the server was about to close.  0:
 * not tried again, since the connection was not a kept one.
 */

ngx_uint_t ngx_gate_peer_retry(ngx_gate_peer_t *peer);

#define ngx_gate_peer_is_open(peer)  ((peer)->pool != NULL)
#define ngx_gate_peer_is_kept(peer)  ((peer)->kept)


#endif /* _NGX_GATE_PEER_H_INCLUDED_ */
