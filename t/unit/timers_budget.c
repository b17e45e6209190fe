
/*
 * Many timers that expire at once, each of which takes some time: they are
 * spread over iterations of the event loop.
 */


#include <prober.h>


#define UNIT_TIMERS  100


static void unit_timer_handler(ngx_gate_timer_t *timer);


static ngx_uint_t        unit_expired;
static ngx_gate_timer_t  unit_timers[UNIT_TIMERS];


static void
unit(void)
{
    ngx_uint_t         i, n;
    ngx_gate_timers_t  timers;

    ngx_cycle = &unit_cycle;
    (void) ngx_event_timer_init(&unit_log);
    ngx_gate_timers_init(&timers, &unit_log);
    ngx_time_update();

    for (i = 0; i < UNIT_TIMERS; i++) {
        unit_timers[i].handler = unit_timer_handler;
        ngx_gate_timers_add(&timers, &unit_timers[i], 0);
    }

    ngx_msleep(2);
    ngx_time_update();
    ngx_event_expire_timers();

    ok(unit_expired > 0 && unit_expired <= 6, "one iteration: %u timers",
       (unsigned) unit_expired);

    for (n = 1; unit_expired < UNIT_TIMERS && n < 1000; n++) {
        ngx_msleep(2);
        ngx_time_update();
        ngx_event_expire_timers();
    }

    ok(unit_expired == UNIT_TIMERS, "%u iterations: all timers",
       (unsigned) n);

    /* no runner and no prober are needed */

    (void) unit_begin;
    (void) unit_fork;
    (void) unit_runner;
    (void) unit_verdict;
}


static void
unit_timer_handler(ngx_gate_timer_t *timer)
{
    unit_expired++;
    ngx_msleep(2);
}
