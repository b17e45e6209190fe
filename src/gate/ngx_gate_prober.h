
/*
 * The prober: it owns the zone, and has a runner for each gate.  The first
 * worker probes; the second one stands by, for the case that the first one
 * hangs.
 */


#ifndef _NGX_GATE_PROBER_H_INCLUDED_
#define _NGX_GATE_PROBER_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_writer.h>
#include <ngx_gate_stats.h>
#include <ngx_gate_rate.h>
#include <ngx_gate_timers.h>
#include <ngx_gate_budget.h>
#include <ngx_gate_servers.h>


typedef struct ngx_gate_prober_s  ngx_gate_prober_t;
typedef struct ngx_gate_runner_s  ngx_gate_runner_t;
typedef struct ngx_gate_run_s     ngx_gate_run_t;

typedef struct ngx_gate_server_runs_s  ngx_gate_server_runs_t;


/* a run of a probe, of a check or a trigger: scheduled, or under way */

struct ngx_gate_run_s {
    ngx_gate_probe_t          probe;
    ngx_gate_runner_t        *runner;
    ngx_gate_check_record_t  *record;       /* of a check */
    ngx_gate_check_shared_t  *shared;       /* of a check */
    ngx_gate_rate_t           rate;
    ngx_gate_timer_t          timer;        /* the next run, or the timeout of
                                               the one under way */
    ngx_gate_budget_use_t     budget;
    ngx_log_t                 log;
    uint64_t                  start_usec;   /* of a monotonic clock */
    uint32_t                  duration;     /* of the last one, us */
    ngx_uint_t                errors;       /* running, for the backoff */
    ngx_uint_t                busy;
    ngx_uint_t                due;          /* once more, after this one */
    ngx_msec_t                log_msec;     /* the start of a minute */
    ngx_uint_t                log_lines;    /* in this minute */
    ngx_uint_t                log_skipped;  /* since the last line */
    ngx_msec_t              (*delay)(ngx_gate_run_t *run);
    void                    (*finish)(ngx_gate_run_t *run);
};


/* a gate in the worker that probes */

struct ngx_gate_runner_s {
    ngx_gate_t               *gate;
    ngx_gate_prober_t        *prober;
    ngx_gate_record_t         record;
    ngx_gate_check_record_t  *checks;
    ngx_gate_run_t           *runs;
    ngx_gate_server_runs_t  **servers;      /* NULL: not of this check */
    ngx_gate_run_t           *trigger;      /* NULL: none */
    ngx_uint_t                passed;       /* requests, while it was closed */
    ngx_gate_timer_t          deadline_timer;
    ngx_uint_t                dirty;        /* to be published */

    /* of a gate that stays closed, 0 while it is open */
    ngx_msec_t                reminder_interval;
    ngx_msec_t                reminder_msec;
};


struct ngx_gate_prober_s {
    ngx_gate_writer_t         writer;
    ngx_gate_zone_t          *zone;
    ngx_gate_stats_t         *stats;
    ngx_uint_t                generation;
    ngx_pool_t               *pool;
    ngx_log_t                *log;

    ngx_array_t              *gates;
    ngx_gate_runner_t        *runners;      /* NULL before it probes */
    ngx_uint_t                nrunners;

    ngx_gate_timers_t         timers;       /* all timers of the prober */
    ngx_gate_timer_t          heartbeat_timer;

    /* once in an iteration of the event loop */
    ngx_event_t               publish_event;

    ngx_event_t               drain_event;  /* not cancelable: requests that
                                               wait keep us from exiting */

    ngx_connection_t         *exit_connection;
    ngx_uint_t                failed_claims;
    ngx_uint_t                standby;
    ngx_msec_t                delay;        /* until the next claim */
    ngx_msec_t                waited;       /* for a heartbeat of the owner */
    ngx_atomic_uint_t         last_heartbeat;
    ngx_uint_t                active;
    ngx_uint_t                exiting;
};


ngx_gate_prober_t *ngx_gate_prober_start(ngx_cycle_t *cycle,
    ngx_array_t *gates, ngx_gate_zone_t *zone, ngx_gate_stats_t *stats,
    ngx_uint_t generation, ngx_uint_t standby);
void ngx_gate_prober_stop(ngx_gate_prober_t *prober);

/* for ngx_gate_runner.c and ngx_gate_trigger.c */

ngx_int_t ngx_gate_prober_write_begin(ngx_gate_prober_t *prober);
ngx_int_t ngx_gate_prober_write_end(ngx_gate_prober_t *prober);


/* the run of a probe: ngx_gate_run.c */

void ngx_gate_run_init(ngx_gate_run_t *run, ngx_gate_runner_t *runner,
    ngx_gate_check_t *check, void (*finish)(ngx_gate_run_t *run));
void ngx_gate_run_schedule(ngx_gate_run_t *run, ngx_msec_t delay);
void ngx_gate_run_cancel(ngx_gate_run_t *run);


/*
 * The probes of the servers of a check: ngx_gate_server_run.c.  They begin by
 * the first run of the check itself, which compares how many servers take part
 * with how many are needed, and is due when that changes.
 */

ngx_int_t ngx_gate_server_run_init(ngx_gate_runner_t *runner, ngx_uint_t i);
void ngx_gate_server_run_stop(ngx_gate_server_runs_t *runs);

/* with every heartbeat */

void ngx_gate_server_run_beat(ngx_gate_server_runs_t *runs);

/* a gate that is open by force has all of its servers take part */

void ngx_gate_server_run_force(ngx_gate_server_runs_t *runs,
    ngx_uint_t forced);


/* the runner of a gate */

ngx_int_t ngx_gate_runner_init(ngx_gate_runner_t *runner, ngx_gate_t *gate,
    ngx_gate_prober_t *prober);
void ngx_gate_runner_start(ngx_gate_runner_t *runner);
void ngx_gate_runner_publish(ngx_gate_runner_t *runner);
void ngx_gate_runner_stop(ngx_gate_runner_t *runner);
void ngx_gate_runner_set_dirty(ngx_gate_runner_t *runner);
void ngx_gate_runner_beat(ngx_gate_runner_t *runner);
ngx_msec_t ngx_gate_runner_jitter(ngx_msec_t pause);
ngx_uint_t ngx_gate_runner_is_idle(ngx_gate_runner_t *runner);


/* the trigger of a gate */

void ngx_gate_trigger_start(ngx_gate_runner_t *runner);
void ngx_gate_trigger_cancel(ngx_gate_runner_t *runner);
ngx_msec_t ngx_gate_trigger_delay(ngx_gate_run_t *run);
void ngx_gate_trigger_done(ngx_gate_run_t *run);


#endif /* _NGX_GATE_PROBER_H_INCLUDED_ */
