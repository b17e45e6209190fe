
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Internal interface between the two files of a background connection:
 * opening it, and using it.
 */


#ifndef _NGX_GATE_PEER_CONNECT_H_INCLUDED_
#define _NGX_GATE_PEER_CONNECT_H_INCLUDED_


#include <ngx_gate_peer.h>


/* tries the addresses of peer->resolve; calls ready() or fail() */

void ngx_gate_peer_connect_next(ngx_gate_peer_t *peer);
void ngx_gate_peer_connect_established(ngx_gate_peer_t *peer);

void ngx_gate_peer_connected(ngx_gate_peer_t *peer);

/* the current address responded, or did not although there are others */

void ngx_gate_peer_answered(ngx_gate_peer_t *peer);
void ngx_gate_peer_unanswered(ngx_gate_peer_t *peer);

/* the time of this address is over */

void ngx_gate_peer_late(ngx_event_t *ev);

/* posts an event that calls the handler or the next step */

void ngx_gate_peer_post(ngx_gate_peer_t *peer);

ngx_gate_reason_e ngx_gate_peer_errno_reason(ngx_err_t err);

/* after peer->error has been set: closes, and calls the handler */

void ngx_gate_peer_fail(ngx_gate_peer_t *peer);

/* sets the error of a system call and fails */

void ngx_gate_peer_connection_error(ngx_gate_peer_t *peer, ngx_err_t err,
    const char *call);

/* call first in an event handler: nginx may request closing */

ngx_uint_t ngx_gate_peer_is_closing(ngx_gate_peer_t *peer);

void ngx_gate_peer_disconnect(ngx_gate_peer_t *peer);


#endif /* _NGX_GATE_PEER_CONNECT_H_INCLUDED_ */
