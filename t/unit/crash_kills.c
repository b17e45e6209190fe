
/*
 * Probers are killed at any time and replaced, while other processes read on
 * both cores: no read is torn.
 */


#include <prober.h>


#define UNIT_READERS   2
#define UNIT_STRESS    1000    /* ms */


static void unit_wait_for_writer(ngx_atomic_uint_t written, ngx_msec_t end);
static void unit_read_on(void);
static ngx_uint_t unit_refusal_is_torn(void);
static ngx_uint_t unit_check_is_torn(void);
static void unit_write_on(ngx_uint_t n);


/* results of the readers, in shared memory */

static struct {
    ngx_atomic_t            reads;
    ngx_atomic_t            torn;
    ngx_atomic_t            stop;
    ngx_atomic_t            written;
} *unit_found;


static void
unit(void)
{
    pid_t              pid, readers[UNIT_READERS];
    ngx_msec_t         end;
    ngx_uint_t         i, kills;
    ngx_atomic_uint_t  written;

    unit_begin();
    unit_found = unit_shared(ngx_pagesize);

    for (i = 0; i < UNIT_READERS; i++) {
        readers[i] = unit_fork();

        if (readers[i] == 0) {
            unit_read_on();
            _exit(0);
        }
    }

    ngx_time_update();
    end = ngx_current_msec + unit_patience(UNIT_STRESS);

    /* longer on a slow machine */

    for (kills = 0;
         (ngx_msec_int_t) (end - ngx_current_msec) > 0
         || (unit_found->written <= 100 && kills < 10000);
         kills++)
    {
        written = unit_found->written;

        pid = unit_fork();

        if (pid == 0) {
            unit_write_on(written);
            _exit(0);
        }

        /* some are killed before they write */

        if (kills % 4) {
            unit_wait_for_writer(written, end);
        }

        usleep(ngx_random() % 3000);
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);

        ngx_time_update();
    }

    unit_found->stop = 1;

    for (i = 0; i < UNIT_READERS; i++) {
        (void) waitpid(readers[i], NULL, 0);
    }

    ok(kills > 10 && unit_found->written > 100 && unit_found->reads > 100,
       "%u writers killed, %u verdicts, %u reads", (unsigned) kills,
       (unsigned) unit_found->written, (unsigned) unit_found->reads);
    ok(unit_found->torn == 0, "%u torn", (unsigned) unit_found->torn);
}


static void
unit_wait_for_writer(ngx_atomic_uint_t written, ngx_msec_t end)
{
    while (unit_found->written == written
           && (ngx_msec_int_t) (end - ngx_current_msec) > 0)
    {
        usleep(100);
        ngx_time_update();
    }
}


static void
unit_read_on(void)
{
    ngx_uint_t  torn;

    while (!unit_found->stop) {
        torn = unit_refusal_is_torn() || unit_check_is_torn();

        (void) ngx_atomic_fetch_add(&unit_found->reads, 1);
        (void) ngx_atomic_fetch_add(&unit_found->torn, torn);
    }
}


/* all members of a record follow from one number or from the state */

static ngx_uint_t
unit_refusal_is_torn(void)
{
    u_char              *p, state[64];
    u_char               body[NGX_GATE_HEADER_MAX + UNIT_BODY];
    size_t               len;
    ngx_gate_refusal_t   refusal;

    ngx_gate_zone_read_refusal(unit_gate->shared, &refusal,
                               NGX_GATE_REFUSAL_JSON, body);

    p = ngx_sprintf(state, "{\"gate\":\"app\",\"state\":\"%V\",",
                    &ngx_gate_state_names[refusal.state]);
    len = p - state;

    if (refusal.body.len < len
        || ngx_memcmp(refusal.body.data, state, len) != 0
        || refusal.body.data[refusal.body.len - 1] != '}')
    {
        return 1;
    }

    p = ngx_sprintf(state, "app; state=%V",
                    &ngx_gate_state_names[refusal.state]);
    len = p - state;

    return refusal.header.len != len
           || ngx_memcmp(refusal.header.data, state, len) != 0;
}


static ngx_uint_t
unit_check_is_torn(void)
{
    u_char                   *p, message[64];
    size_t                    len;
    ngx_uint_t                i;
    ngx_gate_check_record_t   record;

    ngx_gate_zone_read_check(&unit_gate->shared->checks[1].slots, &record);

    if (record.attempts == 0 || record.result.verdict == NGX_GATE_PASSED) {
        return 0;
    }

    p = ngx_sprintf(message, "%L: ", record.result.observed);
    len = p - message;

    if (record.result.message_len < len
        || ngx_memcmp(record.result.message, message, len) != 0)
    {
        return 1;
    }

    for (i = len; i < record.result.message_len; i++) {
        if (record.result.message[i] != 'a' + record.result.observed % 26) {
            return 1;
        }
    }

    return 0;
}


static void
unit_write_on(ngx_uint_t n)
{
    ngx_gate_runner_t  *runner;

    do {
        runner = unit_runner(0);
    } while (runner == NULL);

    for (n++; /* void */ ; n++) {
        ngx_time_update();

        unit_verdict(runner, 0, NGX_GATE_PASSED, n);
        unit_verdict(runner, 1, NGX_GATE_WAITING + n % 3, n);

        unit_found->written = n;
    }
}
