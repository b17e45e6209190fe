
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The prober: it owns the zone, and has a runner for each gate.  The first
 * worker probes; the second one is a standby, in case the first one hangs.
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
#include <ngx_gate_wake.h>
#include <ngx_gate_budget.h>
#include <ngx_gate_servers.h>


typedef struct ngx_gate_prober_s  ngx_gate_prober_t;
typedef struct ngx_gate_runner_s  ngx_gate_runner_t;
typedef struct ngx_gate_run_s     ngx_gate_run_t;

typedef struct ngx_gate_server_runs_s  ngx_gate_server_runs_t;


/* a run of a probe, of a check or a trigger: scheduled, or in progress */

struct ngx_gate_run_s {
    ngx_gate_probe_t          probe;
    ngx_gate_runner_t        *runner;
    ngx_gate_check_record_t  *record;       /* of a check */
    ngx_gate_check_shared_t  *shared;       /* of a check */
    ngx_gate_rate_t           rate;
    ngx_gate_timer_t          timer;        /* the next run, or the timeout
                                               of the current one */
    ngx_gate_budget_use_t     budget;
    ngx_log_t                 log;
    uint64_t                  start_usec;   /* monotonic */
    uint64_t                  due_usec;     /* of the last run that an event
                                               caused */
    uint32_t                  duration;     /* of the last one, us */
    ngx_uint_t                errors;       /* in a row, for the backoff */
    ngx_uint_t                losses;       /* in a row, of events */
    ngx_uint_t                busy;
    ngx_uint_t                due;          /* run again after this one */
    ngx_uint_t                hastened;     /* an event causes the next run */
    ngx_atomic_uint_t         received;     /* count of the notice that a
                                               notify check uses */
    ngx_atomic_uint_t         stored;       /* count of the last one in its
                                               file */
    ngx_uint_t                store_failed;
    ngx_uint_t                extra;        /* ordered, and not needed */
    ngx_msec_t                log_msec;     /* start of the current minute */
    ngx_uint_t                log_lines;    /* in this minute */
    ngx_uint_t                log_skipped;  /* since the last line */
    ngx_msec_t              (*delay)(ngx_gate_run_t *run);
    void                    (*finish)(ngx_gate_run_t *run);
};


/* the runner of a gate, in the worker that probes */

struct ngx_gate_runner_s {
    ngx_gate_t               *gate;
    ngx_gate_prober_t        *prober;
    ngx_gate_record_t         record;
    ngx_gate_check_record_t  *checks;
    ngx_gate_run_t           *runs;
    ngx_gate_server_runs_t  **servers;      /* NULL: not of this check */
    ngx_gate_run_t           *trigger;      /* NULL: none */
    ngx_uint_t                passed;       /* requests while the gate is
                                               closed */
    ngx_gate_timer_t          deadline_timer;

    /* of overrides */
    ngx_gate_timer_t          override_timer;
    ngx_atomic_uint_t         ordered;      /* count of those received */

    ngx_uint_t                dirty;        /* has to be published */

    /* while the gate is closed; 0 while it is open */
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
    ngx_gate_runner_t        *runners;      /* NULL until probing starts */
    ngx_uint_t                nrunners;

    ngx_array_t               notified;     /* of ngx_gate_run_t *, the runs of
                                               notify checks */
    ngx_gate_wake_t           wake;
    ngx_gate_timer_t          store_timer;
    ngx_msec_t                store_msec;   /* of the last write, or 0 */

    ngx_gate_timers_t         timers;       /* all timers of the prober */
    ngx_gate_timer_t          heartbeat_timer;

    /* posted, once per iteration of the event loop */
    ngx_event_t               publish_event;

    ngx_event_t               drain_event;  /* not cancelable: held requests
                                               prevent the exit */

    ngx_connection_t         *exit_connection;
    ngx_uint_t                failed_claims;
    ngx_uint_t                standby;
    ngx_msec_t                delay;        /* until the next claim */
    ngx_msec_t                waited;       /* since a heartbeat of the owner */
    ngx_atomic_uint_t         last_heartbeat;
    ngx_uint_t                active;
    ngx_uint_t                exiting;
};


ngx_gate_prober_t *ngx_gate_prober_start(ngx_cycle_t *cycle,
    ngx_array_t *gates, ngx_gate_zone_t *zone, ngx_gate_stats_t *stats,
    ngx_uint_t generation, ngx_uint_t standby);
void ngx_gate_prober_stop(ngx_gate_prober_t *prober);

/* used by ngx_gate_runner.c and ngx_gate_trigger.c */

ngx_int_t ngx_gate_prober_write_begin(ngx_gate_prober_t *prober);
ngx_int_t ngx_gate_prober_write_end(ngx_gate_prober_t *prober);


/* the run of a probe: ngx_gate_run.c */

void ngx_gate_run_init(ngx_gate_run_t *run, ngx_gate_runner_t *runner,
    ngx_gate_check_t *check, void (*finish)(ngx_gate_run_t *run));
void ngx_gate_run_schedule(ngx_gate_run_t *run, ngx_msec_t delay);
void ngx_gate_run_cancel(ngx_gate_run_t *run);


/*
 * The probes of the servers of a check: ngx_gate_server_run.c.  They begin
 * with the first run of the check itself, which compares the number of servers
 * that are in with the number required; it runs again when these change.
 */

ngx_int_t ngx_gate_server_run_init(ngx_gate_runner_t *runner, ngx_uint_t i);
void ngx_gate_server_run_stop(ngx_gate_server_runs_t *runs);

/* by order: all servers are probed now, also with "once" */

void ngx_gate_server_run_recheck(ngx_gate_server_runs_t *runs);

/* with each heartbeat */

void ngx_gate_server_run_beat(ngx_gate_server_runs_t *runs);

/* in a gate opened by its deadline, all servers are in */

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
void ngx_gate_trigger_wake(ngx_gate_prober_t *prober);
void ngx_gate_trigger_done(ngx_gate_run_t *run);


#endif /* _NGX_GATE_PROBER_H_INCLUDED_ */
