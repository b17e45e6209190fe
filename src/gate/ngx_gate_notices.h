
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Notices of initializers: from any worker, by the mailbox of their check, to
 * the prober, which delivers them to the check, acknowledges and stores them.
 */


#ifndef _NGX_GATE_NOTICES_H_INCLUDED_
#define _NGX_GATE_NOTICES_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_mailbox.h>
#include <ngx_gate_check_notify.h>
#include <ngx_gate_prober.h>


/* configuration and reload; no zone if there is no notify check */

ngx_int_t ngx_gate_notices_add_zone(ngx_conf_t *cf, ngx_array_t *gates,
    ngx_shm_zone_t *old, void *tag, ngx_shm_zone_t **zone);
ngx_int_t ngx_gate_notices_commit(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone,
    ngx_shm_zone_t *old, ngx_array_t *gates, ngx_atomic_uint_t zone);
ngx_shm_zone_t *ngx_gate_notices_find_zone(ngx_cycle_t *cycle, void *tag);


/* in the prober */

ngx_int_t ngx_gate_notices_init(ngx_gate_prober_t *prober);

/* while it probes */

void ngx_gate_notices_start(ngx_gate_prober_t *prober);
void ngx_gate_notices_stop(ngx_gate_prober_t *prober);

/* something may have been put into a mailbox */

void ngx_gate_notices_wake(ngx_gate_prober_t *prober);

/* before a run of a notify check */

ngx_msec_t ngx_gate_notices_receive(ngx_gate_run_t *run);

/* everything published since then is in force; returns how many are new */

ngx_uint_t ngx_gate_notices_acknowledge(ngx_gate_prober_t *prober);


#endif /* _NGX_GATE_NOTICES_H_INCLUDED_ */
