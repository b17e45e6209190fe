
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counters of requests that persist over reloads; see ngx_gate_stats.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_stats.h>
#include <ngx_gate_process.h>


#define NGX_GATE_STATS_GATES      16

/*
 * Including old workers. nginx allows NGX_MAX_PROCESSES, 1024; processes
 * without a row of their own share the last one.
 */

#define NGX_GATE_STATS_PROCESSES  1024
#define NGX_GATE_STATS_ROWS       129


static ngx_uint_t ngx_gate_stats_capacity(ngx_array_t *gates,
    ngx_gate_stats_t *old);
static size_t ngx_gate_stats_size(ngx_uint_t capacity, ngx_uint_t nrows);
static ngx_uint_t ngx_gate_stats_max_rows(void);
static ngx_int_t ngx_gate_stats_init(ngx_shm_zone_t *shm_zone, void *data);
static void ngx_gate_stats_set_generation(ngx_gate_stats_t *stats,
    ngx_uint_t generation);
static ngx_uint_t ngx_gate_stats_find_slot(ngx_gate_stats_t *stats,
    ngx_str_t *name);
static ngx_uint_t ngx_gate_stats_get_slot(ngx_gate_stats_t *stats,
    ngx_array_t *gates, ngx_str_t *name);
static ngx_uint_t ngx_gate_stats_free_slot(ngx_gate_stats_t *stats,
    ngx_array_t *gates);
static ngx_uint_t ngx_gate_stats_is_configured(ngx_array_t *gates,
    ngx_gate_stats_slot_t *slot);
static ngx_uint_t ngx_gate_stats_is_in_use(ngx_gate_stats_t *stats,
    ngx_gate_stats_slot_t *slot);
static ngx_atomic_t *ngx_gate_stats_trigger_pid(ngx_gate_stats_t *stats,
    ngx_gate_t *gate);
static void ngx_gate_stats_sum_slot(ngx_gate_stats_t *stats, ngx_uint_t slot,
    ngx_gate_counters_t *sum);
static ngx_uint_t ngx_gate_stats_is_row_in_use(ngx_gate_stats_t *stats,
    ngx_uint_t row);


#define ngx_gate_stats_counters(stats, row, slot)                             \
    (&(stats)->counters[(row) * (stats)->capacity + (slot)])


/*
 * The capacity is part of the name, so that the next configuration uses the
 * same memory unless it needs a larger capacity.
 */

ngx_shm_zone_t *
ngx_gate_stats_add(ngx_conf_t *cf, ngx_array_t *gates, ngx_shm_zone_t *old,
    void *tag)
{
    u_char          *p;
    ngx_str_t        name;
    ngx_uint_t       capacity;
    ngx_shm_zone_t  *shm_zone;

    capacity = ngx_gate_stats_capacity(gates,
                   old ? ((ngx_slab_pool_t *) old->shm.addr)->data : NULL);

    p = ngx_pnalloc(cf->pool, sizeof("init_gate_stats:") + NGX_INT_T_LEN);
    if (p == NULL) {
        return NULL;
    }

    name.data = p;
    name.len = ngx_sprintf(p, "init_gate_stats:%ui", capacity) - p;

    shm_zone = ngx_shared_memory_add(cf, &name,
                  ngx_gate_zone_shm_size(ngx_gate_stats_size(capacity,
                                            ngx_gate_stats_max_rows())),
                  tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_gate_stats_init;
    shm_zone->data = (void *) capacity;

    return shm_zone;
}


/*
 * Capacity for all configured gates, and for removed ones in which old
 * workers still count.  It never decreases, so that the number of zones is
 * logarithmic.
 */

static ngx_uint_t
ngx_gate_stats_capacity(ngx_array_t *gates, ngx_gate_stats_t *old)
{
    ngx_uint_t              i, capacity, names;
    ngx_gate_stats_slot_t  *slot;

    capacity = NGX_GATE_STATS_GATES;
    names = gates->nelts;

    if (old) {
        capacity = old->capacity;

        for (i = 0; i < old->capacity; i++) {
            slot = &old->slots[i];

            if (!ngx_gate_stats_is_configured(gates, slot)
                && ngx_gate_stats_is_in_use(old, slot))
            {
                names++;
            }
        }
    }

    while (capacity < names) {
        capacity *= 2;
    }

    return capacity;
}


static size_t
ngx_gate_stats_size(ngx_uint_t capacity, ngx_uint_t nrows)
{
    return sizeof(ngx_gate_stats_t)
           + sizeof(ngx_gate_counters_t)
           + capacity * sizeof(ngx_gate_stats_slot_t)
           + NGX_GATE_STATS_PROCESSES * sizeof(ngx_gate_stats_process_t)
           + nrows * capacity * sizeof(ngx_gate_counters_t);
}


static ngx_uint_t
ngx_gate_stats_max_rows(void)
{
    return ngx_max((ngx_uint_t) ngx_ncpu * 4, NGX_GATE_STATS_ROWS);
}


/* the reload is not committed yet: existing memory is not modified */

static ngx_int_t
ngx_gate_stats_init(ngx_shm_zone_t *shm_zone, void *data)
{
    u_char            *p;
    ngx_uint_t         capacity, nrows;
    ngx_slab_pool_t   *shpool;
    ngx_gate_stats_t  *stats;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        shm_zone->data = shpool->data;
        return NGX_OK;
    }

    capacity = (ngx_uint_t) shm_zone->data;
    nrows = ngx_gate_stats_max_rows();

    p = ngx_slab_calloc(shpool, ngx_gate_stats_size(capacity, nrows));
    if (p == NULL) {
        return NGX_ERROR;
    }

    stats = (ngx_gate_stats_t *) p;
    p = ngx_align_ptr(p + sizeof(ngx_gate_stats_t),
                      sizeof(ngx_gate_counters_t));

    stats->capacity = capacity;
    stats->nprocesses = NGX_GATE_STATS_PROCESSES;
    stats->nrows = nrows;

    stats->counters = (ngx_gate_counters_t *) p;
    p += nrows * capacity * sizeof(ngx_gate_counters_t);

    stats->processes = (ngx_gate_stats_process_t *) p;
    p += stats->nprocesses * sizeof(ngx_gate_stats_process_t);

    stats->slots = (ngx_gate_stats_slot_t *) p;

    shpool->data = stats;
    shm_zone->data = stats;

    return NGX_OK;
}


ngx_uint_t
ngx_gate_stats_commit(ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old,
    ngx_array_t *gates)
{
    ngx_uint_t         i, generation;
    ngx_gate_t        *gate;
    ngx_gate_stats_t  *stats, *older;

    stats = shm_zone->data;

    if (old && old->shm.addr != shm_zone->shm.addr) {
        older = ((ngx_slab_pool_t *) old->shm.addr)->data;

        stats->generation = older->generation;

        /* on failure, counting restarts */

        if (ngx_gate_zone_keep_memory(old) == NGX_OK) {
            stats->older = older;
        }
    }

    generation = stats->generation + 1;

    gate = gates->elts;

    for (i = 0; i < gates->nelts; i++) {

        gate[i].slot = ngx_gate_stats_get_slot(stats, gates, &gate[i].name);

        stats->slots[gate[i].slot].generation = generation;

        /* for a process without a row of its own */
        gate[i].counters = ngx_gate_stats_counters(stats, 0, gate[i].slot);
    }

    ngx_gate_stats_set_generation(stats, generation);

    return generation;
}


void
ngx_gate_stats_retire(ngx_shm_zone_t *shm_zone)
{
    ngx_gate_stats_t  *stats;

    stats = ((ngx_slab_pool_t *) shm_zone->shm.addr)->data;

    ngx_gate_stats_set_generation(stats, stats->generation + 1);
}


/* in older stats, too, which old workers read */

static void
ngx_gate_stats_set_generation(ngx_gate_stats_t *stats, ngx_uint_t generation)
{
    for ( /* void */ ; stats; stats = stats->older) {
        stats->generation = generation;
    }
}


static ngx_uint_t
ngx_gate_stats_find_slot(ngx_gate_stats_t *stats, ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < stats->capacity; i++) {
        if (ngx_gate_str_eq(&stats->slots[i], name)) {
            return i;
        }
    }

    return NGX_GATE_NONE;
}


static ngx_uint_t
ngx_gate_stats_get_slot(ngx_gate_stats_t *stats, ngx_array_t *gates,
    ngx_str_t *name)
{
    ngx_str_t   none;
    ngx_uint_t  i;

    i = ngx_gate_stats_find_slot(stats, name);

    if (i != NGX_GATE_NONE) {
        return i;
    }

    ngx_str_set(&none, "");

    i = ngx_gate_stats_find_slot(stats, &none);

    if (i == NGX_GATE_NONE) {
        i = ngx_gate_stats_free_slot(stats, gates);
    }

    ngx_memcpy(stats->slots[i].data, name->data, name->len);
    stats->slots[i].len = name->len;

    return i;
}


/*
 * A gate that is no longer configured keeps its slot as long as there are
 * free slots, and as long as old workers may count in it.  There is always a
 * slot to free: the capacity includes it.
 */

static ngx_uint_t
ngx_gate_stats_free_slot(ngx_gate_stats_t *stats, ngx_array_t *gates)
{
    ngx_uint_t              i, n;
    ngx_gate_stats_slot_t  *slot;

    for (n = 0; n < stats->capacity - 1; n++) {
        slot = &stats->slots[n];

        if (!ngx_gate_stats_is_configured(gates, slot)
            && !ngx_gate_stats_is_in_use(stats, slot))
        {
            break;
        }
    }

    for (i = 0; i < stats->nrows; i++) {
        ngx_memzero(ngx_gate_stats_counters(stats, i, n),
                    sizeof(ngx_gate_counters_t));
    }

    return n;
}


static ngx_uint_t
ngx_gate_stats_is_configured(ngx_array_t *gates, ngx_gate_stats_slot_t *slot)
{
    ngx_uint_t   i;
    ngx_gate_t  *gate;

    gate = gates->elts;

    for (i = 0; i < gates->nelts; i++) {
        if (ngx_gate_str_eq(&gate[i].name, slot)) {
            return 1;
        }
    }

    return 0;
}


/* workers of the current configuration may not be registered yet */

static ngx_uint_t
ngx_gate_stats_is_in_use(ngx_gate_stats_t *stats, ngx_gate_stats_slot_t *slot)
{
    ngx_uint_t                 i;
    ngx_gate_stats_process_t  *process;

    if (slot->len == 0) {
        return 0;
    }

    if (slot->generation == stats->generation) {
        return 1;
    }

    for (i = 0; i < stats->nprocesses; i++) {

        process = &stats->processes[i];

        if (process->generation <= slot->generation
            && ngx_gate_process_is_alive(process->pid))
        {
            return 1;
        }
    }

    return 0;
}


ngx_gate_stats_process_t *
ngx_gate_stats_attach(ngx_gate_stats_t *stats, ngx_array_t *gates,
    ngx_atomic_uint_t zone, ngx_uint_t generation)
{
    ngx_uint_t                 i, n, row;
    ngx_gate_t                *gate;
    ngx_atomic_uint_t          pid;
    ngx_gate_stats_process_t  *process;

    gate = gates->elts;
    process = NULL;

    for (n = 0; n < stats->nprocesses; n++) {

        process = &stats->processes[n];
        pid = process->pid;

        if (ngx_gate_process_is_alive(pid)) {
            continue;
        }

        if (!ngx_atomic_cmp_set(&process->pid, pid,
                                ngx_gate_process_self()))
        {
            continue;
        }

        /* a killed process has not reset these */

        process->waiting = 0;
        process->zone = zone;
        process->generation = generation;

        row = ngx_min(n, stats->nrows - 1);

        for (i = 0; n == row && i < stats->capacity; i++) {
            ngx_gate_stats_counters(stats, row, i)->held = 0;
        }

        for (i = 0; i < gates->nelts; i++) {
            gate[i].counters = ngx_gate_stats_counters(stats, row,
                                                       gate[i].slot);
        }

        return process;
    }

    return NULL;
}


void
ngx_gate_stats_detach(ngx_gate_stats_process_t *process)
{
    (void) ngx_atomic_cmp_set(&process->pid, ngx_gate_process_self(), 0);
}


ngx_uint_t
ngx_gate_stats_waiting(ngx_gate_stats_t *stats, ngx_atomic_uint_t zone)
{
    ngx_uint_t                 i, waiting;
    ngx_gate_stats_process_t  *process;

    waiting = 0;

    for (i = 0; i < stats->nprocesses; i++) {

        process = &stats->processes[i];

        if (process->waiting == 0) {
            continue;
        }

        /* a process sets its zone first */

        ngx_memory_barrier();

        if (process->zone == zone && ngx_gate_process_is_alive(process->pid)) {
            waiting += process->waiting;
        }
    }

    return waiting;
}


ngx_int_t
ngx_gate_stats_lock_trigger(ngx_gate_stats_t *stats, ngx_gate_t *gate,
    ngx_atomic_uint_t deposed)
{
    ngx_atomic_t       *trigger_pid;
    ngx_atomic_uint_t   pid;

    trigger_pid = ngx_gate_stats_trigger_pid(stats, gate);
    pid = *trigger_pid;

    if ((pid != deposed && ngx_gate_process_is_alive(pid))
        || !ngx_atomic_cmp_set(trigger_pid, pid, ngx_gate_process_self()))
    {
        return NGX_BUSY;
    }

    return NGX_OK;
}


void
ngx_gate_stats_unlock_trigger(ngx_gate_stats_t *stats, ngx_gate_t *gate)
{
    (void) ngx_atomic_cmp_set(ngx_gate_stats_trigger_pid(stats, gate),
                              ngx_gate_process_self(), 0);
}


/* in the oldest stats with this gate, which old workers read */

static ngx_atomic_t *
ngx_gate_stats_trigger_pid(ngx_gate_stats_t *stats, ngx_gate_t *gate)
{
    ngx_uint_t     slot;
    ngx_atomic_t  *trigger_pid;

    trigger_pid = &stats->slots[gate->slot].trigger_pid;

    while (stats->older) {
        stats = stats->older;
        slot = ngx_gate_stats_find_slot(stats, &gate->name);

        if (slot != NGX_GATE_NONE) {
            trigger_pid = &stats->slots[slot].trigger_pid;
        }
    }

    return trigger_pid;
}


void
ngx_gate_stats_sum(ngx_gate_stats_t *stats, ngx_gate_t *gate,
    ngx_gate_counters_t *sum)
{
    ngx_uint_t  slot;

    ngx_memzero(sum, sizeof(ngx_gate_counters_t));

    for ( /* void */ ; stats; stats = stats->older) {
        slot = ngx_gate_stats_find_slot(stats, &gate->name);

        if (slot != NGX_GATE_NONE) {
            ngx_gate_stats_sum_slot(stats, slot, sum);
        }
    }
}


static void
ngx_gate_stats_sum_slot(ngx_gate_stats_t *stats, ngx_uint_t slot,
    ngx_gate_counters_t *sum)
{
    ngx_uint_t            i;
    ngx_gate_counters_t  *counters;

    for (i = 0; i < stats->nrows; i++) {

        counters = ngx_gate_stats_counters(stats, i, slot);

        sum->passed += counters->passed;
        sum->held_passed += counters->held_passed;
        sum->held_refused += counters->held_refused;
        sum->refused += counters->refused;
        sum->gone += counters->gone;
        sum->polled += counters->polled;
        sum->waited += counters->waited;

        if (counters->held && ngx_gate_stats_is_row_in_use(stats, i)) {
            sum->held += counters->held;
        }
    }
}


static ngx_uint_t
ngx_gate_stats_is_row_in_use(ngx_gate_stats_t *stats, ngx_uint_t row)
{
    ngx_uint_t  i, last;

    last = (row == stats->nrows - 1) ? stats->nprocesses - 1 : row;

    for (i = row; i <= last; i++) {
        if (ngx_gate_process_is_alive(stats->processes[i].pid)) {
            return 1;
        }
    }

    return 0;
}
