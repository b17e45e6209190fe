
/*
 * Between the two halves of a background connection: how it comes about, and
 * what is done with it then.
 */


#ifndef _NGX_GATE_PEER_CONNECT_H_INCLUDED_
#define _NGX_GATE_PEER_CONNECT_H_INCLUDED_


#include <ngx_gate_peer.h>


/* tries the addresses of peer->resolve; leads to ready() or to fail() */

void ngx_gate_peer_connect_next(ngx_gate_peer_t *peer);
void ngx_gate_peer_connect_established(ngx_gate_peer_t *peer);

void ngx_gate_peer_connected(ngx_gate_peer_t *peer);

/* the address that is in use did, or did not, while there are others */

void ngx_gate_peer_answered(ngx_gate_peer_t *peer);
void ngx_gate_peer_unanswered(ngx_gate_peer_t *peer);

/* its share of the time is over */

void ngx_gate_peer_late(ngx_event_t *ev);

/* has the handler, or the next step, called from the event loop */

void ngx_gate_peer_post(ngx_gate_peer_t *peer);

/* what went wrong; then fail(), which closes and tells the handler */

void ngx_cdecl ngx_gate_peer_error(ngx_gate_peer_t *peer,
    ngx_gate_reason_e reason, const char *fmt, ...);
void ngx_gate_peer_errno(ngx_gate_peer_t *peer, ngx_gate_reason_e reason,
    const char *call, ngx_err_t err);
ngx_gate_reason_e ngx_gate_peer_errno_reason(ngx_err_t err);
void ngx_gate_peer_fail(ngx_gate_peer_t *peer);

/* all of it, for what a system call said of a connection in use */

void ngx_gate_peer_connection_error(ngx_gate_peer_t *peer, ngx_err_t err,
    const char *call);

/* first thing in an event: nginx may want the connection closed */

ngx_uint_t ngx_gate_peer_is_closing(ngx_gate_peer_t *peer);

void ngx_gate_peer_disconnect(ngx_gate_peer_t *peer);


#endif /* _NGX_GATE_PEER_CONNECT_H_INCLUDED_ */
