
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The layout of the shared memory, reads and writes; see ngx_gate_zone.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_writer.h>
#include <ngx_gate_json.h>
#include <ngx_crc32.h>


static ngx_int_t ngx_gate_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static size_t ngx_gate_zone_size(ngx_array_t *gates);
static void ngx_gate_zone_layout(ngx_gate_zone_t *zone, ngx_array_t *gates);
static u_char *ngx_gate_zone_layout_gate(ngx_gate_t *gate, u_char *p);
static ngx_uint_t ngx_gate_zone_is_lost(ngx_gate_writer_t *writer);
static void ngx_gate_zone_swap(ngx_atomic_t *published, ngx_atomic_uint_t n,
    ngx_uint_t open);
static void ngx_gate_zone_fence_word(ngx_gate_writer_t *writer,
    ngx_atomic_t *published);


#define ngx_gate_zone_align(size)                                             \
    ngx_align(size, sizeof(ngx_gate_counters_t))

#define ngx_gate_zone_event(record, n)                                        \
    (&(record)->events[(n) % NGX_GATE_HISTORY])

/* slot 0 is current, slot 2 is avoided */

#define NGX_GATE_ZONE_NEW    (2 << 3)


ngx_shm_zone_t *
ngx_gate_zone_add(ngx_conf_t *cf, ngx_array_t *gates, u_char *digest,
    void *tag)
{
    u_char          *p;
    ngx_str_t        name;
    ngx_shm_zone_t  *shm_zone;

    p = ngx_pnalloc(cf->pool, sizeof("init_gate:") + 32);
    if (p == NULL) {
        return NULL;
    }

    name.data = p;
    p = ngx_cpymem(p, "init_gate:", sizeof("init_gate:") - 1);
    name.len = ngx_hex_dump(p, digest, 16) - name.data;

    shm_zone = ngx_shared_memory_add(cf, &name,
                            ngx_gate_zone_shm_size(ngx_gate_zone_size(gates)),
                            tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_gate_zone_init;
    shm_zone->data = gates;

    return shm_zone;
}


/* the size of a slab pool with one block of this size */

size_t
ngx_gate_zone_shm_size(size_t size)
{
    ngx_uint_t  pages;

    pages = (size + ngx_pagesize - 1) / ngx_pagesize + 1;

    size = sizeof(ngx_slab_pool_t)
           + ngx_pagesize_shift * (sizeof(ngx_slab_page_t)
                                   + sizeof(ngx_slab_stat_t))
           + pages * (sizeof(ngx_slab_page_t) + ngx_pagesize);

    return ngx_align(size + ngx_pagesize, ngx_pagesize);
}


static size_t
ngx_gate_zone_size(ngx_array_t *gates)
{
    size_t       size;
    ngx_uint_t   i;
    ngx_gate_t  *gate;

    gate = gates->elts;

    size = ngx_gate_zone_align(sizeof(ngx_gate_zone_t))
           + ngx_gate_zone_align(gates->nelts * sizeof(ngx_gate_shared_t));

    for (i = 0; i < gates->nelts; i++) {
        size += ngx_gate_zone_align(gate[i].checks.nelts
                                    * sizeof(ngx_gate_check_shared_t))
                + NGX_GATE_ZONE_SLOTS
                  * ngx_gate_zone_align(ngx_gate_json_size(&gate[i])
                                        + NGX_GATE_HEADER_MAX);
    }

    return size;
}


/*
 * The same name means the same gates and checks, so an existing zone is only
 * attached to: it is in use, and this reload may still fail.
 */

static ngx_int_t
ngx_gate_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_uint_t        i;
    ngx_gate_t       *gate;
    ngx_array_t      *gates;
    ngx_gate_zone_t  *zone;
    ngx_slab_pool_t  *shpool;

    gates = shm_zone->data;
    gate = gates->elts;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        zone = shpool->data;

        for (i = 0; i < gates->nelts; i++) {
            gate[i].shared = &zone->gates[i];
        }

        shm_zone->data = zone;

        return NGX_OK;
    }

    zone = ngx_slab_calloc(shpool, ngx_gate_zone_size(gates));
    if (zone == NULL) {
        return NGX_ERROR;
    }

    ngx_gate_zone_layout(zone, gates);

    shpool->data = zone;
    shm_zone->data = zone;

    return NGX_OK;
}


static void
ngx_gate_zone_layout(ngx_gate_zone_t *zone, ngx_array_t *gates)
{
    u_char      *p;
    ngx_uint_t   i;
    ngx_gate_t  *gate;

    gate = gates->elts;

    zone->id = (uint32_t) ngx_random();
    zone->touched_msec = ngx_current_msec;
    zone->ngates = gates->nelts;

    p = (u_char *) zone + ngx_gate_zone_align(sizeof(ngx_gate_zone_t));
    zone->gates = (ngx_gate_shared_t *) p;

    p += ngx_gate_zone_align(gates->nelts * sizeof(ngx_gate_shared_t));

    for (i = 0; i < gates->nelts; i++) {
        gate[i].shared = &zone->gates[i];
        p = ngx_gate_zone_layout_gate(&gate[i], p);
    }
}


static u_char *
ngx_gate_zone_layout_gate(ngx_gate_t *gate, u_char *p)
{
    ngx_uint_t          i;
    ngx_gate_shared_t  *shared;

    shared = gate->shared;

    shared->published = NGX_GATE_ZONE_NEW;

    shared->name_len = gate->name.len;
    ngx_memcpy(shared->name, gate->name.data, gate->name.len);

    shared->json_size = ngx_gate_json_size(gate);

    shared->nchecks = gate->checks.nelts;
    shared->checks = (ngx_gate_check_shared_t *) p;

    p += ngx_gate_zone_align(shared->nchecks * sizeof(ngx_gate_check_shared_t));

    for (i = 0; i < shared->nchecks; i++) {
        ngx_gate_zone_init_check(&shared->checks[i].slots);

        ngx_memcpy(shared->checks[i].digest,
                   ngx_gate_check_at(gate, i)->digest, 16);
    }

    if (gate->trigger) {
        ngx_memcpy(shared->trigger_digest, gate->trigger->digest, 16);
    }

    for (i = 0; i < NGX_GATE_ZONE_SLOTS; i++) {
        shared->bodies[i] = p;
        p += ngx_gate_zone_align(shared->json_size + NGX_GATE_HEADER_MAX);
    }

    return p;
}


/* the zone of another cycle, found by the tag and the prefix of its name */

ngx_shm_zone_t *
ngx_gate_zone_find(ngx_cycle_t *cycle, void *tag, const char *prefix)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_shm_zone_t   *shm_zone;

    len = ngx_strlen(prefix);
    part = &cycle->shared_memory.part;
    shm_zone = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            shm_zone = part->elts;
            i = 0;
        }

        if (shm_zone[i].tag == tag
            && shm_zone[i].shm.addr != NULL
            && shm_zone[i].shm.name.len > len
            && ngx_strncmp(shm_zone[i].shm.name.data, prefix, len) == 0)
        {
            return &shm_zone[i];
        }
    }
}


ngx_int_t
ngx_gate_zone_keep_memory(ngx_shm_zone_t *old)
{
    ngx_shm_t  shm;

    shm = old->shm;

    /* Angie would allocate at this address */

    shm.addr = NULL;

    if (ngx_shm_alloc(&shm) != NGX_OK) {
        return NGX_ERROR;
    }

    old->shm.addr = shm.addr;

    return NGX_OK;
}


void
ngx_gate_zone_init_check(ngx_gate_check_slots_t *slots)
{
    slots->published = NGX_GATE_ZONE_NEW;
}


void
ngx_gate_zone_publish_check(ngx_gate_writer_t *writer,
    ngx_gate_check_slots_t *slots, ngx_gate_check_record_t *record)
{
    ngx_atomic_uint_t         n;
    ngx_gate_check_record_t  *to;

    n = slots->published;

    if (ngx_gate_zone_is_lost(writer)) {
        return;
    }

    to = &slots->records[ngx_gate_zone_free(n)];

    /* only the used part of the message is copied */

    ngx_memcpy(to, record, offsetof(ngx_gate_check_record_t, result.message)
                           + record->result.message_len);
    ngx_memcpy(&to->status, &record->status,
               sizeof(ngx_gate_check_record_t)
               - offsetof(ngx_gate_check_record_t, status));

    ngx_gate_zone_swap(&slots->published, n, 0);
}


/* renders the bodies, too: they belong to the record */

void
ngx_gate_zone_publish(ngx_gate_writer_t *writer, ngx_gate_t *gate,
    ngx_gate_record_t *record, ngx_gate_check_record_t *checks)
{
    u_char             *p, *start;
    ngx_uint_t          slot;
    ngx_atomic_uint_t   n;
    ngx_gate_report_t   report;
    ngx_gate_overrides_t  overrides;
    ngx_gate_shared_t  *shared;

    shared = gate->shared;

    report.gate = gate;
    report.record = record;
    report.checks = checks;
    report.overrides = NULL;

    if (record->override) {
        (void) ngx_gate_overrides_read(gate, &overrides);
        report.overrides = &overrides;
    }

    n = shared->published;

    if (ngx_gate_zone_is_lost(writer)) {
        return;
    }

    slot = ngx_gate_zone_free(n);

    start = shared->bodies[slot];
    p = ngx_gate_json_gate(start, start + shared->json_size, &report);
    record->json_len = p - start;

    start = p;
    p = ngx_snprintf(start, NGX_GATE_HEADER_MAX, "%V; state=%V", &gate->name,
                     &ngx_gate_state_names[record->latch.state]);

    if (record->override) {
        p = ngx_sprintf(p, "; override=%V",
                        &ngx_gate_override_names[record->override]);
    }

    record->header_len = p - start;

    ngx_memcpy(&shared->records[slot], record, sizeof(ngx_gate_record_t));

    ngx_gate_zone_swap(&shared->published, n,
                       record->ready);
}


/*
 * Call after reading "published": if the zone is lost between this call and
 * the swap, the new owner avoids the slot and increments "published".  The
 * barrier also orders the swap before the stores to the slot that it has
 * freed: a reader that still copies from there sees that "published" changed.
 */

static ngx_uint_t
ngx_gate_zone_is_lost(ngx_gate_writer_t *writer)
{
    ngx_memory_barrier();

    return writer && !ngx_gate_writer_owns(writer);
}


/* the free slot is filled and becomes the current one */

static void
ngx_gate_zone_swap(ngx_atomic_t *published, ngx_atomic_uint_t n,
    ngx_uint_t open)
{
    ngx_atomic_uint_t  next;

    next = n & ~(ngx_atomic_uint_t) (NGX_GATE_ZONE_OPEN|NGX_GATE_ZONE_CURRENT);
    next |= ngx_gate_zone_free(n) << 1;
    next |= open ? NGX_GATE_ZONE_OPEN : 0;
    next += NGX_GATE_ZONE_COUNT;

    ngx_memory_barrier();

    (void) ngx_atomic_cmp_set(published, n, next);
}


void
ngx_gate_zone_fence(ngx_gate_writer_t *writer)
{
    ngx_uint_t          i, n;
    ngx_gate_shared_t  *shared;

    for (i = 0; i < writer->zone->ngates; i++) {
        shared = &writer->zone->gates[i];

        ngx_gate_zone_fence_word(writer, &shared->published);

        for (n = 0; n < shared->nchecks; n++) {
            ngx_gate_zone_fence_check(writer, &shared->checks[n].slots);
        }
    }
}


void
ngx_gate_zone_fence_check(ngx_gate_writer_t *writer,
    ngx_gate_check_slots_t *slots)
{
    ngx_gate_zone_fence_word(writer, &slots->published);
}


/*
 * A deposed writer may hang while it writes to the slot that was free.  The
 * slot avoided before is then free: a writer is deposed only when the one
 * deposed before has ended.
 */

static void
ngx_gate_zone_fence_word(ngx_gate_writer_t *writer, ngx_atomic_t *published)
{
    ngx_atomic_uint_t  n, next, epoch;

    epoch = ngx_gate_writer_epoch(writer) ? NGX_GATE_ZONE_EPOCH : 0;

    do {
        n = *published;

        if (ngx_gate_zone_is_lost(writer)) {
            return;
        }

        next = n;

        if ((n & NGX_GATE_ZONE_EPOCH) != epoch) {
            next &= ~(ngx_atomic_uint_t) NGX_GATE_ZONE_AVOIDED;
            next |= ngx_gate_zone_free(n) << 3;
            next ^= NGX_GATE_ZONE_EPOCH;
        }

        next += NGX_GATE_ZONE_COUNT;

    } while (!ngx_atomic_cmp_set(published, n, next));
}


void
ngx_gate_zone_add_event(ngx_gate_record_t *record, ngx_gate_state_e state,
    int64_t at)
{
    ngx_gate_zone_event_t  *event;

    if (record->nevents
        && ngx_gate_zone_event(record, record->nevents - 1)->state == state)
    {
        return;
    }

    event = ngx_gate_zone_event(record, record->nevents);

    event->at = at;
    event->state = state;

    record->nevents++;
}


void
ngx_gate_zone_read_check(ngx_gate_check_slots_t *slots,
    ngx_gate_check_record_t *record)
{
    ngx_atomic_uint_t  n;

    do {
        n = slots->published;
        ngx_memory_barrier();

        *record = slots->records[ngx_gate_zone_current(n)];
        ngx_memory_barrier();

    } while (n != slots->published);
}


void
ngx_gate_zone_read(ngx_gate_shared_t *shared, ngx_gate_record_t *record)
{
    ngx_atomic_uint_t  n;

    do {
        n = shared->published;
        ngx_memory_barrier();

        *record = shared->records[ngx_gate_zone_current(n)];
        ngx_memory_barrier();

    } while (n != shared->published);
}


void
ngx_gate_zone_read_refusal(ngx_gate_shared_t *shared,
    ngx_gate_refusal_t *refusal, ngx_gate_refusal_body_e type, u_char *p)
{
    size_t              before;
    ngx_uint_t          slot;
    ngx_gate_record_t  *record;
    ngx_atomic_uint_t   n;

    do {
        n = shared->published;
        ngx_memory_barrier();

        slot = ngx_gate_zone_current(n);
        record = &shared->records[slot];

        refusal->state = record->latch.state;
        refusal->override = record->override;
        refusal->retry_after = record->retry_after;
        refusal->header.len = ngx_min(record->header_len, NGX_GATE_HEADER_MAX);

        before = ngx_min(record->json_len, shared->json_size);
        refusal->body.len = 0;

        if (type == NGX_GATE_REFUSAL_JSON) {
            refusal->body.len = before;
            before = 0;
        }

        ngx_memcpy(p, shared->bodies[slot] + before,
                   refusal->body.len + refusal->header.len);

        ngx_memory_barrier();

    } while (n != shared->published);

    refusal->body.data = p;
    refusal->header.data = p + refusal->body.len;
}


/* oldest first; returns the number */

ngx_uint_t
ngx_gate_zone_read_events(ngx_gate_record_t *record,
    ngx_gate_zone_event_t *events)
{
    ngx_uint_t  i, first;

    first = (record->nevents > NGX_GATE_HISTORY)
            ? record->nevents - NGX_GATE_HISTORY : 0;

    for (i = first; i < record->nevents; i++) {
        events[i - first] = *ngx_gate_zone_event(record, i);
    }

    return record->nevents - first;
}


uint32_t
ngx_gate_zone_gate_id(ngx_gate_zone_t *zone, ngx_gate_t *gate)
{
    uint32_t  crc;

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, (u_char *) &zone->id, sizeof(zone->id));
    ngx_crc32_update(&crc, gate->name.data, gate->name.len);
    ngx_crc32_final(crc);

    return crc;
}
