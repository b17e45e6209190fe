
/*
 * Counters of requests that outlive reloads; see ngx_gate_ledger.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_ledger.h>
#include <ngx_gate_writer.h>


#define NGX_GATE_LEDGER_GATES      16
#define NGX_GATE_LEDGER_PROCESSES  128    /* at least, old workers included */


static ngx_uint_t ngx_gate_ledger_capacity(ngx_array_t *gates,
    ngx_gate_ledger_t *old);
static size_t ngx_gate_ledger_size(ngx_uint_t capacity, ngx_uint_t lines);
static ngx_uint_t ngx_gate_ledger_lines(void);
static ngx_int_t ngx_gate_ledger_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_uint_t ngx_gate_ledger_find(ngx_gate_ledger_t *ledger,
    ngx_str_t *name);
static ngx_uint_t ngx_gate_ledger_account(ngx_gate_ledger_t *ledger,
    ngx_array_t *gates, ngx_str_t *name);
static ngx_uint_t ngx_gate_ledger_evict(ngx_gate_ledger_t *ledger,
    ngx_array_t *gates);
static ngx_uint_t ngx_gate_ledger_is_configured(ngx_array_t *gates,
    ngx_gate_ledger_name_t *name);
static ngx_uint_t ngx_gate_ledger_is_in_use(ngx_gate_ledger_t *ledger,
    ngx_gate_ledger_name_t *name);
static ngx_atomic_t *ngx_gate_ledger_triggering(ngx_gate_ledger_t *ledger,
    ngx_gate_t *gate);
static void ngx_gate_ledger_add_up(ngx_gate_ledger_t *ledger,
    ngx_uint_t account, ngx_gate_tally_t *sum);


#define ngx_gate_ledger_tally(ledger, process, account)                       \
    (&(ledger)->tallies[(process) * (ledger)->capacity + (account)])


/*
 * The capacity stands in the name, so that the memory is handed on from one
 * configuration to the next unless the names outgrow it.
 */

ngx_shm_zone_t *
ngx_gate_ledger_add(ngx_conf_t *cf, ngx_array_t *gates, ngx_shm_zone_t *old,
    void *tag)
{
    u_char          *p;
    ngx_str_t        name;
    ngx_uint_t       capacity;
    ngx_shm_zone_t  *shm_zone;

    capacity = ngx_gate_ledger_capacity(gates,
                   old ? ((ngx_slab_pool_t *) old->shm.addr)->data : NULL);

    p = ngx_pnalloc(cf->pool, sizeof("init_gate_ledger:") + NGX_INT_T_LEN);
    if (p == NULL) {
        return NULL;
    }

    name.data = p;
    name.len = ngx_sprintf(p, "init_gate_ledger:%ui", capacity) - p;

    shm_zone = ngx_shared_memory_add(cf, &name,
                  ngx_gate_shm_size(ngx_gate_ledger_size(capacity,
                                                ngx_gate_ledger_lines())),
                  tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_gate_ledger_init;
    shm_zone->data = (void *) capacity;

    return shm_zone;
}


/*
 * Room for all gates configured, and for those that are no more but where old
 * workers still count.  It is never less than it was, so that there are only
 * as many ledgers as it takes to double.
 */

static ngx_uint_t
ngx_gate_ledger_capacity(ngx_array_t *gates, ngx_gate_ledger_t *old)
{
    ngx_uint_t               i, capacity, names;
    ngx_gate_ledger_name_t  *entry;

    capacity = NGX_GATE_LEDGER_GATES;
    names = gates->nelts;

    if (old) {
        capacity = old->capacity;

        for (i = 0; i < old->capacity; i++) {
            entry = &old->names[i];

            if (!ngx_gate_ledger_is_configured(gates, entry)
                && ngx_gate_ledger_is_in_use(old, entry))
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
ngx_gate_ledger_size(ngx_uint_t capacity, ngx_uint_t lines)
{
    return sizeof(ngx_gate_ledger_t)
           + sizeof(ngx_gate_tally_t)
           + capacity * sizeof(ngx_gate_ledger_name_t)
           + lines * (sizeof(ngx_gate_ledger_process_t)
                      + capacity * sizeof(ngx_gate_tally_t));
}


static ngx_uint_t
ngx_gate_ledger_lines(void)
{
    return ngx_max((ngx_uint_t) ngx_ncpu * 4, NGX_GATE_LEDGER_PROCESSES);
}


/* the reload is not committed yet: what is there already is left alone */

static ngx_int_t
ngx_gate_ledger_init(ngx_shm_zone_t *shm_zone, void *data)
{
    u_char             *p;
    ngx_uint_t          capacity, lines;
    ngx_slab_pool_t    *shpool;
    ngx_gate_ledger_t  *ledger;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        shm_zone->data = shpool->data;
        return NGX_OK;
    }

    capacity = (ngx_uint_t) shm_zone->data;
    lines = ngx_gate_ledger_lines();

    p = ngx_slab_calloc(shpool, ngx_gate_ledger_size(capacity, lines));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ledger = (ngx_gate_ledger_t *) p;
    p = ngx_align_ptr(p + sizeof(ngx_gate_ledger_t), sizeof(ngx_gate_tally_t));

    ledger->capacity = capacity;
    ledger->lines = lines;

    ledger->tallies = (ngx_gate_tally_t *) p;
    p += lines * capacity * sizeof(ngx_gate_tally_t);

    ledger->processes = (ngx_gate_ledger_process_t *) p;
    p += lines * sizeof(ngx_gate_ledger_process_t);

    ledger->names = (ngx_gate_ledger_name_t *) p;

    shpool->data = ledger;
    shm_zone->data = ledger;

    return NGX_OK;
}


ngx_uint_t
ngx_gate_ledger_open(ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old,
    ngx_array_t *gates)
{
    ngx_uint_t          i, generation;
    ngx_gate_t         *gate;
    ngx_gate_ledger_t  *ledger, *older;

    ledger = shm_zone->data;

    if (old && old->shm.addr != shm_zone->shm.addr) {
        older = ((ngx_slab_pool_t *) old->shm.addr)->data;

        ledger->generation = older->generation;

        /* without it, counting begins anew */

        if (ngx_gate_zone_keep(old) == NGX_OK) {
            ledger->older = older;
        }
    }

    generation = ledger->generation + 1;

    gate = gates->elts;

    for (i = 0; i < gates->nelts; i++) {

        gate[i].account = ngx_gate_ledger_account(ledger, gates,
                                                  &gate[i].name);

        ledger->names[gate[i].account].generation = generation;

        /* for a process that gets no lines of its own */
        gate[i].tally = ngx_gate_ledger_tally(ledger, 0, gate[i].account);
    }

    ledger->generation = generation;

    return generation;
}


static ngx_uint_t
ngx_gate_ledger_find(ngx_gate_ledger_t *ledger, ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < ledger->capacity; i++) {
        if (ngx_gate_str_eq(&ledger->names[i], name)) {
            return i;
        }
    }

    return NGX_GATE_NONE;
}


static ngx_uint_t
ngx_gate_ledger_account(ngx_gate_ledger_t *ledger, ngx_array_t *gates,
    ngx_str_t *name)
{
    ngx_str_t   none;
    ngx_uint_t  i;

    i = ngx_gate_ledger_find(ledger, name);

    if (i != NGX_GATE_NONE) {
        return i;
    }

    ngx_str_set(&none, "");

    i = ngx_gate_ledger_find(ledger, &none);

    if (i == NGX_GATE_NONE) {
        i = ngx_gate_ledger_evict(ledger, gates);
    }

    ngx_memcpy(ledger->names[i].data, name->data, name->len);
    ledger->names[i].len = name->len;

    return i;
}


/*
 * A gate that is configured no more keeps its account as long as there is
 * room, and in any case while old workers may still count there.  There is
 * one of the others now: the capacity was computed for that.
 */

static ngx_uint_t
ngx_gate_ledger_evict(ngx_gate_ledger_t *ledger, ngx_array_t *gates)
{
    ngx_uint_t               i, n;
    ngx_gate_ledger_name_t  *entry;

    for (n = 0; n < ledger->capacity - 1; n++) {
        entry = &ledger->names[n];

        if (!ngx_gate_ledger_is_configured(gates, entry)
            && !ngx_gate_ledger_is_in_use(ledger, entry))
        {
            break;
        }
    }

    for (i = 0; i < ledger->lines; i++) {
        ngx_memzero(ngx_gate_ledger_tally(ledger, i, n),
                    sizeof(ngx_gate_tally_t));
    }

    return n;
}


static ngx_uint_t
ngx_gate_ledger_is_configured(ngx_array_t *gates, ngx_gate_ledger_name_t *name)
{
    ngx_uint_t   i;
    ngx_gate_t  *gate;

    gate = gates->elts;

    for (i = 0; i < gates->nelts; i++) {
        if (ngx_gate_str_eq(&gate[i].name, name)) {
            return 1;
        }
    }

    return 0;
}


/* the present configuration's workers may not have entered yet */

static ngx_uint_t
ngx_gate_ledger_is_in_use(ngx_gate_ledger_t *ledger,
    ngx_gate_ledger_name_t *name)
{
    ngx_uint_t                  i;
    ngx_gate_ledger_process_t  *process;

    if (name->len == 0) {
        return 0;
    }

    if (name->generation == ledger->generation) {
        return 1;
    }

    for (i = 0; i < ledger->lines; i++) {

        process = &ledger->processes[i];

        if (process->generation <= name->generation
            && ngx_gate_writer_process_is_alive(process->pid))
        {
            return 1;
        }
    }

    return 0;
}


ngx_gate_ledger_process_t *
ngx_gate_ledger_enter(ngx_gate_ledger_t *ledger, ngx_array_t *gates,
    ngx_atomic_uint_t zone, ngx_uint_t generation)
{
    ngx_uint_t                  i, n;
    ngx_gate_t                 *gate;
    ngx_atomic_uint_t           pid;
    ngx_gate_ledger_process_t  *process;

    gate = gates->elts;
    process = NULL;

    for (n = 0; n < ledger->lines; n++) {

        process = &ledger->processes[n];
        pid = process->pid;

        if (ngx_gate_writer_process_is_alive(pid)) {
            continue;
        }

        if (!ngx_atomic_cmp_set(&process->pid, pid,
                                (ngx_atomic_uint_t) ngx_pid))
        {
            continue;
        }

        /* a process that was killed left behind what it held */

        process->waiting = 0;
        process->zone = zone;
        process->generation = generation;

        for (i = 0; i < ledger->capacity; i++) {
            ngx_gate_ledger_tally(ledger, n, i)->held = 0;
        }

        for (i = 0; i < gates->nelts; i++) {
            gate[i].tally = ngx_gate_ledger_tally(ledger, n, gate[i].account);
        }

        return process;
    }

    return NULL;
}


void
ngx_gate_ledger_leave(ngx_gate_ledger_process_t *process)
{
    (void) ngx_atomic_cmp_set(&process->pid, (ngx_atomic_uint_t) ngx_pid, 0);
}


ngx_uint_t
ngx_gate_ledger_waiting(ngx_gate_ledger_t *ledger, ngx_atomic_uint_t zone)
{
    ngx_uint_t                  i, waiting;
    ngx_gate_ledger_process_t  *process;

    waiting = 0;

    for (i = 0; i < ledger->lines; i++) {

        process = &ledger->processes[i];

        if (process->waiting
            && process->zone == zone
            && ngx_gate_writer_process_is_alive(process->pid))
        {
            waiting += process->waiting;
        }
    }

    return waiting;
}


ngx_int_t
ngx_gate_ledger_trigger(ngx_gate_ledger_t *ledger, ngx_gate_t *gate)
{
    ngx_atomic_t       *triggering;
    ngx_atomic_uint_t   pid;

    triggering = ngx_gate_ledger_triggering(ledger, gate);
    pid = *triggering;

    if (ngx_gate_writer_process_is_alive(pid)
        || !ngx_atomic_cmp_set(triggering, pid, (ngx_atomic_uint_t) ngx_pid))
    {
        return NGX_BUSY;
    }

    return NGX_OK;
}


void
ngx_gate_ledger_triggered(ngx_gate_ledger_t *ledger, ngx_gate_t *gate)
{
    (void) ngx_atomic_cmp_set(ngx_gate_ledger_triggering(ledger, gate),
                              (ngx_atomic_uint_t) ngx_pid, 0);
}


/* in the oldest ledger that knows the gate: old workers look there, too */

static ngx_atomic_t *
ngx_gate_ledger_triggering(ngx_gate_ledger_t *ledger, ngx_gate_t *gate)
{
    ngx_uint_t     account;
    ngx_atomic_t  *triggering;

    triggering = &ledger->names[gate->account].triggering;

    while (ledger->older) {
        ledger = ledger->older;
        account = ngx_gate_ledger_find(ledger, &gate->name);

        if (account != NGX_GATE_NONE) {
            triggering = &ledger->names[account].triggering;
        }
    }

    return triggering;
}


void
ngx_gate_ledger_sum(ngx_gate_ledger_t *ledger, ngx_gate_t *gate,
    ngx_gate_tally_t *sum)
{
    ngx_uint_t  account;

    ngx_memzero(sum, sizeof(ngx_gate_tally_t));

    for ( /* void */ ; ledger; ledger = ledger->older) {
        account = ngx_gate_ledger_find(ledger, &gate->name);

        if (account != NGX_GATE_NONE) {
            ngx_gate_ledger_add_up(ledger, account, sum);
        }
    }
}


static void
ngx_gate_ledger_add_up(ngx_gate_ledger_t *ledger, ngx_uint_t account,
    ngx_gate_tally_t *sum)
{
    ngx_uint_t                  i;
    ngx_gate_tally_t           *tally;
    ngx_gate_ledger_process_t  *process;

    for (i = 0; i < ledger->lines; i++) {

        tally = ngx_gate_ledger_tally(ledger, i, account);
        process = &ledger->processes[i];

        sum->passed += tally->passed;
        sum->held_passed += tally->held_passed;
        sum->held_refused += tally->held_refused;
        sum->refused += tally->refused;
        sum->gone += tally->gone;

        if (tally->held && ngx_gate_writer_process_is_alive(process->pid)) {
            sum->held += tally->held;
        }
    }
}
