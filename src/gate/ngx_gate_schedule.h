
/*
 * When each check runs: the timers of the one worker that probes.
 */


#ifndef _NGX_GATE_SCHEDULE_H_INCLUDED_
#define _NGX_GATE_SCHEDULE_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_writer.h>
#include <ngx_gate_stats.h>
#include <ngx_gate_rate.h>
#include <ngx_gate_timers.h>


typedef struct ngx_gate_schedule_s  ngx_gate_schedule_t;
typedef struct ngx_gate_keeper_s    ngx_gate_keeper_t;
typedef struct ngx_gate_run_s       ngx_gate_run_t;


/* a check, or a trigger, in time: waiting for its turn, or under way */

struct ngx_gate_run_s {
    ngx_gate_probe_t          probe;
    ngx_gate_keeper_t        *keeper;
    ngx_gate_check_record_t  *record;       /* of a check */
    ngx_gate_check_shared_t  *shared;       /* of a check */
    ngx_gate_rate_t           rate;
    ngx_gate_timer_t          timer;        /* the next turn, or the limit of
                                               what is under way */
    ngx_log_t                 log;
    uint64_t                  begun;        /* us, of a monotonic clock */
    uint32_t                  duration;     /* us, of the last one */
    ngx_uint_t                errors;       /* running, for the backoff */
    ngx_uint_t                busy;
    ngx_msec_t              (*hold_back)(ngx_gate_run_t *run);
    void                    (*finish)(ngx_gate_run_t *run);
};


/* a gate in the worker that probes */

struct ngx_gate_keeper_s {
    ngx_gate_t               *gate;
    ngx_gate_schedule_t      *schedule;
    ngx_gate_record_t         record;
    ngx_gate_check_record_t  *checks;
    ngx_gate_run_t           *runs;
    ngx_gate_run_t           *trigger;      /* NULL: none */
    ngx_gate_timer_t          deadline;
    ngx_uint_t                news;         /* to be published */
    ngx_msec_t                remind;       /* pause, 0 while it is open */
    ngx_msec_t                remind_at;
};


struct ngx_gate_schedule_s {
    ngx_gate_writer_t         writer;
    ngx_gate_zone_t          *zone;
    ngx_gate_stats_t         *stats;
    ngx_resolver_t           *resolver;
    ngx_pool_t               *pool;
    ngx_log_t                *log;

    ngx_gate_keeper_t        *keepers;
    ngx_uint_t                nkeepers;

    ngx_gate_timers_t         timers;       /* of all timers here */
    ngx_gate_timer_t          beat;
    ngx_event_t               turn;         /* at the end of one of the event
                                               loop: publishes, tidies up */
    ngx_event_t               linger;       /* not cancelable: requests that
                                               wait keep us from exiting */
    ngx_connection_t         *watch;        /* learns of the exit in time */
    ngx_uint_t                claims;       /* in vain */
    ngx_uint_t                awake;
};


ngx_gate_schedule_t *ngx_gate_schedule_start(ngx_cycle_t *cycle,
    ngx_array_t *gates, ngx_gate_zone_t *zone, ngx_gate_stats_t *stats,
    ngx_uint_t generation, ngx_resolver_t *resolver);
void ngx_gate_schedule_stop(ngx_gate_schedule_t *schedule);

/* for ngx_gate_keeper.c and ngx_gate_trigger.c */

ngx_int_t ngx_gate_schedule_write_begin(ngx_gate_schedule_t *schedule);
void ngx_gate_run_init(ngx_gate_run_t *run, ngx_gate_keeper_t *keeper,
    ngx_gate_check_t *check, void (*finish)(ngx_gate_run_t *run));
void ngx_gate_run_at(ngx_gate_run_t *run, ngx_msec_t delay);
void ngx_gate_run_end(ngx_gate_run_t *run);


/* a gate: what its checks' verdicts make of it */

ngx_int_t ngx_gate_keeper_init(ngx_gate_keeper_t *keeper, ngx_gate_t *gate,
    ngx_gate_schedule_t *schedule);
void ngx_gate_keeper_wake(ngx_gate_keeper_t *keeper);
void ngx_gate_keeper_turn(ngx_gate_keeper_t *keeper);
void ngx_gate_keeper_sleep(ngx_gate_keeper_t *keeper);
void ngx_gate_keeper_news(ngx_gate_keeper_t *keeper);
void ngx_gate_keeper_remind(ngx_gate_keeper_t *keeper);
ngx_uint_t ngx_gate_keeper_is_idle(ngx_gate_keeper_t *keeper);


/* the request that asks the backend to begin */

void ngx_gate_trigger_wake(ngx_gate_keeper_t *keeper);
void ngx_gate_trigger_end(ngx_gate_keeper_t *keeper);
ngx_msec_t ngx_gate_trigger_hold_back(ngx_gate_run_t *run);
void ngx_gate_trigger_finish(ngx_gate_run_t *run);


#endif /* _NGX_GATE_SCHEDULE_H_INCLUDED_ */
