
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The limit of probes in flight: they use at most a quarter of
 * worker_connections, so that clients can still connect while a server does
 * not respond.  The other probes wait in a queue.
 */


#ifndef _NGX_GATE_BUDGET_H_INCLUDED_
#define _NGX_GATE_BUDGET_H_INCLUDED_


#include <ngx_gate.h>


typedef struct ngx_gate_budget_use_s  ngx_gate_budget_use_t;

struct ngx_gate_budget_use_s {
    ngx_queue_t               queue;
    ngx_uint_t                state;        /* zeroed: neither queued nor in
                                               use */
    void                    (*handler)(ngx_gate_budget_use_t *use);
};


/* worker_connections is known only after the whole configuration */

void ngx_gate_budget_warn(ngx_cycle_t *cycle, ngx_array_t *gates);

/*
 * NGX_OK: in use.  NGX_AGAIN: queued, and in use when the handler is called.
 * In use until it is released.
 */

ngx_int_t ngx_gate_budget_acquire(ngx_gate_budget_use_t *use);

/* harmless if queued or already released */

void ngx_gate_budget_release(ngx_gate_budget_use_t *use);


#endif /* _NGX_GATE_BUDGET_H_INCLUDED_ */
