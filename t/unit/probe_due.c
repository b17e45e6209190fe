
/*
 * A check that becomes due by an event of its own: its next run starts at once,
 * or after the one in flight, but not more often than every 10 ms.
 */


#include <prober.h>


static void unit_turn(void);
static void unit_sleep(ngx_msec_t ms);
static void unit_end(ngx_gate_runner_t *runner);


static void
unit(void)
{
    ngx_uint_t          n;
    ngx_msec_t          start;
    ngx_gate_runner_t  *runner;
    ngx_gate_probe_t   *probe;

    unit_begin();

    runner = unit_runner(0);
    probe = &runner->runs[0].probe;

    ok(probe->state == NULL, "before the first run: no state");

    /* an iteration ends after some time, however many timers are due */

    for (n = 0; n < 1000 && unit_starts < UNIT_CHECKS; n++) {
        unit_turn();
    }

    ok(runner->runs[0].busy && unit_starts == UNIT_CHECKS, "start: all runs");
    ok(((u_char *) probe->state)[0] == 0
       && ((u_char *) probe->state)[UNIT_STATE - 1] == 0,
       "first run: a zeroed state");

    /* between two runs */

    unit_end(runner);
    unit_turn();

    ok(!runner->runs[0].busy, "run ended: none before the interval");

    ngx_gate_probe_due(probe);
    unit_expire();

    ok(runner->runs[0].busy, "due: a run in the next iteration, although one "
       "by the interval has just ended");

    /* during a run */

    unit_sleep(20);
    ngx_gate_probe_due(probe);
    ngx_gate_probe_due(probe);
    n = unit_starts;
    unit_turn();

    ok(unit_starts == n, "due during a run: no second run");

    /* not before twice the duration of that run */

    unit_end(runner);
    unit_sleep(runner->runs[0].duration / 1000 + 2);
    unit_turn();

    ok(runner->runs[0].busy && unit_starts == n + 1,
       "due during a run, after twice its duration: a run");

    unit_end(runner);
    unit_sleep(20);
    unit_turn();

    ok(!runner->runs[0].busy, "due during a run: one more run only");

    /* due without end */

    n = unit_starts;
    start = ngx_current_msec;

    while (ngx_current_msec - start < 100) {
        ngx_gate_probe_due(probe);
        unit_turn();

        if (runner->runs[0].busy) {
            unit_end(runner);
        }
    }

    n = unit_starts - n;

    ok(n >= 2 && n <= 1 + (ngx_current_msec - start) / 9,
       "due without end: %u runs in %u ms", (unsigned) n,
       (unsigned) (ngx_current_msec - start));

    /* not needed */

    unit_sleep(20);
    unit_verdict(runner, 0, NGX_GATE_PASSED, 1);
    ngx_gate_run_cancel(&runner->runs[0]);
    n = unit_starts;
    ngx_gate_probe_due(probe);
    unit_turn();

    ok(unit_starts == n, "due, not scheduled: no run");
}


static void
unit_turn(void)
{
    unit_sleep(1);
    unit_expire();
}


static void
unit_sleep(ngx_msec_t ms)
{
    ngx_msleep(ms);
    ngx_time_update();
}


static void
unit_end(ngx_gate_runner_t *runner)
{
    ngx_gate_probe_end(&runner->runs[0].probe, NGX_GATE_WAITING,
                       NGX_GATE_MISSING, "");
}
