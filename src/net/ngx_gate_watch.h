
/*
 * A descriptor that a library opens and closes, on nginx's events.  Libraries
 * expect to be woken as by poll(), so the events are level-triggered.
 */


#ifndef _NGX_GATE_WATCH_H_INCLUDED_
#define _NGX_GATE_WATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


#define NGX_GATE_WATCH_READ   1
#define NGX_GATE_WATCH_WRITE  2


/*
 * The handler finds the connection in ev->data, and has to look at its flags
 * close and error first.  NULL: no connection is free, which is not logged.
 */

ngx_connection_t *ngx_gate_watch_open(ngx_socket_t s,
    ngx_event_handler_pt handler, void *data);

/* which events; NGX_ERROR: the connection is to be closed */

ngx_int_t ngx_gate_watch_set(ngx_connection_t *c, ngx_uint_t what);

/*
 * Gives the connection back, and leaves the descriptor open: to be called
 * before the library closes it, or with "closed" where it already has.
 */

void ngx_gate_watch_close(ngx_connection_t *c, ngx_uint_t closed);


#endif /* _NGX_GATE_WATCH_H_INCLUDED_ */
