
/*
 * Wakes the workers in which requests are held, by one eventfd of the master
 * that all processes inherit.  It is written to after a publication and never
 * read: with an edge-triggered event, each write wakes every process.
 */


#ifndef _NGX_GATE_WAKE_H_INCLUDED_
#define _NGX_GATE_WAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/* in the master, once; a failure is logged, and the workers poll */

void ngx_gate_wake_init(ngx_log_t *log);

void ngx_gate_wake_send(ngx_log_t *log);

/* NULL: the caller has to poll */

ngx_connection_t *ngx_gate_wake_listen(ngx_event_handler_pt handler,
    void *data, ngx_log_t *log);
void ngx_gate_wake_stop(ngx_connection_t *c);


#endif /* _NGX_GATE_WAKE_H_INCLUDED_ */
