
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Overrides of gates in the prober: it applies them, ends them in time,
 * acknowledges them, and probes checks when that was ordered.
 */


#ifndef _NGX_GATE_ORDERS_H_INCLUDED_
#define _NGX_GATE_ORDERS_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_overrides.h>
#include <ngx_gate_prober.h>


/* while it probes */

void ngx_gate_orders_start(ngx_gate_prober_t *prober);
void ngx_gate_orders_stop(ngx_gate_prober_t *prober);

/* something may have been put into a mailbox */

void ngx_gate_orders_receive(ngx_gate_prober_t *prober);

/* all that has been published since: returns how many are news */

ngx_uint_t ngx_gate_orders_acknowledge(ngx_gate_prober_t *prober);


#endif /* _NGX_GATE_ORDERS_H_INCLUDED_ */
