
/*
 * Connections of probes: at most a quarter of worker_connections are used for
 * probes at the same time, so that clients can still connect while a server
 * does not respond.  The rest of the probes wait for their turn.
 */


#ifndef _NGX_GATE_BUDGET_H_INCLUDED_
#define _NGX_GATE_BUDGET_H_INCLUDED_


#include <ngx_gate.h>


typedef struct ngx_gate_budget_use_s  ngx_gate_budget_use_t;

struct ngx_gate_budget_use_s {
    ngx_queue_t               queue;
    ngx_uint_t                state;        /* zeroed: neither */
    void                    (*handler)(ngx_gate_budget_use_t *use);
};


/* how many probes may be in flight */

ngx_uint_t ngx_gate_budget_limit(ngx_uint_t connections);

/*
 * NGX_AGAIN: the handler is called when it is this one's turn.  It is then in
 * use, as it is after NGX_OK, until it is released.
 */

ngx_int_t ngx_gate_budget_acquire(ngx_gate_budget_use_t *use);

/* also of one that waits, or that has been released */

void ngx_gate_budget_release(ngx_gate_budget_use_t *use);


#endif /* _NGX_GATE_BUDGET_H_INCLUDED_ */
