
/*
 * Many timers that expire at once, each of which takes some time: they are
 * spread over iterations of the event loop.  Timers that are set in each
 * iteration do not delay others.
 */


#include <prober.h>


#define UNIT_TIMERS  100


static void unit_timer_handler(ngx_gate_timer_t *timer);
static void unit_set_again(ngx_gate_timers_t *timers);


static ngx_uint_t        unit_expired;
static ngx_gate_timer_t  unit_timers[UNIT_TIMERS];


static void
unit(void)
{
    ngx_uint_t         i, n;
    ngx_gate_timers_t  timers;

    unit_cycle.log = &unit_log;
    ngx_cycle = &unit_cycle;
    (void) ngx_event_timer_init(&unit_log);
    ngx_queue_init(&ngx_posted_events);
    ngx_queue_init(&ngx_posted_next_events);
    ngx_gate_timers_init(&timers, &unit_log);
    ngx_time_update();

    for (i = 0; i < UNIT_TIMERS; i++) {
        unit_timers[i].handler = unit_timer_handler;
        ngx_gate_timers_add(&timers, &unit_timers[i], 0);
    }

    unit_expire();

    ok(unit_expired > 0 && unit_expired <= 6, "one iteration: %u timers",
       (unsigned) unit_expired);

    for (n = 1; unit_expired < UNIT_TIMERS && n < 1000; n++) {
        unit_expire();
    }

    ok(unit_expired == UNIT_TIMERS, "%u iterations: all timers",
       (unsigned) n);

    unit_set_again(&timers);

    /* no runner and no prober are needed */

    (void) unit_begin;
    (void) unit_fork;
    (void) unit_runner;
    (void) unit_verdict;
}


/* as by events that come before the timers of an iteration */

static void
unit_set_again(ngx_gate_timers_t *timers)
{
    ngx_uint_t  n;

    unit_expired = 0;

    ngx_gate_timers_add(timers, &unit_timers[0], 0);

    for (n = 0; unit_expired == 0 && n < 100; n++) {
        ngx_msleep(1);
        ngx_time_update();

        ngx_gate_timers_add(timers, &unit_timers[1], 0);
        ngx_gate_timers_add(timers, &unit_timers[2], 1000);
        ngx_gate_timers_del(timers, &unit_timers[2]);

        unit_expire();
    }

    ok(n <= 10, "expired in iteration %u", (unsigned) n);
}


static void
unit_timer_handler(ngx_gate_timer_t *timer)
{
    unit_expired++;
    ngx_msleep(2);
}
