
/*
 * Counters of requests that outlive reloads; see ngx_gate_ledger.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_ledger.h>


#define NGX_GATE_LEDGER_MIN  16


static ngx_int_t ngx_gate_ledger_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_uint_t ngx_gate_ledger_find(ngx_gate_ledger_t *ledger,
    ngx_str_t *name);
static ngx_uint_t ngx_gate_ledger_account(ngx_gate_ledger_t *ledger,
    ngx_str_t *name);
static void ngx_gate_ledger_forget(ngx_gate_ledger_t *ledger,
    ngx_array_t *gates);
static ngx_uint_t ngx_gate_ledger_is_alive(ngx_gate_ledger_process_t *process);


#define ngx_gate_ledger_tally(ledger, process, account)                       \
    (&(ledger)->tallies[(process) * (ledger)->capacity + (account)])


/*
 * The capacity stands in the name, so that the memory is handed on from one
 * configuration to the next unless the number of gates outgrows it.
 */

ngx_shm_zone_t *
ngx_gate_ledger_add(ngx_conf_t *cf, ngx_uint_t ngates, void *tag)
{
    u_char          *p;
    size_t           size;
    ngx_str_t        name;
    ngx_uint_t       capacity;
    ngx_shm_zone_t  *shm_zone;

    for (capacity = NGX_GATE_LEDGER_MIN;
         capacity < ngates;
         capacity *= 2)
    { /* void */ }

    p = ngx_pnalloc(cf->pool, sizeof("init_gate_ledger:") + NGX_INT_T_LEN);
    if (p == NULL) {
        return NULL;
    }

    name.data = p;
    name.len = ngx_sprintf(p, "init_gate_ledger:%ui", capacity) - p;

    size = sizeof(ngx_gate_ledger_t)
           + capacity * sizeof(ngx_gate_ledger_name_t)
           + capacity * sizeof(ngx_gate_tally_t) * NGX_GATE_LEDGER_PROCESSES;

    shm_zone = ngx_shared_memory_add(cf, &name, ngx_gate_shm_size(size), tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_gate_ledger_init;
    shm_zone->data = (void *) capacity;

    return shm_zone;
}


/* the reload is not committed yet: what is there already is left alone */

static ngx_int_t
ngx_gate_ledger_init(ngx_shm_zone_t *shm_zone, void *data)
{
    size_t              size;
    u_char             *p;
    ngx_uint_t          capacity;
    ngx_slab_pool_t    *shpool;
    ngx_gate_ledger_t  *ledger;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        shm_zone->data = shpool->data;
        return NGX_OK;
    }

    capacity = (ngx_uint_t) shm_zone->data;

    size = sizeof(ngx_gate_ledger_t) + ngx_cacheline_size
           + capacity * sizeof(ngx_gate_ledger_name_t)
           + capacity * sizeof(ngx_gate_tally_t) * NGX_GATE_LEDGER_PROCESSES;

    p = ngx_slab_calloc(shpool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ledger = (ngx_gate_ledger_t *) p;
    p += sizeof(ngx_gate_ledger_t);

    ledger->capacity = capacity;
    ledger->names = (ngx_gate_ledger_name_t *) p;
    p += capacity * sizeof(ngx_gate_ledger_name_t);

    ledger->tallies = (ngx_gate_tally_t *)
                          ngx_align_ptr(p, sizeof(ngx_gate_tally_t));

    shpool->data = ledger;
    shm_zone->data = ledger;

    return NGX_OK;
}


void
ngx_gate_ledger_open(ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old,
    ngx_array_t *gates)
{
    ngx_uint_t          i;
    ngx_gate_t         *gate;
    ngx_gate_tally_t    sum, *tally;
    ngx_gate_ledger_t  *ledger, *from;

    ledger = shm_zone->data;
    from = NULL;

    if (old && old->shm.addr != shm_zone->shm.addr) {
        from = ((ngx_slab_pool_t *) old->shm.addr)->data;
        ledger->generation = from->generation;
    }

    ledger->generation++;

    ngx_gate_ledger_forget(ledger, gates);

    gate = gates->elts;

    for (i = 0; i < gates->nelts; i++) {

        gate[i].account = ngx_gate_ledger_account(ledger, &gate[i].name);

        tally = ngx_gate_ledger_tally(ledger, 0, gate[i].account);

        /* for processes that never enter: see master_process off */
        gate[i].tally = tally;

        if (from) {
            ngx_gate_ledger_sum(from, &gate[i], &sum);

            tally->passed = sum.passed;
            tally->held_passed = sum.held_passed;
            tally->held_refused = sum.held_refused;
            tally->refused = sum.refused;
            tally->gone = sum.gone;
        }
    }
}


/* gates that are configured no more leave their places to new ones */

static void
ngx_gate_ledger_forget(ngx_gate_ledger_t *ledger, ngx_array_t *gates)
{
    ngx_uint_t               i, n;
    ngx_gate_t              *gate;
    ngx_gate_ledger_name_t  *name;

    gate = gates->elts;

    for (n = 0; n < ledger->capacity; n++) {

        name = &ledger->names[n];

        for (i = 0; i < gates->nelts; i++) {
            if (gate[i].name.len == name->len
                && ngx_memcmp(gate[i].name.data, name->data, name->len) == 0)
            {
                break;
            }
        }

        if (i < gates->nelts || name->len == 0) {
            continue;
        }

        name->len = 0;

        for (i = 0; i < NGX_GATE_LEDGER_PROCESSES; i++) {
            ngx_memzero(ngx_gate_ledger_tally(ledger, i, n),
                        sizeof(ngx_gate_tally_t));
        }
    }
}


static ngx_uint_t
ngx_gate_ledger_find(ngx_gate_ledger_t *ledger, ngx_str_t *name)
{
    ngx_uint_t               i;
    ngx_gate_ledger_name_t  *entry;

    for (i = 0; i < ledger->capacity; i++) {

        entry = &ledger->names[i];

        if (entry->len == name->len
            && ngx_memcmp(entry->data, name->data, name->len) == 0)
        {
            return i;
        }
    }

    return NGX_GATE_NONE;
}


/* there is room: the capacity is that of all configured gates at least */

static ngx_uint_t
ngx_gate_ledger_account(ngx_gate_ledger_t *ledger, ngx_str_t *name)
{
    ngx_str_t   none;
    ngx_uint_t  i;

    i = ngx_gate_ledger_find(ledger, name);

    if (i == NGX_GATE_NONE) {
        ngx_str_null(&none);

        i = ngx_gate_ledger_find(ledger, &none);

        ngx_memcpy(ledger->names[i].data, name->data, name->len);
        ledger->names[i].len = name->len;
    }

    return i;
}


/*
 * With more processes than lines, which takes very many old workers, the last
 * ones share lines: counting is atomic, so only "held" after a crash would be
 * off.
 */

ngx_gate_ledger_process_t *
ngx_gate_ledger_enter(ngx_gate_ledger_t *ledger, ngx_array_t *gates,
    ngx_atomic_uint_t zone)
{
    ngx_uint_t                  i, n;
    ngx_gate_t                 *gate;
    ngx_atomic_uint_t           pid;
    ngx_gate_ledger_process_t  *process;

    gate = gates->elts;
    process = NULL;

    for (n = 0; n < NGX_GATE_LEDGER_PROCESSES; n++) {

        process = &ledger->processes[n];
        pid = process->pid;

        if (pid != 0 && ngx_gate_ledger_is_alive(process)) {
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

        for (i = 0; i < ledger->capacity; i++) {
            ngx_gate_ledger_tally(ledger, n, i)->held = 0;
        }

        break;
    }

    if (n == NGX_GATE_LEDGER_PROCESSES) {
        n = (ngx_uint_t) ngx_pid % NGX_GATE_LEDGER_PROCESSES;
        process = &ledger->processes[n];
    }

    for (i = 0; i < gates->nelts; i++) {
        gate[i].tally = ngx_gate_ledger_tally(ledger, n, gate[i].account);
    }

    return process;
}


void
ngx_gate_ledger_leave(ngx_gate_ledger_process_t *process)
{
    (void) ngx_atomic_cmp_set(&process->pid, (ngx_atomic_uint_t) ngx_pid, 0);
}


static ngx_uint_t
ngx_gate_ledger_is_alive(ngx_gate_ledger_process_t *process)
{
    return kill((pid_t) process->pid, 0) == 0 || ngx_errno != ESRCH;
}


ngx_uint_t
ngx_gate_ledger_waiting(ngx_gate_ledger_t *ledger, ngx_atomic_uint_t zone)
{
    ngx_uint_t                  i, waiting;
    ngx_gate_ledger_process_t  *process;

    waiting = 0;

    for (i = 0; i < NGX_GATE_LEDGER_PROCESSES; i++) {

        process = &ledger->processes[i];

        if (process->pid
            && process->waiting
            && process->zone == zone
            && ngx_gate_ledger_is_alive(process))
        {
            waiting += process->waiting;
        }
    }

    return waiting;
}


void
ngx_gate_ledger_sum(ngx_gate_ledger_t *ledger, ngx_gate_t *gate,
    ngx_gate_tally_t *sum)
{
    ngx_uint_t                  i, account;
    ngx_gate_tally_t           *tally;
    ngx_gate_ledger_process_t  *process;

    ngx_memzero(sum, sizeof(ngx_gate_tally_t));

    account = ngx_gate_ledger_find(ledger, &gate->name);

    if (account == NGX_GATE_NONE) {
        return;
    }

    for (i = 0; i < NGX_GATE_LEDGER_PROCESSES; i++) {

        tally = ngx_gate_ledger_tally(ledger, i, account);
        process = &ledger->processes[i];

        sum->passed += tally->passed;
        sum->held_passed += tally->held_passed;
        sum->held_refused += tally->held_refused;
        sum->refused += tally->refused;
        sum->gone += tally->gone;

        if (tally->held && process->pid && ngx_gate_ledger_is_alive(process)) {
            sum->held += tally->held;
        }
    }
}
