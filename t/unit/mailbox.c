
/*
 * A mailbox whose writer ends between any two of its instructions: a reader
 * finds the old item or the new one, and other writers can write.  Writers
 * that are stopped keep a cell each.  Then writers are killed at any time,
 * while others write and read.
 */


#include <unit.h>
#include <ngx_gate_mailbox.h>
#include <ngx_gate_process.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>


#define UNIT_SIZE   64       /* words of an item, all the same */
#define UNIT_WRITERS  3


typedef struct {
    ngx_atomic_uint_t       words[UNIT_SIZE];
} unit_item_t;


static void unit_begin(void);
static ngx_atomic_uint_t unit_put(ngx_atomic_uint_t n);
static ngx_atomic_uint_t unit_read(ngx_atomic_uint_t *n);
static pid_t unit_fork(void);
static void unit_acknowledge(void);
static void unit_steps(void);
static ngx_uint_t unit_walk(pid_t pid);
static void unit_stopped(void);
static void unit_stop_in_write(void);
static void unit_kills(void);
static void unit_write_on(ngx_uint_t i);


static ngx_gate_mailboxes_t  *unit_mailboxes;
static ngx_gate_mailbox_t    *unit_box;
static size_t                 unit_size;
static volatile ngx_uint_t   *unit_counts;


static void
unit(void)
{
    unit_item_t        item;
    ngx_atomic_uint_t  n;

    unit_begin();

    ok(ngx_gate_mailbox_read(unit_box, &item) == 0, "no item yet");
    ok(unit_put(7) == 1 && unit_read(&n) == 1 && n == 7, "an item");

    ngx_memset(&item, 0, sizeof(unit_item_t));

    ok(ngx_gate_mailbox_replace(unit_box, 0, &item) == 0
       && unit_read(&n) == 1 && n == 7,
       "replace with an older count: refused");
    ok(ngx_gate_mailbox_replace(unit_box, 1, &item) == 2
       && unit_read(&n) == 2 && n == 0,
       "replace with the current count: accepted");

    unit_acknowledge();
    unit_steps();
    unit_stopped();
    unit_kills();
}


static void
unit_begin(void)
{
    u_char  *p;

    unit_size = sizeof(ngx_gate_mailboxes_t) + sizeof(ngx_gate_mailbox_t)
                + NGX_GATE_MAILBOX_CELLS * sizeof(unit_item_t)
                + UNIT_WRITERS * sizeof(ngx_uint_t);

    p = mmap(NULL, unit_size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);
    if (p == MAP_FAILED) {
        exit(2);
    }

    unit_mailboxes = (ngx_gate_mailboxes_t *) p;
    unit_box = (ngx_gate_mailbox_t *) &unit_mailboxes[1];

    unit_mailboxes->size = sizeof(unit_item_t);
    unit_box->mailboxes = unit_mailboxes;
    unit_box->cells = (u_char *) &unit_box[1];

    unit_counts = (volatile ngx_uint_t *)
                  (unit_box->cells
                   + NGX_GATE_MAILBOX_CELLS * sizeof(unit_item_t));
}


static ngx_atomic_uint_t
unit_put(ngx_atomic_uint_t n)
{
    ngx_uint_t   i;
    unit_item_t  item;

    for (i = 0; i < UNIT_SIZE; i++) {
        item.words[i] = n;
    }

    return ngx_gate_mailbox_put(unit_box, &item);
}


/* returns the count, or -1: the item is torn */

static ngx_atomic_uint_t
unit_read(ngx_atomic_uint_t *n)
{
    ngx_uint_t         i;
    unit_item_t        item;
    ngx_atomic_uint_t  count;

    count = ngx_gate_mailbox_read(unit_box, &item);

    for (i = 1; i < UNIT_SIZE; i++) {
        if (item.words[i] != item.words[0]) {
            return (ngx_atomic_uint_t) -1;
        }
    }

    *n = item.words[0];

    return count;
}


static pid_t
unit_fork(void)
{
    pid_t  pid;

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


/* an old zone and a new one */

static void
unit_acknowledge(void)
{
    unit_mailboxes->zone = 7;

    ngx_gate_mailbox_attach(unit_box, 7);

    ok(!ngx_gate_mailbox_is_acknowledged(unit_box, 1), "not yet acknowledged");

    ok(ngx_gate_mailbox_acknowledge(unit_box, 7, 2)
       && !ngx_gate_mailbox_acknowledge(unit_box, 7, 1)
       && ngx_gate_mailbox_is_acknowledged(unit_box, 1)
       && ngx_gate_mailbox_is_acknowledged(unit_box, 2)
       && !ngx_gate_mailbox_is_acknowledged(unit_box, 3),
       "acknowledged up to the second one");

    unit_mailboxes->zone = 8;

    ok(!ngx_gate_mailbox_is_acknowledged(unit_box, 2),
       "new zone without a prober: not acknowledged");

    ngx_gate_mailbox_attach(unit_box, 8);
    (void) ngx_gate_mailbox_acknowledge(unit_box, 8, 3);

    ok(ngx_gate_mailbox_is_acknowledged(unit_box, 2),
       "both zones: acknowledged");
    ok(!ngx_gate_mailbox_is_acknowledged(unit_box, 3),
       "old zone still probed: not acknowledged");

    ngx_gate_mailbox_detach(unit_box, 7);

    ok(ngx_gate_mailbox_is_acknowledged(unit_box, 3),
       "old zone no longer probed: acknowledged");

    ngx_gate_mailbox_detach(unit_box, 8);
    ngx_gate_mailbox_attach(unit_box, 8);

    ok(ngx_gate_mailbox_is_acknowledged(unit_box, 3)
       && !ngx_gate_mailbox_is_acknowledged(unit_box, 4),
       "next prober: continues the count");
}


static void
unit_steps(void)
{
    pid_t       pid;
    ngx_uint_t  steps;

    ngx_memzero((void *) unit_box->owners, sizeof(unit_box->owners));
    (void) unit_put(1);

    pid = unit_fork();

    if (pid == 0) {

        (void) ngx_gate_process_self();

        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(9);
        }

        raise(SIGSTOP);
        (void) unit_put(2);
        _exit(0);
    }

    steps = unit_walk(pid);

    if (steps == 0) {
        ok(1, "steps # skip may not be traced here");
        return;
    }

    ok(steps > UNIT_SIZE / 8, "%u steps that changed memory", (unsigned) steps);
}


/* after each step that changes something: a reader, and other writers */

static ngx_uint_t
unit_walk(pid_t pid)
{
    int                 status;
    u_char             *last;
    ngx_uint_t          i, n, steps;
    ngx_atomic_uint_t   base, count, item;

    if (waitpid(pid, &status, 0) == -1 || !WIFSTOPPED(status)) {
        return 0;
    }

    last = ngx_alloc(unit_size, &unit_log);
    if (last == NULL) {
        exit(2);
    }

    ngx_memcpy(last, unit_mailboxes, unit_size);
    base = ngx_gate_mailbox_count(unit_box);
    steps = 0;

    for (n = 0;
         ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != -1
         && waitpid(pid, &status, 0) != -1 && WIFSTOPPED(status);
         n++)
    {
        if (ngx_memcmp(last, unit_mailboxes, unit_size) == 0) {
            continue;
        }

        ngx_memcpy(last, unit_mailboxes, unit_size);
        steps++;

        count = unit_read(&item);

        if (!(count == base && item == 1)
            && !(count == base + 1 && item == 2))
        {
            ok(0, "step %u: neither the old item nor the new one",
               (unsigned) n);
        }

        for (i = 0; i < NGX_GATE_MAILBOX_CELLS; i++) {
            count++;

            if (unit_put(10 + i) != count
                || unit_read(&item) != count || item != 10 + i)
            {
                ok(0, "step %u: other writers cannot write", (unsigned) n);
            }
        }

        ngx_memcpy(unit_mailboxes, last, unit_size);
    }

    ngx_free(last);

    return steps;
}


/* two writers hang in the middle: the third cell is enough for all others */

static void
unit_stopped(void)
{
    pid_t              pids[2];
    ngx_uint_t         i;
    ngx_atomic_uint_t  n, count;

    for (i = 0; i < 2; i++) {
        pids[i] = unit_fork();

        if (pids[i] == 0) {
            unit_stop_in_write();
            _exit(0);
        }

        (void) waitpid(pids[i], NULL, WUNTRACED);
    }

    count = unit_put(20);
    ok(count && unit_put(21) == count + 1 && unit_read(&n) == count + 1
       && n == 21,
       "two stopped writers: a third one writes");

    for (i = 0; i < 2; i++) {
        (void) kill(pids[i], SIGKILL);
        (void) waitpid(pids[i], NULL, 0);
    }

    for (i = 0; i < 2 * NGX_GATE_MAILBOX_CELLS; i++) {
        if (unit_put(i) != count + 2 + i) {
            break;
        }
    }

    ok(i == 2 * NGX_GATE_MAILBOX_CELLS, "cells of dead writers: used again");
}


/* as if in the middle of a write: a cell is owned */

static void
unit_stop_in_write(void)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_GATE_MAILBOX_CELLS; i++) {
        if (i != (unit_box->published & (NGX_GATE_MAILBOX_CELLS - 1))
            && ngx_atomic_cmp_set(&unit_box->owners[i], 0,
                                  ngx_gate_process_self()))
        {
            break;
        }
    }

    raise(SIGSTOP);
}


static void
unit_kills(void)
{
    pid_t              pids[UNIT_WRITERS];
    ngx_msec_t         end;
    ngx_uint_t         i, kills, reads, torn, back;
    ngx_atomic_uint_t  n, count, last;

    for (i = 0; i < UNIT_WRITERS; i++) {
        pids[i] = unit_fork();

        if (pids[i] == 0) {
            unit_write_on(i);
        }
    }

    ngx_time_update();
    end = ngx_current_msec + unit_patience(500);

    kills = 0;
    reads = 0;
    torn = 0;
    back = 0;
    last = 0;

    while ((ngx_msec_int_t) (end - ngx_current_msec) > 0) {
        count = unit_read(&n);
        reads++;
        torn += (count == (ngx_atomic_uint_t) -1);
        back += (count < last);
        last = count;

        if (reads % 500 == 0) {
            i = kills++ % UNIT_WRITERS;

            (void) kill(pids[i], SIGKILL);
            (void) waitpid(pids[i], NULL, 0);

            pids[i] = unit_fork();

            if (pids[i] == 0) {
                unit_write_on(i);
            }
        }

        ngx_time_update();
    }

    for (i = 0; i < UNIT_WRITERS; i++) {
        (void) kill(pids[i], SIGKILL);
        (void) waitpid(pids[i], NULL, 0);
    }

    ok(kills > 5 && unit_counts[0] > 100, "%u kills, %u reads",
       (unsigned) kills, (unsigned) reads);
    ok(torn == 0 && back == 0, "items: complete, in order");
    ok(unit_put(1) == ngx_gate_mailbox_count(unit_box),
       "after the kills: written");
}


static void
unit_write_on(ngx_uint_t i)
{
    for ( ;; ) {
        if (unit_put(unit_counts[i])) {
            unit_counts[i]++;
        }
    }
}
