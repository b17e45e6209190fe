
/*
 * The prober killed between any two of its stores.  First one instruction at a
 * time: a child takes a verdict, from the check's record to the gate's state,
 * and after each step that changed the shared memory it must look whole to a
 * reader, and let a successor go on.  Then at random, with readers beside it.
 */


#include <unit.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_record.h>
#include <ngx_gate_schedule.h>

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>


#define UNIT_CHECKS    2
#define UNIT_BODY      4096
#define UNIT_READERS   2
#define UNIT_STRESS    1000    /* ms */


/* all that readers can know of the gate */

typedef struct {
    ngx_uint_t                open;
    ngx_uint_t                changes;
    ngx_gate_record_t         record;
    ngx_gate_check_record_t   checks[UNIT_CHECKS];
    ngx_uint_t                nevents;
    ngx_gate_event_t          events[NGX_GATE_HISTORY];
    size_t                    json_len;
    size_t                    html_len;
    u_char                    json[UNIT_BODY];
    u_char                    html[UNIT_BODY];
} unit_view_t;


static void unit_steps(const char *name, ngx_gate_verdict_e before,
    ngx_gate_verdict_e verdict);
static ngx_uint_t unit_walk(pid_t pid, const char *name);
static ngx_uint_t unit_step(pid_t pid);
static void unit_look_at(const char *name, ngx_uint_t step);
static void unit_succeed(const char *name, ngx_uint_t step);
static ngx_uint_t unit_is(unit_view_t *view, unit_view_t *other);
static void unit_view(unit_view_t *view);

static void unit_stress(void);
static void unit_read_on(void);
static void unit_write_on(ngx_uint_t n);

static pid_t unit_fork(void);
static void unit_begin(ngx_uint_t latch);
static ngx_gate_keeper_t *unit_keeper(ngx_uint_t force);
static void unit_verdict(ngx_gate_keeper_t *keeper, ngx_uint_t i,
    ngx_gate_verdict_e verdict, ngx_uint_t n);
static void unit_tidy(ngx_event_t *ev);
static void unit_start(ngx_gate_probe_t *probe);
static void unit_cancel(ngx_gate_probe_t *probe);


static ngx_gate_check_type_t  unit_type = {
    ngx_string("unit"), NULL, 0, NULL, unit_start, unit_cancel
};

static ngx_cycle_t          unit_cycle;
static ngx_array_t          unit_gates;
static ngx_gate_t          *unit_gate;
static ngx_gate_zone_t     *unit_zone;
static u_char              *unit_memory;
static u_char              *unit_copy;
static size_t               unit_size;
static ngx_log_t            unit_silent;
static ngx_gate_verdict_e   unit_new;
static unit_view_t          unit_before, unit_after, unit_now;

static ngx_pool_t          *unit_keeper_pool;
static ngx_gate_schedule_t  unit_schedule;
static ngx_gate_keeper_t    unit_the_keeper;

/* what readers found, in shared memory */

static struct {
    ngx_atomic_t            reads;
    ngx_atomic_t            torn;
    ngx_atomic_t            stop;
    ngx_atomic_t            written;
} *unit_found;


static void
unit(void)
{
    ngx_slab_sizes_init();

    unit_silent = unit_log;
    unit_silent.log_level = 0;

    unit_cycle.log = &unit_silent;
    ngx_cycle = &unit_cycle;

    unit_steps("opens", NGX_GATE_WAITING, NGX_GATE_PASSED);
    unit_steps("closes", NGX_GATE_PASSED, NGX_GATE_FAILED);
    unit_steps("goes on", NGX_GATE_WAITING, NGX_GATE_RUNNING);

    unit_stress();
}


/* the second check says so; the first one has passed */

static void
unit_steps(const char *name, ngx_gate_verdict_e before,
    ngx_gate_verdict_e verdict)
{
    pid_t               pid;
    u_char             *end;
    ngx_uint_t          i, steps;
    ngx_gate_keeper_t  *keeper;

    unit_begin(0);
    unit_new = verdict;

    keeper = unit_keeper(0);
    unit_verdict(keeper, 0, NGX_GATE_PASSED, 1);

    /* a history that is full */

    for (i = 0; i < NGX_GATE_HISTORY; i++) {
        unit_verdict(keeper, 1, NGX_GATE_PASSED, 1);
        unit_verdict(keeper, 1, NGX_GATE_WAITING, 1);
    }

    unit_verdict(keeper, 1, before, 1);
    ngx_gate_schedule_pen_down(&unit_schedule);
    ngx_gate_publish(unit_gate, &keeper->record, keeper->checks);
    ngx_gate_pen_up(&unit_schedule.pen);

    unit_view(&unit_before);
    ngx_memcpy(unit_copy, unit_memory, unit_size);

    /* once undisturbed, to know how it ends */

    end = ngx_alloc(unit_size, &unit_log);
    if (end == NULL) {
        exit(2);
    }

    pid = unit_fork();

    if (pid == 0) {
        unit_verdict(unit_keeper(1), 1, verdict, 2);
        _exit(0);
    }

    (void) waitpid(pid, NULL, 0);

    unit_view(&unit_after);
    ngx_memcpy(end, unit_memory, unit_size);
    ngx_memcpy(unit_memory, unit_copy, unit_size);

    ok(!unit_is(&unit_before, &unit_after), "%s: something changes", name);

    pid = unit_fork();

    if (pid == 0) {
        keeper = unit_keeper(1);

        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(9);
        }

        raise(SIGSTOP);
        unit_verdict(keeper, 1, verdict, 2);
        _exit(0);
    }

    steps = unit_walk(pid, name);

    if (steps == 0) {
        ok(1, "%s # skip may not be traced here", name);
        return;
    }

    ok(steps > 10, "%s: %u steps changed something", name, (unsigned) steps);

    unit_view(&unit_now);
    ok(unit_is(&unit_now, &unit_after), "%s: ends as it should", name);

    ngx_free(end);
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


/* a reader that comes now */

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
            || view->html_len != unit_after.html_len
            || ngx_memcmp(view->html, unit_after.html, view->html_len) != 0
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
                       view->nevents * sizeof(ngx_gate_event_t))
            != 0)
        && (view->nevents != unit_after.nevents
            || ngx_memcmp(view->events, unit_after.events,
                          view->nevents * sizeof(ngx_gate_event_t))
               != 0))
    {
        ok(0, "%s: step %u: the history is torn", name, n);
    }

    /* a closed gate says why, and who waits is told last */

    if (!view->open
        && ngx_gate_state_is_open(unit_gate, view->record.memory.state))
    {
        ok(0, "%s: step %u: closed, and the record says open", name, n);
    }

    if (view->changes != unit_before.changes
        && (view->open != unit_after.open
            || view->record.memory.state != unit_after.record.memory.state))
    {
        ok(0, "%s: step %u: told too early", name, n);
    }
}


/* a successor of the writer, had it been killed now */

static void
unit_succeed(const char *name, ngx_uint_t step)
{
    unsigned            n;
    ngx_uint_t          i, changes;
    ngx_gate_keeper_t  *keeper;

    n = step;

    changes = unit_zone->changes;

    keeper = unit_keeper(1);

    if (keeper == NULL) {
        ok(0, "%s: step %u: a successor cannot take over", name, n);
        return;
    }

    if (unit_zone->changes == changes
        && unit_gate->shared->open != unit_before.open)
    {
        ok(0, "%s: step %u: nobody tells who waits", name, n);
    }

    if (unit_gate->shared->open
        != ngx_gate_state_is_open(unit_gate, keeper->record.memory.state))
    {
        ok(0, "%s: step %u: a successor leaves the flag as it was", name, n);
    }

    unit_verdict(keeper, 1, unit_new, 2);

    unit_view(&unit_now);

    if (unit_now.open != unit_after.open
        || unit_now.record.memory.state != unit_after.record.memory.state)
    {
        ok(0, "%s: step %u: a successor ends elsewhere", name, n);
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


/* times that a real clock measures are left out */

static void
unit_view(unit_view_t *view)
{
    ngx_uint_t        i;
    ngx_gate_face_t   face;
    u_char            body[NGX_GATE_HEADER_MAX + UNIT_BODY];

    ngx_memzero(view, sizeof(unit_view_t));

    view->open = unit_gate->shared->open;
    view->changes = unit_zone->changes;
    view->nevents = ngx_gate_history_read(unit_gate->shared, view->events);

    ngx_gate_read(unit_gate->shared, &view->record);

    for (i = 0; i < UNIT_CHECKS; i++) {
        ngx_gate_check_read(&unit_gate->shared->checks[i], &view->checks[i]);

        view->checks[i].duration = 0;

        ngx_memzero(view->checks[i].result.message
                    + view->checks[i].result.message_len,
                    NGX_GATE_MESSAGE_MAX - view->checks[i].result.message_len);
    }

    ngx_gate_face(unit_gate->shared, &face, NGX_GATE_FACE_JSON, body);
    view->json_len = face.body.len;
    ngx_memcpy(view->json, face.body.data, face.body.len);

    ngx_gate_face(unit_gate->shared, &face, NGX_GATE_FACE_HTML, body);
    view->html_len = face.body.len;
    ngx_memcpy(view->html, face.body.data, face.body.len);
}


/* killed at any time, and replaced, while others read */

static void
unit_stress(void)
{
    pid_t       pid, readers[UNIT_READERS];
    ngx_msec_t  end;
    ngx_uint_t  i, kills;

    unit_begin(0);

    for (i = 0; i < UNIT_READERS; i++) {
        readers[i] = unit_fork();

        if (readers[i] == 0) {
            unit_read_on();
            _exit(0);
        }
    }

    ngx_time_update();
    end = ngx_current_msec + UNIT_STRESS;

    for (kills = 0; (ngx_msec_int_t) (end - ngx_current_msec) > 0; kills++) {

        pid = unit_fork();

        if (pid == 0) {
            unit_write_on(unit_found->written);
            _exit(0);
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


/* everything in a record follows from one number or from the state */

static void
unit_read_on(void)
{
    u_char                   *p, state[64], message[64];
    u_char                    body[NGX_GATE_HEADER_MAX + UNIT_BODY];
    size_t                    len;
    ngx_uint_t                i, torn;
    ngx_gate_face_t           face;
    ngx_gate_check_record_t   record;

    while (!unit_found->stop) {

        torn = 0;

        ngx_gate_face(unit_gate->shared, &face, NGX_GATE_FACE_JSON, body);

        p = ngx_sprintf(state, "{\"gate\":\"app\",\"state\":\"%V\",",
                        &ngx_gate_state_names[face.state]);
        len = p - state;

        torn += (face.body.len < len
                 || ngx_memcmp(face.body.data, state, len) != 0
                 || face.body.data[face.body.len - 1] != '}');

        p = ngx_sprintf(state, "app; state=%V",
                        &ngx_gate_state_names[face.state]);
        len = p - state;

        torn += (face.header.len != len
                 || ngx_memcmp(face.header.data, state, len) != 0);

        ngx_gate_check_read(&unit_gate->shared->checks[1], &record);

        if (record.attempts && record.result.verdict != NGX_GATE_PASSED) {
            p = ngx_sprintf(message, "%L: ", record.result.observed);
            len = p - message;

            torn += (record.result.message_len < len
                     || ngx_memcmp(record.result.message, message, len) != 0);

            for (i = len; i < record.result.message_len; i++) {
                torn += (record.result.message[i]
                         != 'a' + record.result.observed % 26);
            }
        }

        (void) ngx_atomic_fetch_add(&unit_found->reads, 1);
        (void) ngx_atomic_fetch_add(&unit_found->torn, torn ? 1 : 0);
    }
}


static void
unit_write_on(ngx_uint_t n)
{
    ngx_gate_keeper_t  *keeper;

    do {
        keeper = unit_keeper(0);
    } while (keeper == NULL);

    for (n++; /* void */ ; n++) {
        ngx_time_update();

        unit_verdict(keeper, 0, NGX_GATE_PASSED, n);
        unit_verdict(keeper, 1, NGX_GATE_WAITING + n % 3, n);

        unit_found->written = n;
    }
}


static pid_t
unit_fork(void)
{
    pid_t  pid;

    /* what is in the buffer is written once */
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


/* a gate of two checks, in shared memory as nginx would set it up */

static void
unit_begin(ngx_uint_t latch)
{
    u_char             digest[16];
    ngx_uint_t         i;
    ngx_conf_t         cf;
    ngx_shm_zone_t    *shm_zone;
    ngx_slab_pool_t   *shpool;
    ngx_gate_check_t  *check;

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    ngx_memzero(digest, sizeof(digest));

    cf.cycle = &unit_cycle;
    cf.pool = unit_pool;
    cf.log = &unit_log;

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
    unit_gate->latch = latch;

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
        check->after = NGX_GATE_NONE;
        check->interval = 1000;
        check->interval_open = 1000;
        check->timeout = 3000;
        check->digest[0] = (u_char) (i + 1);
    }

    shm_zone = ngx_gate_zone_add(&cf, &unit_gates, digest, &unit_type);
    if (shm_zone == NULL) {
        exit(2);
    }

    unit_size = shm_zone->shm.size;

    unit_memory = mmap(NULL, unit_size, PROT_READ|PROT_WRITE,
                       MAP_ANON|MAP_SHARED, -1, 0);
    unit_found = mmap(NULL, ngx_pagesize, PROT_READ|PROT_WRITE,
                      MAP_ANON|MAP_SHARED, -1, 0);
    unit_copy = ngx_palloc(unit_pool, unit_size);

    if (unit_memory == MAP_FAILED || unit_found == MAP_FAILED
        || unit_copy == NULL)
    {
        exit(2);
    }

    shm_zone->shm.addr = unit_memory;

    shpool = (ngx_slab_pool_t *) unit_memory;
    shpool->end = unit_memory + unit_size;
    shpool->min_shift = 3;
    shpool->addr = unit_memory;

    if (ngx_shmtx_create(&shpool->mutex, &shpool->lock, NULL) != NGX_OK) {
        exit(2);
    }

    ngx_slab_init(shpool);

    if (shm_zone->init(shm_zone, NULL) != NGX_OK
        || ngx_gate_seed(&unit_gates, NULL, &unit_log) != NGX_OK)
    {
        exit(2);
    }

    unit_zone = shm_zone->data;
}


/* in place of the last one; force: which is taken for dead */

static ngx_gate_keeper_t *
unit_keeper(ngx_uint_t force)
{
    ngx_queue_init(&ngx_posted_events);
    (void) ngx_event_timer_init(&unit_log);

    ngx_memzero(&unit_schedule, sizeof(ngx_gate_schedule_t));
    ngx_memzero(&unit_the_keeper, sizeof(ngx_gate_keeper_t));

    if (unit_keeper_pool) {
        ngx_destroy_pool(unit_keeper_pool);
    }

    unit_keeper_pool = ngx_create_pool(8192, &unit_silent);
    if (unit_keeper_pool == NULL) {
        exit(2);
    }

    unit_schedule.pool = unit_keeper_pool;

    unit_schedule.zone = unit_zone;
    unit_schedule.log = &unit_silent;
    unit_schedule.keepers = &unit_the_keeper;
    unit_schedule.nkeepers = 1;

    ngx_gate_clock_init(&unit_schedule.clock, &unit_silent);
    ngx_gate_timer_init(&unit_schedule.tidy, unit_tidy, &unit_log);

    if (force) {
        unit_zone->tended = ngx_current_msec - NGX_GATE_TENDED;
        unit_zone->resting = 0;
    }

    ngx_gate_pen_init(&unit_schedule.pen, unit_zone, 1);

    if (ngx_gate_pen_claim(&unit_schedule.pen, 0) != NGX_OK
        || ngx_gate_keeper_init(&unit_the_keeper, unit_gate, &unit_schedule)
           != NGX_OK)
    {
        return NULL;
    }

    ngx_gate_keeper_wake(&unit_the_keeper);

    return &unit_the_keeper;
}


static void
unit_verdict(ngx_gate_keeper_t *keeper, ngx_uint_t i,
    ngx_gate_verdict_e verdict, ngx_uint_t n)
{
    u_char             text[NGX_GATE_MESSAGE_MAX];
    size_t             len;
    ngx_gate_run_t    *run;
    ngx_gate_probe_t  *probe;

    run = &keeper->runs[i];
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


static void
unit_tidy(ngx_event_t *ev)
{
}


static void
unit_start(ngx_gate_probe_t *probe)
{
}


static void
unit_cancel(ngx_gate_probe_t *probe)
{
}
