
/*
 * The prober is killed between any two of its stores: a child publishes a
 * verdict, from the record of the check to the state of the gate, one
 * instruction at a time.  After each step that changes the shared memory a
 * reader must see a consistent state, and a successor must be able to go on.
 */


#include <prober.h>

#include <sys/ptrace.h>


/* all that readers see of the gate */

typedef struct {
    ngx_uint_t                open;
    ngx_uint_t                changes;
    ngx_gate_record_t         record;
    ngx_gate_check_record_t   checks[UNIT_CHECKS];
    ngx_uint_t                nevents;
    ngx_gate_zone_event_t     events[NGX_GATE_HISTORY];
    size_t                    json_len;
    size_t                    header_len;
    u_char                    json[UNIT_BODY];
    u_char                    header[NGX_GATE_HEADER_MAX];
} unit_view_t;


static void unit_steps(const char *name, ngx_gate_verdict_e before,
    ngx_gate_verdict_e verdict);
static void unit_history(ngx_gate_verdict_e before);
static void unit_undisturbed(ngx_gate_verdict_e verdict);
static ngx_uint_t unit_walk(pid_t pid, const char *name);
static ngx_uint_t unit_step(pid_t pid);
static void unit_look_at(const char *name, ngx_uint_t step);
static void unit_succeed(const char *name, ngx_uint_t step);
static ngx_uint_t unit_is(unit_view_t *view, unit_view_t *other);
static void unit_view(unit_view_t *view);


static u_char              *unit_copy;
static ngx_gate_verdict_e   unit_new;
static unit_view_t          unit_before, unit_after, unit_now;


static void
unit(void)
{
    unit_steps("opens", NGX_GATE_WAITING, NGX_GATE_PASSED);
    unit_steps("closes", NGX_GATE_PASSED, NGX_GATE_FAILED);
    unit_steps("goes on", NGX_GATE_WAITING, NGX_GATE_RUNNING);
}


/* the second check has this verdict, the first one has passed */

static void
unit_steps(const char *name, ngx_gate_verdict_e before,
    ngx_gate_verdict_e verdict)
{
    pid_t               pid;
    ngx_uint_t          steps;
    ngx_gate_runner_t  *runner;

    unit_begin();
    unit_new = verdict;

    unit_copy = ngx_palloc(unit_pool, unit_size);
    if (unit_copy == NULL) {
        exit(2);
    }

    unit_history(before);

    unit_view(&unit_before);
    ngx_memcpy(unit_copy, unit_memory, unit_size);

    unit_undisturbed(verdict);

    unit_view(&unit_after);
    ngx_memcpy(unit_memory, unit_copy, unit_size);

    ok(!unit_is(&unit_before, &unit_after), "%s: the record changes", name);

    pid = unit_fork();

    if (pid == 0) {
        runner = unit_runner(1);

        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(9);
        }

        raise(SIGSTOP);
        unit_verdict(runner, 1, verdict, 2);
        _exit(0);
    }

    steps = unit_walk(pid, name);

    if (steps == 0) {
        ok(1, "%s # skip may not be traced here", name);
        return;
    }

    ok(steps > 10, "%s: %u steps that changed memory", name, (unsigned) steps);

    unit_view(&unit_now);
    ok(unit_is(&unit_now, &unit_after), "%s: final state", name);
}


/* as long as the buffer */

static void
unit_history(ngx_gate_verdict_e before)
{
    ngx_uint_t          i;
    ngx_gate_runner_t  *runner;

    runner = unit_runner(0);
    unit_verdict(runner, 0, NGX_GATE_PASSED, 1);

    for (i = 0; i < NGX_GATE_HISTORY; i++) {
        unit_verdict(runner, 1, NGX_GATE_PASSED, 1);
        unit_verdict(runner, 1, NGX_GATE_WAITING, 1);
    }

    unit_verdict(runner, 1, before, 1);
    ngx_gate_prober_write_begin(&unit_prober);
    ngx_gate_zone_publish(&unit_prober.writer, unit_gate, &runner->record,
                          runner->checks);
    ngx_gate_writer_write_end(&unit_prober.writer);
}


/* once without interruption, for the final state */

static void
unit_undisturbed(ngx_gate_verdict_e verdict)
{
    pid_t  pid;

    pid = unit_fork();

    if (pid == 0) {
        unit_verdict(unit_runner(1), 1, verdict, 2);
        _exit(0);
    }

    (void) waitpid(pid, NULL, 0);
}


/* returns the number of steps that changed the memory */

static ngx_uint_t
unit_walk(pid_t pid, const char *name)
{
    int          status;
    u_char      *last;
    ngx_uint_t   n, steps;

    if (waitpid(pid, &status, 0) == -1 || !WIFSTOPPED(status)) {
        return 0;
    }

    last = ngx_alloc(unit_size, &unit_log);
    if (last == NULL) {
        exit(2);
    }

    ngx_memcpy(last, unit_memory, unit_size);
    unit_view(&unit_before);

    steps = 0;

    for (n = 0; unit_step(pid); n++) {

        if (ngx_memcmp(last, unit_memory, unit_size) == 0) {
            continue;
        }

        ngx_memcpy(last, unit_memory, unit_size);

        unit_look_at(name, n);
        unit_succeed(name, n);

        ngx_memcpy(unit_memory, last, unit_size);
        steps++;
    }

    ngx_free(last);

    return steps;
}


static ngx_uint_t
unit_step(pid_t pid)
{
    int  status;

    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == -1
        || waitpid(pid, &status, 0) == -1)
    {
        return 0;
    }

    return WIFSTOPPED(status);
}


/* a reader at this point */

static void
unit_look_at(const char *name, ngx_uint_t step)
{
    unsigned      n;
    ngx_uint_t    i;
    unit_view_t  *view;

    n = step;
    view = &unit_now;

    unit_view(view);

    if (view->json_len != unit_before.json_len
        || ngx_memcmp(view->json, unit_before.json, view->json_len) != 0
        || ngx_memcmp(&view->record, &unit_before.record,
                      sizeof(ngx_gate_record_t))
           != 0)
    {
        if (view->json_len != unit_after.json_len
            || ngx_memcmp(view->json, unit_after.json, view->json_len) != 0
            || view->header_len != unit_after.header_len
            || ngx_memcmp(view->header, unit_after.header,
                          view->header_len) != 0
            || ngx_memcmp(&view->record, &unit_after.record,
                          sizeof(ngx_gate_record_t))
               != 0)
        {
            ok(0, "%s: step %u: the gate's record is torn", name, n);
        }
    }

    for (i = 0; i < UNIT_CHECKS; i++) {
        if (ngx_memcmp(&view->checks[i], &unit_before.checks[i],
                       sizeof(ngx_gate_check_record_t))
            != 0
            && ngx_memcmp(&view->checks[i], &unit_after.checks[i],
                          sizeof(ngx_gate_check_record_t))
               != 0)
        {
            ok(0, "%s: step %u: a check's record is torn", name, n);
        }
    }

    if ((view->nevents != unit_before.nevents
         || ngx_memcmp(view->events, unit_before.events,
                       view->nevents * sizeof(ngx_gate_zone_event_t))
            != 0)
        && (view->nevents != unit_after.nevents
            || ngx_memcmp(view->events, unit_after.events,
                          view->nevents * sizeof(ngx_gate_zone_event_t))
               != 0))
    {
        ok(0, "%s: step %u: the history is torn", name, n);
    }

    /* a closed gate has a body, and requests are released last */

    if (!view->open
        && ngx_gate_state_is_open(unit_gate, view->record.latch.state))
    {
        ok(0, "%s: step %u: closed, but open in the record", name, n);
    }

    if (view->changes != unit_before.changes
        && (view->open != unit_after.open
            || view->record.latch.state != unit_after.record.latch.state))
    {
        ok(0, "%s: step %u: waiting requests woken too early", name, n);
    }
}


/* a successor of a writer that is killed at this point */

static void
unit_succeed(const char *name, ngx_uint_t step)
{
    unsigned            n;
    ngx_uint_t          i, changes;
    ngx_gate_runner_t  *runner;

    n = step;

    changes = unit_zone->changes;

    runner = unit_runner(1);

    if (runner == NULL) {
        ok(0, "%s: step %u: a successor cannot take over", name, n);
        return;
    }

    if (unit_zone->changes == changes
        && ngx_gate_zone_is_open(unit_gate->shared) != unit_before.open)
    {
        ok(0, "%s: step %u: waiting requests are not woken", name, n);
    }

    if (ngx_gate_zone_is_open(unit_gate->shared)
        != ngx_gate_state_is_open(unit_gate, runner->record.latch.state))
    {
        ok(0, "%s: step %u: a successor does not change the flag", name, n);
    }

    unit_verdict(runner, 1, unit_new, 2);

    unit_view(&unit_now);

    if (unit_now.open != unit_after.open
        || unit_now.record.latch.state != unit_after.record.latch.state)
    {
        ok(0, "%s: step %u: a successor has another final state", name, n);
    }

    if (unit_now.nevents != unit_after.nevents) {
        ok(0, "%s: step %u: history has %u events", name, n,
           (unsigned) unit_now.nevents);
    }

    for (i = 0; i < unit_now.nevents; i++) {
        if (unit_now.events[i].state != unit_after.events[i].state) {
            ok(0, "%s: step %u: history", name, n);
        }
    }
}


static ngx_uint_t
unit_is(unit_view_t *view, unit_view_t *other)
{
    return ngx_memcmp(view, other, sizeof(unit_view_t)) == 0;
}


/* times of the real clock are left out */

static void
unit_view(unit_view_t *view)
{
    ngx_uint_t        i;
    ngx_gate_refusal_t  refusal;
    u_char            body[NGX_GATE_HEADER_MAX + UNIT_BODY];

    ngx_memzero(view, sizeof(unit_view_t));

    view->open = ngx_gate_zone_is_open(unit_gate->shared);
    view->changes = unit_zone->changes;

    ngx_gate_zone_read(unit_gate->shared, &view->record);
    view->nevents = ngx_gate_zone_read_events(&view->record, view->events);

    for (i = 0; i < UNIT_CHECKS; i++) {
        ngx_gate_zone_read_check(&unit_gate->shared->checks[i].slots,
                                 &view->checks[i]);

        view->checks[i].duration = 0;

        /* published again when the gate closes, with a shorter interval */

        view->checks[i].next_check = 0;

        ngx_memzero(view->checks[i].result.message
                    + view->checks[i].result.message_len,
                    NGX_GATE_MESSAGE_MAX - view->checks[i].result.message_len);
    }

    ngx_gate_zone_read_refusal(unit_gate->shared, &refusal,
                               NGX_GATE_REFUSAL_JSON, body);
    view->json_len = refusal.body.len;
    ngx_memcpy(view->json, refusal.body.data, refusal.body.len);

    ngx_gate_zone_read_refusal(unit_gate->shared, &refusal,
                               NGX_GATE_REFUSAL_HEADER, body);
    view->header_len = refusal.header.len;
    ngx_memcpy(view->header, refusal.header.data, refusal.header.len);
}
