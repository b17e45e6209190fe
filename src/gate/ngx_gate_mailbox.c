
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Mailboxes in shared memory; see ngx_gate_mailbox.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_process.h>
#include <ngx_gate_mailbox.h>


#define NGX_GATE_MAILBOX_MIN     8      /* maximum number of mailboxes in a
                                           zone */
#define NGX_GATE_MAILBOX_SHIFT   2
#define NGX_GATE_MAILBOX_ROUNDS  100    /* attempts to find a free cell */


static ngx_uint_t ngx_gate_mailbox_capacity(ngx_array_t *names,
    ngx_gate_mailboxes_t *old);
static size_t ngx_gate_mailbox_zone_size(ngx_gate_mailboxes_t *model);
static ngx_int_t ngx_gate_mailbox_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static void ngx_gate_mailbox_keep(ngx_gate_mailboxes_t *mailboxes,
    ngx_str_t *name, ngx_uint_t generation);
static ngx_atomic_uint_t ngx_gate_mailbox_write(ngx_gate_mailbox_t *box,
    ngx_atomic_uint_t *count, void *item);
static ngx_uint_t ngx_gate_mailbox_own_cell(ngx_gate_mailbox_t *box);
static ngx_uint_t ngx_gate_mailbox_try_cell(ngx_gate_mailbox_t *box,
    ngx_uint_t i);
static ngx_gate_mailbox_prober_t *ngx_gate_mailbox_find_prober(
    ngx_gate_mailbox_t *box, ngx_atomic_uint_t zone);


#define ngx_gate_mailbox_stride(size)  ngx_align(size, sizeof(uint64_t))

#define ngx_gate_mailbox_current(n)    ((n) & (NGX_GATE_MAILBOX_CELLS - 1))

#define ngx_gate_mailbox_cell(box, i)                                         \
    ((box)->cells + (i) * ngx_gate_mailbox_stride((box)->mailboxes->size))


/*
 * The capacity is part of the name, so that the next configuration uses the
 * same memory unless it needs a larger capacity.
 */

ngx_shm_zone_t *
ngx_gate_mailbox_add_zone(ngx_conf_t *cf, const char *prefix,
    ngx_array_t *names, size_t size, ngx_shm_zone_t *old, void *tag)
{
    u_char                *p;
    ngx_str_t              name;
    ngx_shm_zone_t        *shm_zone;
    ngx_gate_mailboxes_t  *model;

    model = ngx_pcalloc(cf->pool, sizeof(ngx_gate_mailboxes_t));
    p = ngx_pnalloc(cf->pool, ngx_strlen(prefix) + 2 * NGX_INT_T_LEN + 1);

    if (model == NULL || p == NULL) {
        return NULL;
    }

    model->size = size;
    model->capacity = ngx_gate_mailbox_capacity(names,
                   old ? ((ngx_slab_pool_t *) old->shm.addr)->data : NULL);

    name.data = p;
    name.len = ngx_sprintf(p, "%s%ui:%uz", prefix, model->capacity, size) - p;

    shm_zone = ngx_shared_memory_add(cf, &name,
                  ngx_gate_zone_shm_size(ngx_gate_mailbox_zone_size(model)),
                  tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_gate_mailbox_init_zone;
    shm_zone->data = model;

    return shm_zone;
}


/*
 * A mailbox keeps its index permanently, since old workers use it, too.  A
 * full zone is followed by a larger one.
 */

static ngx_uint_t
ngx_gate_mailbox_capacity(ngx_array_t *names, ngx_gate_mailboxes_t *old)
{
    ngx_str_t   *name;
    ngx_uint_t   i, n, capacity;

    capacity = old ? old->capacity : NGX_GATE_MAILBOX_MIN;

    name = names->elts;
    n = old ? old->n : 0;

    for (i = 0; i < names->nelts; i++) {
        if (old == NULL || ngx_gate_mailbox_find(old, &name[i]) == NULL) {
            n++;
        }
    }

    while (capacity < n) {
        capacity *= 2;
    }

    return capacity;
}


static size_t
ngx_gate_mailbox_zone_size(ngx_gate_mailboxes_t *model)
{
    return sizeof(ngx_gate_mailboxes_t)
           + model->capacity * (sizeof(ngx_gate_mailbox_t)
                                + NGX_GATE_MAILBOX_CELLS
                                  * ngx_gate_mailbox_stride(model->size));
}


/* the reload is not committed yet: existing memory is not modified */

static ngx_int_t
ngx_gate_mailbox_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    u_char                *p;
    ngx_uint_t             i;
    ngx_slab_pool_t       *shpool;
    ngx_gate_mailboxes_t  *mailboxes, *model;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    model = shm_zone->data;

    if (data || shm_zone->shm.exists) {
        shm_zone->data = shpool->data;
        return NGX_OK;
    }

    mailboxes = ngx_slab_calloc(shpool, ngx_gate_mailbox_zone_size(model));
    if (mailboxes == NULL) {
        return NGX_ERROR;
    }

    *mailboxes = *model;
    mailboxes->boxes = (ngx_gate_mailbox_t *) &mailboxes[1];

    p = (u_char *) &mailboxes->boxes[mailboxes->capacity];

    for (i = 0; i < mailboxes->capacity; i++) {
        mailboxes->boxes[i].mailboxes = mailboxes;
        mailboxes->boxes[i].cells = p;

        p += NGX_GATE_MAILBOX_CELLS * ngx_gate_mailbox_stride(model->size);
    }

    shpool->data = mailboxes;
    shm_zone->data = mailboxes;

    return NGX_OK;
}


void
ngx_gate_mailbox_commit(ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old,
    ngx_array_t *names, ngx_atomic_uint_t gates)
{
    ngx_str_t             *name;
    ngx_uint_t             i, generation;
    ngx_gate_mailboxes_t  *mailboxes, *m;

    mailboxes = shm_zone->data;

    if (old && old->shm.addr != shm_zone->shm.addr) {
        m = ((ngx_slab_pool_t *) old->shm.addr)->data;

        mailboxes->generation = m->generation;

        /* on failure, all mailboxes are empty */

        if (ngx_gate_zone_keep_memory(old) == NGX_OK) {
            mailboxes->older = m;
        }
    }

    generation = mailboxes->generation + 1;
    name = names->elts;

    for (i = 0; i < names->nelts; i++) {
        ngx_gate_mailbox_keep(mailboxes, &name[i], generation);
    }

    for (m = mailboxes; m; m = m->older) {
        m->generation = generation;
        m->zone = gates;
    }
}


/* a name that was not configured for some time starts empty */

static void
ngx_gate_mailbox_keep(ngx_gate_mailboxes_t *mailboxes, ngx_str_t *name,
    ngx_uint_t generation)
{
    ngx_gate_mailbox_t  *box;

    box = ngx_gate_mailbox_find(mailboxes, name);

    if (box == NULL) {
        box = &mailboxes->boxes[mailboxes->n++];

        ngx_memcpy(box->data, name->data, name->len);
        box->len = name->len;

    } else if (box->generation != generation - 1) {
        box->published = 0;
        ngx_memzero(box->probers, sizeof(box->probers));
    }

    box->generation = generation;
}


ngx_gate_mailbox_t *
ngx_gate_mailbox_find(ngx_gate_mailboxes_t *mailboxes, ngx_str_t *name)
{
    ngx_uint_t  i;

    for ( /* void */ ; mailboxes; mailboxes = mailboxes->older) {

        for (i = 0; i < mailboxes->n; i++) {
            if (ngx_gate_str_eq(&mailboxes->boxes[i], name)) {
                return &mailboxes->boxes[i];
            }
        }
    }

    return NULL;
}


ngx_atomic_uint_t
ngx_gate_mailbox_put(ngx_gate_mailbox_t *box, void *item)
{
    return ngx_gate_mailbox_write(box, NULL, item);
}


ngx_atomic_uint_t
ngx_gate_mailbox_replace(ngx_gate_mailbox_t *box, ngx_atomic_uint_t count,
    void *item)
{
    return ngx_gate_mailbox_write(box, &count, item);
}


static ngx_atomic_uint_t
ngx_gate_mailbox_write(ngx_gate_mailbox_t *box, ngx_atomic_uint_t *count,
    void *item)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  n, next;

    i = ngx_gate_mailbox_own_cell(box);

    if (i == NGX_GATE_NONE) {
        return 0;
    }

    ngx_memory_barrier();

    ngx_memcpy(ngx_gate_mailbox_cell(box, i), item, box->mailboxes->size);

    do {
        n = box->published;
        next = (n >> NGX_GATE_MAILBOX_SHIFT) + 1;

        if (count && next - 1 != *count) {
            next = 0;
            break;
        }

        ngx_memory_barrier();

    } while (!ngx_atomic_cmp_set(&box->published, n,
                                 (next << NGX_GATE_MAILBOX_SHIFT) | i));

    ngx_memory_barrier();

    box->owners[i] = 0;

    return next;
}


/*
 * One of the cells is the current one: the others are sufficient for that
 * many processes at the same time; further ones have to wait.
 */

static ngx_uint_t
ngx_gate_mailbox_own_cell(ngx_gate_mailbox_t *box)
{
    ngx_uint_t  i, n;

    for (n = 0; n < NGX_GATE_MAILBOX_ROUNDS; n++) {

        for (i = 0; i < NGX_GATE_MAILBOX_CELLS; i++) {
            if (ngx_gate_mailbox_try_cell(box, i)) {
                return i;
            }
        }

        ngx_sched_yield();
    }

    return NGX_GATE_NONE;
}


/*
 * A cell that has become the current one meanwhile has no owner, either; only
 * its owner can make it the current one.
 */

static ngx_uint_t
ngx_gate_mailbox_try_cell(ngx_gate_mailbox_t *box, ngx_uint_t i)
{
    ngx_atomic_uint_t  owner;

    owner = box->owners[i];

    if (ngx_gate_mailbox_current(box->published) == i
        || ngx_gate_process_is_alive(owner)
        || !ngx_atomic_cmp_set(&box->owners[i], owner,
                               ngx_gate_process_self()))
    {
        return 0;
    }

    if (ngx_gate_mailbox_current(box->published) == i) {
        box->owners[i] = 0;
        return 0;
    }

    return 1;
}


ngx_atomic_uint_t
ngx_gate_mailbox_read(ngx_gate_mailbox_t *box, void *item)
{
    ngx_atomic_uint_t  n;

    do {
        n = box->published;
        ngx_memory_barrier();

        if (n >> NGX_GATE_MAILBOX_SHIFT == 0) {
            return 0;
        }

        ngx_memcpy(item,
                   ngx_gate_mailbox_cell(box, ngx_gate_mailbox_current(n)),
                   box->mailboxes->size);
        ngx_memory_barrier();

    } while (n != box->published);

    return n >> NGX_GATE_MAILBOX_SHIFT;
}


ngx_atomic_uint_t
ngx_gate_mailbox_count(ngx_gate_mailbox_t *box)
{
    return box->published >> NGX_GATE_MAILBOX_SHIFT;
}


/* each zone has one prober, and at most as many zones are in use */

void
ngx_gate_mailbox_attach(ngx_gate_mailbox_t *box, ngx_atomic_uint_t zone)
{
    ngx_uint_t                  i;
    ngx_gate_mailbox_prober_t  *prober;

    prober = ngx_gate_mailbox_find_prober(box, zone);

    if (prober) {
        prober->process = ngx_gate_process_self();
        return;
    }

    for (i = 0; i < NGX_GATE_MAILBOX_PROBERS - 1; i++) {
        if (!ngx_gate_process_is_alive(box->probers[i].process)) {
            break;
        }
    }

    prober = &box->probers[i];

    prober->process = 0;
    prober->count = 0;
    ngx_memory_barrier();

    prober->zone = zone;
    prober->process = ngx_gate_process_self();
}


/* the next prober of this zone continues from the count */

void
ngx_gate_mailbox_detach(ngx_gate_mailbox_t *box, ngx_atomic_uint_t zone)
{
    ngx_gate_mailbox_prober_t  *prober;

    prober = ngx_gate_mailbox_find_prober(box, zone);

    if (prober) {
        (void) ngx_atomic_cmp_set(&prober->process, ngx_gate_process_self(),
                                  0);
    }
}


ngx_uint_t
ngx_gate_mailbox_acknowledge(ngx_gate_mailbox_t *box, ngx_atomic_uint_t zone,
    ngx_atomic_uint_t count)
{
    ngx_gate_mailbox_prober_t  *prober;

    prober = ngx_gate_mailbox_find_prober(box, zone);

    if (prober == NULL || prober->count >= count) {
        return 0;
    }

    ngx_memory_barrier();

    prober->count = count;

    return 1;
}


static ngx_gate_mailbox_prober_t *
ngx_gate_mailbox_find_prober(ngx_gate_mailbox_t *box, ngx_atomic_uint_t zone)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_GATE_MAILBOX_PROBERS; i++) {
        if (box->probers[i].zone == zone) {
            return &box->probers[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_gate_mailbox_is_acknowledged(ngx_gate_mailbox_t *box,
    ngx_atomic_uint_t count)
{
    ngx_uint_t                  i, newest;
    ngx_gate_mailbox_prober_t  *prober;

    newest = 0;

    for (i = 0; i < NGX_GATE_MAILBOX_PROBERS; i++) {
        prober = &box->probers[i];

        if (prober->count >= count) {
            newest |= (prober->zone == box->mailboxes->zone);

        } else if (ngx_gate_process_is_alive(prober->process)) {
            return 0;
        }
    }

    return newest;
}
