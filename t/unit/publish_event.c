
/*
 * Verdicts of one iteration of the event loop are published once, together, at
 * its end.
 */


#include <prober.h>


static ngx_uint_t unit_says(const char *text);


static void
unit(void)
{
    ngx_uint_t          n, changes;
    ngx_gate_runner_t  *runner;
    ngx_gate_shared_t  *shared;

    unit_begin();

    runner = unit_runner(0);
    unit_publish();

    shared = unit_gate->shared;
    n = shared->published / NGX_GATE_ZONE_COUNT;
    changes = unit_zone->changes;

    unit_probe(runner, 0, NGX_GATE_WAITING, 1);
    unit_probe(runner, 1, NGX_GATE_FAILED, 1);

    ok(shared->published / NGX_GATE_ZONE_COUNT == n,
       "verdicts, same iteration: not published");
    ok(unit_says("starting") && unit_says("pending"),
       "same iteration: body unchanged");

    unit_publish();

    ok(shared->published / NGX_GATE_ZONE_COUNT == n + 1,
       "end of the iteration: published once");
    ok(unit_says("\"state\":\"failed\"") && unit_says("waiting")
       && !unit_says("pending"),
       "end of the iteration: all verdicts in the body");
    ok(unit_zone->changes == changes + 1, "change of the state: one change");

    unit_verdict(runner, 1, NGX_GATE_FAILED, 2);

    ok(shared->published / NGX_GATE_ZONE_COUNT == n + 2,
       "change of a verdict: published");
    ok(unit_zone->changes == changes + 1,
       "change of a verdict: no change of the state");

    unit_verdict(runner, 1, NGX_GATE_FAILED, 2);

    ok(shared->published / NGX_GATE_ZONE_COUNT == n + 2,
       "no change: not published");

    unit_probe(runner, 0, NGX_GATE_PASSED, 3);
    unit_probe(runner, 1, NGX_GATE_PASSED, 3);

    ok(!ngx_gate_zone_is_open(shared), "all passed, same iteration: closed");

    unit_publish();

    ok(ngx_gate_zone_is_open(shared) && unit_says("ready"),
       "all passed, end of the iteration: open");
    ok(unit_zone->changes == changes + 2, "opened: one more change");
}


static ngx_uint_t
unit_says(const char *text)
{
    u_char              body[NGX_GATE_HEADER_MAX + UNIT_BODY + 1];
    ngx_gate_refusal_t  refusal;

    ngx_gate_zone_read_refusal(unit_gate->shared, &refusal,
                               NGX_GATE_REFUSAL_JSON, body);
    refusal.body.data[refusal.body.len] = '\0';

    return ngx_strstr(refusal.body.data, text) != NULL;
}
