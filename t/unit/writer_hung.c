
/*
 * A prober that hangs at many points of a write, is deposed, and continues when
 * another one probes: what it writes then is not visible to readers.
 */


#include <prober.h>

#include <sys/ptrace.h>


#define UNIT_STOPS  24


static void unit_fences(void);
static void unit_hangs(const char *name, ngx_gate_verdict_e before,
    ngx_gate_verdict_e verdict);
static pid_t unit_hang(ngx_gate_verdict_e verdict);
static ngx_uint_t unit_step(pid_t pid);
static ngx_uint_t unit_count_steps(pid_t pid);
static void unit_resume(const char *name, pid_t pid, ngx_uint_t stop);
static void unit_other(const char *name, ngx_uint_t stop);
static ngx_gate_runner_t *unit_depose(void);


static u_char  *unit_copy;
static u_char   unit_body[2][NGX_GATE_HEADER_MAX + UNIT_BODY];


static void
unit(void)
{
    unit_fences();
    unit_hangs("opens", NGX_GATE_WAITING, NGX_GATE_PASSED);
    unit_hangs("closes", NGX_GATE_PASSED, NGX_GATE_FAILED);
}


/* processes that may be deposed, and others */

static void
unit_fences(void)
{
    int                status;
    pid_t              pid, other;
    ngx_gate_writer_t  writer;

    unit_begin();

    ok(unit_runner(0) != NULL, "prober: started");

    pid = unit_fork();

    if (pid == 0) {
        ngx_gate_writer_init(&writer, unit_zone, 1);

        if (ngx_gate_writer_claim(&writer, 0) != NGX_BUSY
            || ngx_gate_writer_claim(&writer, 1) != NGX_OK)
        {
            _exit(1);
        }

        raise(SIGSTOP);
        _exit(0);
    }

    (void) waitpid(pid, NULL, WUNTRACED);

    ok(unit_zone->owner && ngx_gate_writer_pid(unit_zone) == pid,
       "hung prober: deposed by another process");
    ok(ngx_gate_writer_write_begin(&unit_prober.writer) == NGX_DECLINED,
       "deposed prober: cannot write");

    other = unit_fork();

    if (other == 0) {
        ngx_gate_writer_init(&writer, unit_zone, 1);
        _exit(ngx_gate_writer_claim(&writer, 1) == NGX_BUSY ? 0 : 1);
    }

    (void) waitpid(other, &status, 0);

    ok(status == 0, "second prober, both alive: not deposed");

    (void) kill(pid, SIGKILL);

    /* not waited for where /proc shows it: a zombie is dead */

    if (access("/proc/self/stat", R_OK) == -1) {
        (void) waitpid(pid, NULL, 0);
    }

    while (ngx_gate_process_is_alive(unit_zone->owner)) {
        ngx_msleep(1);
    }

    ok(ngx_gate_writer_claim(&unit_prober.writer, 0) == NGX_OK,
       "dead prober: replaced");
    (void) waitpid(pid, NULL, 0);

    ok(!ngx_gate_process_is_alive(ngx_gate_process_self()
                                  ^ NGX_GATE_PROCESS_START)
       || NGX_GATE_PROCESS_START == 0,
       "the same pid again: another process");
}


static void
unit_hangs(const char *name, ngx_gate_verdict_e before,
    ngx_gate_verdict_e verdict)
{
    pid_t               pid;
    ngx_uint_t          i, n, steps;
    ngx_gate_runner_t  *runner;

    unit_begin();

    unit_copy = ngx_palloc(unit_pool, unit_size);
    if (unit_copy == NULL) {
        exit(2);
    }

    runner = unit_runner(0);
    unit_verdict(runner, 0, NGX_GATE_PASSED, 1);
    unit_verdict(runner, 1, before, 1);
    ngx_gate_writer_release(&unit_prober.writer);

    ngx_memcpy(unit_copy, unit_memory, unit_size);

    pid = unit_hang(verdict);

    if (pid == 0) {
        ok(1, "%s # skip may not be traced here", name);
        return;
    }

    steps = unit_count_steps(pid);

    ok(steps > 1000, "%s: %u steps", name, (unsigned) steps);

    for (i = 1; i < UNIT_STOPS; i++) {
        ngx_memcpy(unit_memory, unit_copy, unit_size);

        pid = unit_hang(verdict);

        for (n = 0; n < steps * i / UNIT_STOPS; n++) {
            if (!unit_step(pid)) {
                break;
            }
        }

        unit_other(name, i);
        unit_resume(name, pid, i);
    }
}


/* a prober that is stopped before it takes a verdict */

static pid_t
unit_hang(ngx_gate_verdict_e verdict)
{
    int                 status;
    pid_t               pid;
    ngx_gate_runner_t  *runner;

    pid = unit_fork();

    if (pid == 0) {
        runner = unit_runner(0);

        if (runner == NULL || ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(9);
        }

        raise(SIGSTOP);
        unit_verdict(runner, 1, verdict, 2);
        _exit(0);
    }

    if (waitpid(pid, &status, 0) == -1 || !WIFSTOPPED(status)) {
        return 0;
    }

    return pid;
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


static ngx_uint_t
unit_count_steps(pid_t pid)
{
    ngx_uint_t  n;

    for (n = 0; unit_step(pid); n++) { /* void */ }

    return n;
}


/* the verdicts of the new prober */

static void
unit_other(const char *name, ngx_uint_t stop)
{
    ngx_gate_runner_t  *runner;

    runner = unit_depose();

    if (runner == NULL) {
        ok(0, "%s: stop %u: cannot be deposed", name, (unsigned) stop);
        return;
    }

    unit_verdict(runner, 0, NGX_GATE_WAITING, 3);
    unit_verdict(runner, 1, NGX_GATE_RUNNING, 4);
    unit_verdict(runner, 1, NGX_GATE_RUNNING, 5);
}


static ngx_gate_runner_t *
unit_depose(void)
{
    unit_hung = 1;

    (void) unit_runner(0);

    unit_hung = 0;

    return ngx_gate_writer_owns(&unit_prober.writer) ? &unit_the_runner : NULL;
}


static void
unit_resume(const char *name, pid_t pid, ngx_uint_t stop)
{
    int                       status;
    ngx_uint_t                i, n, changes;
    ngx_gate_record_t         record[2];
    ngx_gate_refusal_t        refusal[2];
    ngx_gate_check_record_t   checks[2][UNIT_CHECKS];

    ngx_memzero(record, sizeof(record));
    ngx_memzero(checks, sizeof(checks));
    changes = 0;

    for (i = 0; i < 2; i++) {
        if (i == 1) {
            (void) ptrace(PTRACE_CONT, pid, NULL, NULL);
            (void) waitpid(pid, &status, 0);

            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                ok(0, "%s: stop %u: it has crashed", name, (unsigned) stop);
            }

            if (unit_zone->changes < changes) {
                ok(0, "%s: stop %u: a change was undone", name,
                   (unsigned) stop);
            }
        }

        changes = unit_zone->changes;

        ngx_gate_zone_read(unit_gate->shared, &record[i]);
        ngx_gate_zone_read_refusal(unit_gate->shared, &refusal[i],
                                   NGX_GATE_REFUSAL_JSON, unit_body[i]);

        for (n = 0; n < UNIT_CHECKS; n++) {
            ngx_gate_zone_read_check(&unit_gate->shared->checks[n].slots,
                                     &checks[i][n]);
        }
    }

    if (ngx_memcmp(&record[0], &record[1], sizeof(ngx_gate_record_t)) != 0
        || ngx_memcmp(checks[0], checks[1], sizeof(checks[0])) != 0
        || refusal[0].body.len != refusal[1].body.len
        || ngx_memcmp(refusal[0].body.data, refusal[1].body.data,
                      refusal[0].body.len)
           != 0)
    {
        ok(0, "%s: stop %u: it has written", name, (unsigned) stop);
    }

    if ((ngx_gate_zone_is_open(unit_gate->shared) != 0)
        != ngx_gate_state_is_open(unit_gate, record[1].latch.state))
    {
        ok(0, "%s: stop %u: open and state differ", name, (unsigned) stop);
    }

    /* the next verdict is published, too */

    unit_verdict(&unit_the_runner, 1, NGX_GATE_WAITING, 6);
    ngx_gate_zone_read_check(&unit_gate->shared->checks[1].slots,
                             &checks[0][1]);

    if (checks[0][1].result.observed != 6) {
        ok(0, "%s: stop %u: nothing is published after it", name,
           (unsigned) stop);
    }
}
