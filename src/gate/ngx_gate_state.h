
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A gate as configured, and pure functions that compute its state from the
 * verdicts of its checks.  No I/O, no clock, no memory of its own.
 */


#ifndef _NGX_GATE_STATE_H_INCLUDED_
#define _NGX_GATE_STATE_H_INCLUDED_


#include <ngx_gate.h>


/* time in which requests wait for the first verdicts, even without init_hold */

#define NGX_GATE_START_WAIT    3000

#define NGX_GATE_PROGRESS_MAX  10000    /* progress of 100 % */


typedef enum {
    NGX_GATE_STATE_STARTING = 0,
    NGX_GATE_STATE_INITIALIZING,
    NGX_GATE_STATE_READY,
    NGX_GATE_STATE_DEGRADED,
    NGX_GATE_STATE_OVERDUE,
    NGX_GATE_STATE_FAILED,
    NGX_GATE_STATES
} ngx_gate_state_e;


/* in ngx_gate_zone.h and ngx_gate_stats.h */

typedef struct ngx_gate_shared_s    ngx_gate_shared_t;
typedef struct ngx_gate_counters_s  ngx_gate_counters_t;


struct ngx_gate_s {
    ngx_str_t                 name;
    ngx_str_t                 file;         /* where it is configured */
    ngx_uint_t                line;
    ngx_array_t               checks;       /* of ngx_gate_check_t */
    ngx_uint_t                index;

    ngx_msec_t                interval;
    ngx_msec_t                interval_open;
    ngx_msec_t                timeout;
    ngx_msec_t                backoff;
    ngx_msec_t                deadline;     /* 0: none */
    ngx_uint_t                rise;
    ngx_uint_t                fall;

    ngx_flag_t                latch;
    ngx_flag_t                deadline_open;

    ngx_gate_resolver_t      *resolver;     /* NULL: the host's name servers */

    ngx_gate_check_t         *trigger;      /* NULL: none */
    ngx_flag_t                trigger_on_request;

    /* set when the shared memory is available; used by requests */
    ngx_gate_shared_t        *shared;
    ngx_gate_counters_t      *counters;
    ngx_gate_mailbox_t       *overrides;    /* NULL: no init_control */
    ngx_uint_t                controlled;   /* there is an init_control */
    ngx_uint_t                slot;         /* index in the stats */
};


/* the status of a check, computed from its verdicts */

typedef struct {
    ngx_gate_verdict_e        verdict;      /* the last one that counted */
    ngx_uint_t                passes;       /* consecutive passed */
    ngx_uint_t                misses;       /* consecutive other verdicts */
    ngx_uint_t                up;           /* rise was reached, and fall not
                                               since then */
    ngx_uint_t                outdated;     /* the gate has closed since then */
} ngx_gate_status_t;


/* a check after its last probe; times in ms since the epoch, 0: never */

typedef struct {
    ngx_gate_result_t         result;
    ngx_gate_status_t         status;
    uint64_t                  attempts;
    uint64_t                  consecutive;  /* probes in a row with this
                                               verdict */
    int64_t                   last_checked;
    int64_t                   next_check;
    int64_t                   passed_at;
    uint32_t                  duration;     /* us */
    uint32_t                  carried_over;
} ngx_gate_check_record_t;


/* the state of the latch: what is kept of a gate besides its checks */

typedef struct {
    ngx_gate_state_e          state;
    ngx_uint_t                latched;
    ngx_uint_t                opened;       /* was open before: its deadline
                                               has been met */
} ngx_gate_latch_t;


/* of the required checks */

typedef struct {
    ngx_int_t                 ratio;        /* 1/10000; -1: unknown */
    ngx_uint_t                required;
    ngx_uint_t                passed;       /* of these */
    ngx_uint_t                counting;     /* of these, have counted */
} ngx_gate_state_progress_t;


void ngx_gate_state_update_status(ngx_gate_status_t *status,
    ngx_gate_verdict_e verdict, ngx_uint_t rise, ngx_uint_t fall);

/* the checks are in the order of gate->checks */

void ngx_gate_state_compute(ngx_gate_t *gate, ngx_gate_check_record_t *checks,
    ngx_gate_latch_t *latch, ngx_uint_t past_deadline);

ngx_uint_t ngx_gate_state_is_open(ngx_gate_t *gate, ngx_gate_state_e state);

void ngx_gate_state_progress(ngx_gate_t *gate,
    ngx_gate_check_record_t *checks, ngx_gate_state_progress_t *progress);

/* the delay after the nth consecutive error */

ngx_msec_t ngx_gate_state_backoff(ngx_msec_t interval, ngx_msec_t backoff,
    ngx_uint_t errors);

/* seconds for Retry-After, without jitter; eta in ms, or -1 */

ngx_uint_t ngx_gate_state_retry_after(ngx_gate_state_e state, int64_t eta);

extern ngx_str_t  ngx_gate_state_names[];


#define ngx_gate_check_at(gate, i)                                            \
    (&((ngx_gate_check_t *) (gate)->checks.elts)[i])


#endif /* _NGX_GATE_STATE_H_INCLUDED_ */
