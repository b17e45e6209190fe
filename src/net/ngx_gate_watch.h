
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Watches a descriptor that a library opens and closes, with the events of
 * nginx.  Libraries expect the semantics of poll(), so the events are
 * level-triggered.
 */


#ifndef _NGX_GATE_WATCH_H_INCLUDED_
#define _NGX_GATE_WATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


#define NGX_GATE_WATCH_READ   1
#define NGX_GATE_WATCH_WRITE  2


/*
 * The handler finds the connection in ev->data, and has to test its flags
 * close and error first.  NULL: no connection is free; nothing is logged.
 */

ngx_connection_t *ngx_gate_watch_open(ngx_socket_t s,
    ngx_event_handler_pt handler, void *data);

/* sets the events; NGX_ERROR: close the connection */

ngx_int_t ngx_gate_watch_set(ngx_connection_t *c, ngx_uint_t what);

/*
 * Frees the connection, but leaves the descriptor open.  To be called before
 * the library closes the descriptor, or with "closed" if it is already
 * closed.
 */

void ngx_gate_watch_close(ngx_connection_t *c, ngx_uint_t closed);


#endif /* _NGX_GATE_WATCH_H_INCLUDED_ */
