
/*
 * For tests of a prober, and of the shared memory after it was killed: a gate
 * of two checks in shared memory, as nginx sets it up, and a prober with given
 * verdicts.
 */


#ifndef _PROBER_H_INCLUDED_
#define _PROBER_H_INCLUDED_


#include <unit.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_record.h>
#include <ngx_gate_process.h>
#include <ngx_gate_prober.h>

#include <sys/mman.h>
#include <sys/wait.h>


#define UNIT_CHECKS    2
#define UNIT_BODY      4096
#define UNIT_STATE     64


static void unit_begin(void);
static void unit_configure(void);
static void *unit_shared(size_t size);
static ngx_inline pid_t unit_fork(void);
static ngx_gate_runner_t *unit_runner(ngx_uint_t force);
static void unit_verdict(ngx_gate_runner_t *runner, ngx_uint_t i,
    ngx_gate_verdict_e verdict, ngx_uint_t n);
static void unit_probe(ngx_gate_runner_t *runner, ngx_uint_t i,
    ngx_gate_verdict_e verdict, ngx_uint_t n);
static ngx_inline void unit_expire(void);
static void unit_publish(void);
static void unit_publish_handler(ngx_event_t *ev);
static void unit_start(ngx_gate_probe_t *probe);
static void unit_cancel(ngx_gate_probe_t *probe);


static ngx_gate_check_type_t  unit_type = {
    ngx_string("unit"), NULL, 0, UNIT_STATE, NULL, unit_start, unit_cancel, 0,
    0
};

static ngx_cycle_t          unit_cycle;
static ngx_array_t          unit_gates;
static ngx_gate_t          *unit_gate;
static ngx_gate_zone_t     *unit_zone;
static u_char              *unit_memory;
static size_t               unit_size;
static ngx_log_t            unit_silent;

static ngx_pool_t          *unit_runner_pool;
static ngx_gate_prober_t    unit_prober;
static ngx_gate_runner_t    unit_the_runner;
static ngx_uint_t           unit_starts;
static ngx_uint_t           unit_hung;


static void
unit_begin(void)
{
    u_char            digest[16];
    ngx_conf_t        cf;
    ngx_shm_zone_t   *shm_zone;
    ngx_slab_pool_t  *shpool;

    ngx_slab_sizes_init();

    unit_silent = unit_log;
    unit_silent.log_level = 0;

    unit_cycle.log = &unit_silent;
    ngx_cycle = &unit_cycle;

    unit_configure();

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    ngx_memzero(digest, sizeof(digest));

    cf.cycle = &unit_cycle;
    cf.pool = unit_pool;
    cf.log = &unit_log;

    shm_zone = ngx_gate_zone_add(&cf, &unit_gates, digest, &unit_type);
    if (shm_zone == NULL) {
        exit(2);
    }

    unit_size = shm_zone->shm.size;
    unit_memory = unit_shared(unit_size);

    shm_zone->shm.addr = unit_memory;

    shpool = (ngx_slab_pool_t *) unit_memory;
    shpool->end = unit_memory + unit_size;
    shpool->min_shift = 3;
    shpool->addr = unit_memory;

    if (ngx_shmtx_create(&shpool->mutex, &shpool->lock, NULL) != NGX_OK) {
        exit(2);
    }

    ngx_slab_init(shpool);

    if (shm_zone->init(shm_zone, NULL) != NGX_OK) {
        exit(2);
    }

    unit_zone = shm_zone->data;

    if (ngx_gate_record_init_zone(&unit_gates, unit_zone, NULL, &unit_log)
        != NGX_OK)
    {
        exit(2);
    }
}


static void
unit_configure(void)
{
    ngx_uint_t         i;
    ngx_gate_check_t  *check;

    if (ngx_list_init(&unit_cycle.shared_memory, unit_pool, 1,
                      sizeof(ngx_shm_zone_t))
        != NGX_OK
        || ngx_array_init(&unit_gates, unit_pool, 1, sizeof(ngx_gate_t))
           != NGX_OK)
    {
        exit(2);
    }

    unit_gate = ngx_array_push(&unit_gates);
    ngx_memzero(unit_gate, sizeof(ngx_gate_t));

    ngx_str_set(&unit_gate->name, "app");
    unit_gate->interval = 1000;
    unit_gate->interval_open = 1000;
    unit_gate->backoff = 5000;
    unit_gate->rise = 1;
    unit_gate->fall = 1;

    if (ngx_array_init(&unit_gate->checks, unit_pool, UNIT_CHECKS,
                       sizeof(ngx_gate_check_t))
        != NGX_OK)
    {
        exit(2);
    }

    for (i = 0; i < UNIT_CHECKS; i++) {
        check = ngx_array_push(&unit_gate->checks);
        ngx_memzero(check, sizeof(ngx_gate_check_t));

        ngx_str_set(&check->name, "one");
        check->type = &unit_type;
        check->gate = unit_gate;
        check->index = i;
        check->interval = 1000;
        check->interval_open = 1000;
        check->timeout = 3000;
        check->digest[0] = (u_char) (i + 1);
    }
}


static void *
unit_shared(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);
    if (p == MAP_FAILED) {
        exit(2);
    }

    return p;
}


static ngx_inline pid_t
unit_fork(void)
{
    pid_t  pid;

    /* or buffered output would be written twice */
    fflush(stdout);

    pid = fork();

    if (pid == -1) {
        exit(2);
    }

    if (pid == 0) {
        ngx_pid = ngx_getpid();
    }

    return pid;
}


/* replaces the last one; force: even if that is alive */

static ngx_gate_runner_t *
unit_runner(ngx_uint_t force)
{
    ngx_queue_init(&ngx_posted_events);
    ngx_queue_init(&ngx_posted_next_events);
    (void) ngx_event_timer_init(&unit_log);

    ngx_memzero(&unit_prober, sizeof(ngx_gate_prober_t));
    ngx_memzero(&unit_the_runner, sizeof(ngx_gate_runner_t));

    if (unit_runner_pool) {
        ngx_destroy_pool(unit_runner_pool);
    }

    unit_runner_pool = ngx_create_pool(8192, &unit_silent);
    if (unit_runner_pool == NULL) {
        exit(2);
    }

    unit_prober.pool = unit_runner_pool;

    unit_prober.zone = unit_zone;
    unit_prober.log = &unit_silent;
    unit_prober.runners = &unit_the_runner;
    unit_prober.nrunners = 1;

    ngx_gate_timers_init(&unit_prober.timers, &unit_silent);
    ngx_gate_event_init(&unit_prober.publish_event, unit_publish_handler,
                        &unit_log);

    if (force) {
        unit_zone->owner &= ~NGX_GATE_PROCESS_MASK;
    }

    ngx_gate_writer_init(&unit_prober.writer, unit_zone, 1);

    if (ngx_gate_writer_claim(&unit_prober.writer, unit_hung) != NGX_OK
        || ngx_gate_runner_init(&unit_the_runner, unit_gate, &unit_prober)
           != NGX_OK)
    {
        return NULL;
    }

    ngx_gate_zone_fence(&unit_prober.writer);
    ngx_gate_runner_start(&unit_the_runner);

    return &unit_the_runner;
}


static void
unit_verdict(ngx_gate_runner_t *runner, ngx_uint_t i,
    ngx_gate_verdict_e verdict, ngx_uint_t n)
{
    unit_probe(runner, i, verdict, n);
    unit_publish();
}


static void
unit_probe(ngx_gate_runner_t *runner, ngx_uint_t i,
    ngx_gate_verdict_e verdict, ngx_uint_t n)
{
    u_char             text[NGX_GATE_MESSAGE_MAX];
    size_t             len;
    ngx_gate_run_t    *run;
    ngx_gate_probe_t  *probe;

    run = &runner->runs[i];
    probe = &run->probe;

    len = 1 + n * 7 % 200;
    ngx_memset(text, 'a' + n % 26, len);

    run->busy = 1;
    probe->result.observed = n;
    probe->result.expected = 1000000000;

    ngx_gate_probe_end(probe, verdict,
                       verdict == NGX_GATE_PASSED ? NGX_GATE_OK
                                                  : NGX_GATE_TOO_FEW,
                       "%ui: %*s", n, len, text);
}


/* the timers of an iteration of the event loop */

static ngx_inline void
unit_expire(void)
{
    if (!ngx_queue_empty(&ngx_posted_next_events)) {
        ngx_event_move_posted_next(&unit_cycle);
    }

    ngx_event_expire_timers();
    unit_publish();
}


static void
unit_publish(void)
{
    ngx_event_process_posted(&unit_cycle, &ngx_posted_events);
}


static void
unit_publish_handler(ngx_event_t *ev)
{
    if (ngx_gate_writer_owns(&unit_prober.writer)) {
        ngx_gate_runner_publish(&unit_the_runner);
    }
}


static void
unit_start(ngx_gate_probe_t *probe)
{
    unit_starts++;
}


static void
unit_cancel(ngx_gate_probe_t *probe)
{
}


#endif /* _PROBER_H_INCLUDED_ */
