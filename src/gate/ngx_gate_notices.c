
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Notices of initializers; see ngx_gate_notices.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_record.h>
#include <ngx_gate_prober.h>
#include <ngx_gate_notices.h>
#include <ngx_gate_store.h>


#define NGX_GATE_NOTICES_PREFIX  "init_gate_notices:"
#define NGX_GATE_NOTICES_STORE   1000    /* ms between two writes */
#define NGX_GATE_NOTICES_ERROR   512


static ngx_int_t ngx_gate_notices_names(ngx_pool_t *pool, ngx_array_t *gates,
    ngx_array_t *names);
static ngx_int_t ngx_gate_notices_test_stores(ngx_conf_t *cf,
    ngx_array_t *gates);
static ngx_int_t ngx_gate_notices_test_store(ngx_conf_t *cf,
    ngx_array_t *stores, ngx_gate_check_t *check);
static ngx_int_t ngx_gate_notices_add_name(ngx_pool_t *pool,
    ngx_array_t *names, ngx_gate_t *gate, ngx_gate_check_t *check);

static ngx_uint_t ngx_gate_notices_is_new(ngx_gate_run_t *run);
static ngx_uint_t ngx_gate_notices_acknowledge_run(ngx_gate_run_t *run);

static void ngx_gate_notices_load(ngx_gate_run_t *run);
static ngx_uint_t ngx_gate_notices_is_before_boot(ngx_gate_notice_t *notice);
static ngx_uint_t ngx_gate_notices_is_stored(ngx_gate_run_t *run);
static void ngx_gate_notices_store_later(ngx_gate_prober_t *prober);
static void ngx_gate_notices_store_handler(ngx_gate_timer_t *timer);
static ngx_uint_t ngx_gate_notices_store_all(ngx_gate_prober_t *prober);
static ngx_uint_t ngx_gate_notices_may_store(ngx_gate_run_t *run);
static void ngx_gate_notices_store(ngx_gate_run_t *run);
static void ngx_gate_notices_log_store(ngx_gate_run_t *run, u_char *error,
    u_char *last);


#define ngx_gate_notices_conf(run)                                            \
    ((ngx_gate_check_notify_conf_t *) (run)->probe.check->conf)


ngx_int_t
ngx_gate_notices_add_zone(ngx_conf_t *cf, ngx_array_t *gates,
    ngx_shm_zone_t *old, void *tag, ngx_shm_zone_t **zone)
{
    ngx_array_t  names;

    if (ngx_gate_notices_names(cf->temp_pool, gates, &names) != NGX_OK
        || ngx_gate_notices_test_stores(cf, gates) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (names.nelts == 0) {
        return NGX_OK;
    }

    *zone = ngx_gate_mailbox_add_zone(cf, NGX_GATE_NOTICES_PREFIX, &names,
                                      sizeof(ngx_gate_notice_t), old, tag);

    return *zone ? NGX_OK : NGX_ERROR;
}


ngx_shm_zone_t *
ngx_gate_notices_find_zone(ngx_cycle_t *cycle, void *tag)
{
    return ngx_gate_zone_find(cycle, tag, NGX_GATE_NOTICES_PREFIX);
}


/* GATE/CHECK of every check of this type */

static ngx_int_t
ngx_gate_notices_names(ngx_pool_t *pool, ngx_array_t *gates,
    ngx_array_t *names)
{
    ngx_uint_t         i, n;
    ngx_gate_t        *gate;
    ngx_gate_check_t  *check;

    if (ngx_array_init(names, pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    gate = gates->elts;

    for (n = 0; n < gates->nelts; n++) {

        for (i = 0; i < gate[n].checks.nelts; i++) {
            check = ngx_gate_check_at(&gate[n], i);

            if (check->type == &ngx_gate_check_notify
                && ngx_gate_notices_add_name(pool, names, &gate[n], check)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_notices_add_name(ngx_pool_t *pool, ngx_array_t *names,
    ngx_gate_t *gate, ngx_gate_check_t *check)
{
    ngx_str_t  *name;

    name = ngx_array_push(names);
    if (name == NULL) {
        return NGX_ERROR;
    }

    name->len = gate->name.len + 1 + check->name.len;
    name->data = ngx_pnalloc(pool, name->len);

    if (name->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(name->data, "%V/%V", &gate->name, &check->name);

    return NGX_OK;
}


/* two checks would overwrite each other's notices */

static ngx_int_t
ngx_gate_notices_test_stores(ngx_conf_t *cf, ngx_array_t *gates)
{
    ngx_uint_t         i, n;
    ngx_gate_t        *gate;
    ngx_array_t        stores;
    ngx_gate_check_t  *check;

    if (ngx_array_init(&stores, cf->temp_pool, 4,
                       sizeof(ngx_gate_store_place_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    gate = gates->elts;

    for (n = 0; n < gates->nelts; n++) {

        for (i = 0; i < gate[n].checks.nelts; i++) {
            check = ngx_gate_check_at(&gate[n], i);

            if (check->type == &ngx_gate_check_notify
                && ngx_gate_notices_test_store(cf, &stores, check) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_gate_notices_test_store(ngx_conf_t *cf, ngx_array_t *stores,
    ngx_gate_check_t *check)
{
    ngx_uint_t                     i;
    ngx_gate_store_place_t        *place, found;
    ngx_gate_check_notify_conf_t  *conf;

    conf = check->conf;

    if (conf->store.len == 0) {
        return NGX_OK;
    }

    /* the temporary name may be the store of another check */

    if (conf->store.len >= sizeof(".new") - 1
        && ngx_memcmp(conf->store.data + conf->store.len
                      - (sizeof(".new") - 1), ".new", sizeof(".new") - 1)
           == 0)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "the store \"%V\" ends with \".new\", as temporary "
                      "files do: check \"%V\" of init_checks \"%V\" in %V:%ui",
                      &conf->store, &check->name, &check->gate->name,
                      &check->file, check->line);
        return NGX_ERROR;
    }

    if (ngx_gate_store_find(cf->temp_pool, &conf->store, &found) != NGX_OK) {
        return NGX_ERROR;
    }

    place = stores->elts;

    for (i = 0; i < stores->nelts; i++) {

        if (place[i].dev == found.dev
            && place[i].ino == found.ino
            && ngx_gate_str_eq(&place[i].rest, &found.rest))
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "the store \"%V\" is that of another check, too: "
                          "check \"%V\" of init_checks \"%V\" in %V:%ui",
                          &conf->store, &check->name, &check->gate->name,
                          &check->file, check->line);
            return NGX_ERROR;
        }
    }

    place = ngx_array_push(stores);
    if (place == NULL) {
        return NGX_ERROR;
    }

    *place = found;

    return NGX_OK;
}


ngx_int_t
ngx_gate_notices_commit(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone,
    ngx_shm_zone_t *old, ngx_array_t *gates, ngx_atomic_uint_t zone)
{
    ngx_str_t         *name;
    ngx_uint_t         i, n;
    ngx_gate_t        *gate;
    ngx_array_t        names;
    ngx_gate_check_t  *check;

    if (ngx_gate_notices_names(cycle->pool, gates, &names) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_gate_mailbox_commit(shm_zone, old, &names, zone);

    name = names.elts;
    gate = gates->elts;

    for (n = 0; n < gates->nelts; n++) {

        for (i = 0; i < gate[n].checks.nelts; i++) {
            check = ngx_gate_check_at(&gate[n], i);

            if (check->type == &ngx_gate_check_notify) {
                check->mailbox = ngx_gate_mailbox_find(shm_zone->data, name++);
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_gate_notices_init(ngx_gate_prober_t *prober)
{
    ngx_uint_t         i, n;
    ngx_gate_run_t    *run, **slot;
    ngx_gate_check_t  *check;

    if (ngx_array_init(&prober->notified, prober->pool, 4,
                       sizeof(ngx_gate_run_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    prober->store_timer.handler = ngx_gate_notices_store_handler;

    for (n = 0; n < prober->nrunners; n++) {

        for (i = 0; i < prober->runners[n].gate->checks.nelts; i++) {
            run = &prober->runners[n].runs[i];
            check = run->probe.check;

            if (check->mailbox == NULL) {
                continue;
            }

            slot = ngx_array_push(&prober->notified);
            if (slot == NULL) {
                return NGX_ERROR;
            }

            *slot = run;
            run->delay = ngx_gate_notices_receive;
        }
    }

    return NGX_OK;
}


void
ngx_gate_notices_start(ngx_gate_prober_t *prober)
{
    u_char            *p, error[NGX_GATE_NOTICES_ERROR];
    ngx_str_t         *path;
    ngx_uint_t         i;
    ngx_gate_run_t   **run;

    run = prober->notified.elts;

    for (i = 0; i < prober->notified.nelts; i++) {

        run[i]->received = 0;
        run[i]->stored = 0;
        ngx_gate_mailbox_attach(run[i]->probe.check->mailbox,
                                prober->zone->id);
        path = &ngx_gate_notices_conf(run[i])->store;

        if (path->len == 0) {
            continue;
        }

        /*
         * A notice in memory is stored in any case, since the file may be
         * another one than before.  Without one, no process writes now.
         */

        if (ngx_gate_mailbox_count(run[i]->probe.check->mailbox) != 0) {
            continue;
        }

        ngx_gate_notices_load(run[i]);

        p = ngx_gate_store_test(path, error, error + sizeof(error));
        if (p) {
            ngx_gate_notices_log_store(run[i], error, p);
        }
    }
}


void
ngx_gate_notices_stop(ngx_gate_prober_t *prober)
{
    ngx_uint_t        i;
    ngx_gate_run_t  **run;

    run = prober->notified.elts;

    for (i = 0; i < prober->notified.nelts; i++) {

        if (ngx_gate_notices_is_new(run[i])) {
            (void) ngx_gate_notices_receive(run[i]);
        }

        ngx_gate_mailbox_detach(run[i]->probe.check->mailbox,
                                prober->zone->id);
    }

    ngx_gate_timers_del(&prober->timers, &prober->store_timer);

    (void) ngx_gate_notices_store_all(prober);
}


void
ngx_gate_notices_wake(ngx_gate_prober_t *prober)
{
    ngx_uint_t        i, n;
    ngx_gate_run_t  **run;

    run = prober->notified.elts;
    n = 0;

    for (i = 0; i < prober->notified.nelts; i++) {

        if (!ngx_gate_notices_is_new(run[i])) {
            continue;
        }

        /* one that is due keeps its place before the others */

        if (run[i]->timer.set
            && (ngx_msec_int_t) (run[i]->timer.node.key - ngx_current_msec)
               > 0)
        {
            ngx_gate_run_schedule(run[i], 0);
        }

        n++;
    }

    if (n) {
        ngx_post_event(&prober->publish_event, &ngx_posted_events);
    }
}


static ngx_uint_t
ngx_gate_notices_is_new(ngx_gate_run_t *run)
{
    return run->received
           != ngx_gate_mailbox_count(run->probe.check->mailbox);
}


ngx_msec_t
ngx_gate_notices_receive(ngx_gate_run_t *run)
{
    ngx_gate_check_t   *check;
    ngx_gate_notice_t   notice;

    check = run->probe.check;

    run->received = ngx_gate_mailbox_read(check->mailbox, &notice);

    if (run->received == 0) {
        notice.verdict = NGX_GATE_PENDING;
    }

    ngx_gate_check_notify_deliver(check, &notice);

    return 0;
}


ngx_uint_t
ngx_gate_notices_acknowledge(ngx_gate_prober_t *prober)
{
    ngx_uint_t        i, n;
    ngx_gate_run_t  **run;

    run = prober->notified.elts;
    n = 0;

    for (i = 0; i < prober->notified.nelts; i++) {
        n += ngx_gate_notices_acknowledge_run(run[i]);
    }

    return n;
}


/*
 * A run that is not scheduled is not needed: its gate is latched, or it waits
 * for another check.
 */

static ngx_uint_t
ngx_gate_notices_acknowledge_run(ngx_gate_run_t *run)
{
    ngx_gate_prober_t   *prober;
    ngx_gate_mailbox_t  *box;

    box = run->probe.check->mailbox;
    prober = run->runner->prober;

    if (ngx_gate_notices_is_new(run) && !run->timer.set) {
        (void) ngx_gate_notices_receive(run);
    }

    if (run->received == 0
        || run->runner->dirty
        || !ngx_gate_writer_owns(&prober->writer))
    {
        return 0;
    }

    if (!ngx_gate_notices_is_stored(run) && ngx_gate_notices_may_store(run)) {
        ngx_gate_notices_store_later(prober);
    }

    return ngx_gate_mailbox_acknowledge(box, prober->zone->id, run->received);
}


/* a notice that has arrived meanwhile is newer */

static void
ngx_gate_notices_load(ngx_gate_run_t *run)
{
    u_char                        *p, error[NGX_GATE_NOTICES_ERROR];
    int64_t                        age;
    ngx_gate_notice_t              notice;
    ngx_gate_mailbox_t            *box;
    ngx_gate_check_notify_conf_t  *conf;

    ngx_memzero(&notice, sizeof(ngx_gate_notice_t));

    conf = ngx_gate_notices_conf(run);
    box = run->probe.check->mailbox;

    p = ngx_gate_store_read(&conf->store, &notice, error,
                            error + sizeof(error));
    if (p) {
        ngx_log_error(NGX_LOG_ERR, run->runner->prober->log, 0,
                      "init gate \"%V\": the stored notice of check \"%V\" "
                      "is ignored: %*s", &run->runner->gate->name,
                      &run->probe.check->name, (size_t) (p - error), error);
    }

    if (notice.verdict == NGX_GATE_PENDING
        || (conf->boot && ngx_gate_notices_is_before_boot(&notice)))
    {
        return;
    }

    age = ngx_gate_record_now() - notice.at;
    age = ngx_max(age, 0);

    notice.msec = ngx_current_msec
                  - (ngx_msec_t) ngx_min(age, NGX_MAX_INT32_VALUE);

    run->stored = ngx_gate_mailbox_replace(box, 0, &notice);
}


static ngx_uint_t
ngx_gate_notices_is_before_boot(ngx_gate_notice_t *notice)
{
    struct timespec  now, up;

    (void) clock_gettime(CLOCK_REALTIME, &now);
    (void) clock_gettime(CLOCK_BOOTTIME, &up);

    return notice->at < ((int64_t) now.tv_sec - up.tv_sec) * 1000
                        + (now.tv_nsec - up.tv_nsec) / 1000000;
}


static ngx_uint_t
ngx_gate_notices_is_stored(ngx_gate_run_t *run)
{
    return ngx_gate_notices_conf(run)->store.len == 0
           || run->stored >= run->received;
}


static void
ngx_gate_notices_store_later(ngx_gate_prober_t *prober)
{
    ngx_msec_int_t  delay;

    if (prober->store_timer.set) {
        return;
    }

    delay = (ngx_msec_int_t) (prober->store_msec + NGX_GATE_NOTICES_STORE
                              - ngx_current_msec);

    if (prober->store_msec == 0 || delay < 0) {
        delay = 0;
    }

    ngx_gate_timers_add(&prober->timers, &prober->store_timer, delay);
}


static void
ngx_gate_notices_store_handler(ngx_gate_timer_t *timer)
{
    ngx_gate_prober_t  *prober;

    prober = ngx_rbtree_data(timer, ngx_gate_prober_t, store_timer);

    prober->store_msec = ngx_current_msec;

    if (ngx_gate_notices_store_all(prober)) {
        ngx_gate_notices_store_later(prober);
    }
}


/* returns the number that could not be stored */

static ngx_uint_t
ngx_gate_notices_store_all(ngx_gate_prober_t *prober)
{
    ngx_uint_t        i, n;
    ngx_gate_run_t  **run;

    run = prober->notified.elts;
    n = 0;

    for (i = 0; i < prober->notified.nelts; i++) {

        if (!ngx_gate_notices_is_stored(run[i])
            && ngx_gate_notices_may_store(run[i]))
        {
            ngx_gate_notices_store(run[i]);
            n += !ngx_gate_notices_is_stored(run[i]);
        }
    }

    return n;
}


/* the prober of the newest configuration stores all that is in memory */

static ngx_uint_t
ngx_gate_notices_may_store(ngx_gate_run_t *run)
{
    ngx_gate_prober_t  *prober;

    prober = run->runner->prober;

    return run->probe.check->mailbox->mailboxes->zone == prober->zone->id
           && ngx_gate_writer_owns(&prober->writer);
}


static void
ngx_gate_notices_store(ngx_gate_run_t *run)
{
    u_char                        *p, error[NGX_GATE_NOTICES_ERROR];
    ngx_gate_check_notify_conf_t  *conf;

    conf = ngx_gate_notices_conf(run);

    p = ngx_gate_store_write(&conf->store, conf->notice, error,
                             error + sizeof(error));

    if (p == NULL) {
        run->stored = run->received;
        run->store_failed = 0;
        return;
    }

    if (!run->store_failed) {
        run->store_failed = 1;
        ngx_gate_notices_log_store(run, error, p);
    }
}


static void
ngx_gate_notices_log_store(ngx_gate_run_t *run, u_char *error, u_char *last)
{
    ngx_log_error(NGX_LOG_ERR, run->runner->prober->log, 0,
                  "init gate \"%V\": notices of check \"%V\" cannot be "
                  "stored: %*s", &run->runner->gate->name,
                  &run->probe.check->name, (size_t) (last - error), error);
}
