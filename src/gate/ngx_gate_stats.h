
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counters of requests, in shared memory that persists over reloads.  Each
 * gate has a slot, found by its name, and each of the first processes has
 * counters of its own in every slot.
 */


#ifndef _NGX_GATE_STATS_H_INCLUDED_
#define _NGX_GATE_STATS_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>


/* each request is counted once; a cache line, so that workers share none */

struct ngx_gate_counters_s {
    ngx_atomic_t              passed;
    ngx_atomic_t              held_passed;
    ngx_atomic_t              held_refused;
    ngx_atomic_t              refused;
    ngx_atomic_t              gone;
    ngx_atomic_t              polled;       /* by the waiting page */
    ngx_atomic_t              held;         /* held now */
    ngx_atomic_t              waited;       /* by "Prefer: wait=N" */
};


typedef struct {
    ngx_atomic_t              pid;          /* 0: free */
    ngx_atomic_t              zone;         /* the zone of its gates */
    ngx_atomic_t              waiting;      /* requests, at any gate */
    ngx_atomic_t              generation;   /* of its configuration */
    ngx_atomic_t              padding[4];
} ngx_gate_stats_process_t;


typedef struct {
    ngx_atomic_t              trigger_pid;  /* 0: not being sent */
    ngx_atomic_uint_t         generation;   /* the last one with this gate */
    size_t                    len;
    u_char                    data[NGX_GATE_NAME_MAX];
} ngx_gate_stats_slot_t;


typedef struct ngx_gate_stats_s  ngx_gate_stats_t;

struct ngx_gate_stats_s {
    ngx_atomic_t              generation;   /* of the newest configuration */
    ngx_gate_stats_t         *older;        /* in use before this one */
    ngx_uint_t                capacity;     /* capacity in gates */
    ngx_uint_t                nprocesses;   /* capacity in processes */
    ngx_uint_t                nrows;        /* of counters */
    ngx_gate_stats_slot_t    *slots;
    ngx_gate_stats_process_t  *processes;
    ngx_gate_counters_t      *counters;     /* one row per process */
};


ngx_shm_zone_t *ngx_gate_stats_add(ngx_conf_t *cf, ngx_array_t *gates,
    ngx_shm_zone_t *old, void *tag);

/*
 * Called when the reload is committed.  Stats that replace others keep a link
 * to them, since old workers still count there.  Returns the generation of
 * the configuration.
 */

ngx_uint_t ngx_gate_stats_commit(ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old,
    ngx_array_t *gates);

/* the newer configuration has no gates */

void ngx_gate_stats_retire(ngx_shm_zone_t *shm_zone);

/*
 * Assigns counters to this process: sets gate->counters of every gate.  NULL:
 * too many processes, the counters of process 0 are shared.
 */

ngx_gate_stats_process_t *ngx_gate_stats_attach(ngx_gate_stats_t *stats,
    ngx_array_t *gates, ngx_atomic_uint_t zone, ngx_uint_t generation);
void ngx_gate_stats_detach(ngx_gate_stats_process_t *process);

/* requests held in any living process at the gates of this zone */

ngx_uint_t ngx_gate_stats_waiting(ngx_gate_stats_t *stats,
    ngx_atomic_uint_t zone);

/*
 * A trigger is sent by one process at a time, of any generation: the old
 * first worker may still be sending it when the new one starts.  NGX_BUSY:
 * another process is sending it, and is not one that was deposed because it
 * hung.
 */

ngx_int_t ngx_gate_stats_lock_trigger(ngx_gate_stats_t *stats,
    ngx_gate_t *gate, ngx_atomic_uint_t deposed);
void ngx_gate_stats_unlock_trigger(ngx_gate_stats_t *stats, ngx_gate_t *gate);

void ngx_gate_stats_sum(ngx_gate_stats_t *stats, ngx_gate_t *gate,
    ngx_gate_counters_t *sum);


#endif /* _NGX_GATE_STATS_H_INCLUDED_ */
