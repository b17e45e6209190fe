
/*
 * A gate as configured, and the pure logic that turns the verdicts of its
 * checks into its state.  No I/O, no clock, no memory of its own.
 */


#ifndef _NGX_GATE_STATE_H_INCLUDED_
#define _NGX_GATE_STATE_H_INCLUDED_


#include <ngx_gate.h>


/* how long requests wait for the first verdicts, init_hold or not */

#define NGX_GATE_START_WAIT  3000

#define NGX_GATE_WHOLE       10000    /* all of the progress */


typedef enum {
    NGX_GATE_STATE_STARTING = 0,
    NGX_GATE_STATE_INITIALIZING,
    NGX_GATE_STATE_READY,
    NGX_GATE_STATE_DEGRADED,
    NGX_GATE_STATE_OVERDUE,
    NGX_GATE_STATE_FAILED,
    NGX_GATE_STATES
} ngx_gate_state_e;


typedef struct ngx_gate_shared_s  ngx_gate_shared_t;  /* in ngx_gate_zone.h */
typedef struct ngx_gate_tally_s   ngx_gate_tally_t;   /* in ngx_gate_ledger.h */


struct ngx_gate_s {
    ngx_str_t                 name;
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

    ngx_gate_check_t         *trigger;      /* NULL: none */
    ngx_flag_t                trigger_on_request;

    /* set once the shared memory is there: what requests reach for */
    ngx_gate_shared_t        *shared;
    ngx_gate_tally_t         *tally;
    ngx_uint_t                account;      /* its place in the ledger */
};


/* how a check stands: its verdicts so far, as far as they matter */

typedef struct {
    ngx_gate_verdict_e        verdict;      /* the last one that counted */
    ngx_uint_t                passes;       /* consecutive passed */
    ngx_uint_t                others;       /* consecutive others */
    ngx_uint_t                counts;       /* rise was reached, and not
                                               undone by fall since */
} ngx_gate_standing_t;


/* a check as of its last probe; times in ms since the epoch, 0 is never */

typedef struct {
    ngx_gate_result_t         result;
    ngx_gate_standing_t       standing;
    uint64_t                  attempts;
    uint64_t                  consecutive;  /* probes with this verdict */
    int64_t                   last_checked;
    int64_t                   next_check;
    int64_t                   passed_at;
    uint32_t                  duration;     /* us */
    uint32_t                  carried_over;
} ngx_gate_check_record_t;


/* what a gate remembers of itself beyond its checks */

typedef struct {
    ngx_gate_state_e          state;
    ngx_uint_t                latched;
    ngx_uint_t                opened;       /* it has been open before, so its
                                               deadline has been met */
} ngx_gate_memory_t;


/* our own want of memory or connections: counts neither way */

ngx_uint_t ngx_gate_reason_is_ours(ngx_gate_reason_e reason);

/* waiting will not help: somebody has to mend the configuration */

ngx_uint_t ngx_gate_reason_is_hopeless(ngx_gate_reason_e reason);

void ngx_gate_standing_update(ngx_gate_standing_t *standing,
    ngx_gate_verdict_e verdict, ngx_uint_t rise, ngx_uint_t fall);

/* the checks are in the order of gate->checks */

void ngx_gate_decide(ngx_gate_t *gate, ngx_gate_check_record_t *checks,
    ngx_gate_memory_t *memory, ngx_uint_t past_deadline);

ngx_uint_t ngx_gate_state_is_open(ngx_gate_t *gate, ngx_gate_state_e state);

/* in 1/10000, or -1 before a required check has had a verdict */

ngx_int_t ngx_gate_progress(ngx_gate_t *gate, ngx_gate_check_record_t *checks);

/* the pause after a probe that ended in an error for the nth time running */

ngx_msec_t ngx_gate_pause(ngx_msec_t interval, ngx_msec_t backoff,
    ngx_gate_reason_e reason, ngx_uint_t errors);

/* seconds for Retry-After, before they are spread; eta in ms, or -1 */

ngx_uint_t ngx_gate_retry_after(int64_t eta);

extern ngx_str_t  ngx_gate_state_names[];


#define ngx_gate_check_at(gate, i)                                            \
    (&((ngx_gate_check_t *) (gate)->checks.elts)[i])


#endif /* _NGX_GATE_STATE_H_INCLUDED_ */
