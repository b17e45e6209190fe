
/*
 * Verdicts of one turn of the event loop are published once, together, at its
 * end.
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
       "nothing is published before the turn ends");
    ok(unit_says("starting") && unit_says("pending"), "all is as it was");

    unit_publish();

    ok(shared->published / NGX_GATE_ZONE_COUNT == n + 1,
       "then it is, once");
    ok(unit_says("\"state\":\"failed\"") && unit_says("waiting")
       && !unit_says("pending"), "and all of it");
    ok(unit_zone->changes == changes + 1, "those who wait look once");

    unit_verdict(runner, 1, NGX_GATE_FAILED, 2);

    ok(shared->published / NGX_GATE_ZONE_COUNT == n + 2,
       "less than a state is published, too");
    ok(unit_zone->changes == changes + 1, "nobody has to look");

    unit_verdict(runner, 1, NGX_GATE_FAILED, 2);

    ok(shared->published / NGX_GATE_ZONE_COUNT == n + 2, "nothing new is not");

    unit_probe(runner, 0, NGX_GATE_PASSED, 3);
    unit_probe(runner, 1, NGX_GATE_PASSED, 3);

    ok(!ngx_gate_zone_is_open(shared), "closed until the turn ends");

    unit_publish();

    ok(ngx_gate_zone_is_open(shared) && unit_says("ready"), "then it is open");
    ok(unit_zone->changes == changes + 2, "those who wait look again");
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
