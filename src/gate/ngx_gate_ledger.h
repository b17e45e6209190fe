
/*
 * What became of the requests, counted in shared memory that outlives every
 * reload: each process counts in lines of its own, and each gate keeps its
 * account by name.
 */


#ifndef _NGX_GATE_LEDGER_H_INCLUDED_
#define _NGX_GATE_LEDGER_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>


/* each request counts once; one cache line, so that workers do not collide */

struct ngx_gate_tally_s {
    ngx_atomic_t              passed;
    ngx_atomic_t              held_passed;
    ngx_atomic_t              held_refused;
    ngx_atomic_t              refused;
    ngx_atomic_t              gone;
    ngx_atomic_t              held;         /* waiting right now */
    ngx_atomic_t              padding[2];
};


typedef struct {
    ngx_atomic_t              pid;          /* 0: free */
    ngx_atomic_t              zone;         /* whose gates it watches */
    ngx_atomic_t              waiting;      /* requests, at any gate */
    ngx_atomic_t              generation;   /* of its configuration */
    ngx_atomic_t              padding[4];
} ngx_gate_ledger_process_t;


typedef struct {
    ngx_atomic_t              triggering;   /* pid, 0: nobody */
    ngx_atomic_uint_t         generation;   /* the last one to have it */
    size_t                    len;
    u_char                    data[NGX_GATE_NAME_MAX];
} ngx_gate_ledger_name_t;


typedef struct ngx_gate_ledger_s  ngx_gate_ledger_t;

struct ngx_gate_ledger_s {
    ngx_atomic_t              generation;   /* of the configuration */
    ngx_gate_ledger_t        *older;        /* in use until this one came */
    ngx_uint_t                capacity;     /* gates there is room for */
    ngx_uint_t                lines;        /* and processes */
    ngx_gate_ledger_name_t   *names;
    ngx_gate_ledger_process_t  *processes;
    ngx_gate_tally_t         *tallies;      /* of process 0, of process 1 ... */
};


ngx_shm_zone_t *ngx_gate_ledger_add(ngx_conf_t *cf, ngx_array_t *gates,
    ngx_shm_zone_t *old, void *tag);

/*
 * The reload is committed.  A ledger that takes the place of another keeps
 * it: old workers go on counting there.  Returns the generation of the
 * configuration.
 */

ngx_uint_t ngx_gate_ledger_open(ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old,
    ngx_array_t *gates);

/*
 * This process gets lines of its own; points every gate->tally there.  NULL:
 * there are none left, and it counts in those of another.
 */

ngx_gate_ledger_process_t *ngx_gate_ledger_enter(ngx_gate_ledger_t *ledger,
    ngx_array_t *gates, ngx_atomic_uint_t zone, ngx_uint_t generation);
void ngx_gate_ledger_leave(ngx_gate_ledger_process_t *process);

/* requests that wait in any living process for the gates of this zone */

ngx_uint_t ngx_gate_ledger_waiting(ngx_gate_ledger_t *ledger,
    ngx_atomic_uint_t zone);

/*
 * A gate is triggered by one process at a time, of whatever generation: the
 * old first worker may still be at it when the new one begins.  NGX_BUSY:
 * another one is.
 */

ngx_int_t ngx_gate_ledger_trigger(ngx_gate_ledger_t *ledger, ngx_gate_t *gate);
void ngx_gate_ledger_triggered(ngx_gate_ledger_t *ledger, ngx_gate_t *gate);

void ngx_gate_ledger_sum(ngx_gate_ledger_t *ledger, ngx_gate_t *gate,
    ngx_gate_tally_t *sum);


#endif /* _NGX_GATE_LEDGER_H_INCLUDED_ */
