
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests that wait for a change; see ngx_http_gate_wait.h.  They are woken
 * together with held requests, by ngx_http_gate_hold_watch().
 */


#include <ngx_http_gate_wait.h>
#include <ngx_crc32.h>


#define NGX_HTTP_GATE_WAIT_MAX         55    /* s, less than proxies allow */
#define NGX_HTTP_GATE_WAIT_CONNECTION  8     /* requests of one connection */
#define NGX_HTTP_GATE_WAIT_SHARE       8     /* of worker_connections */
#define NGX_HTTP_GATE_WAIT_BATCH       128   /* in one turn of the loop */

#define NGX_HTTP_GATE_WAIT_TAG         sizeof("W/\"00000000\"")


static ngx_uint_t ngx_http_gate_wait_is_matched(ngx_http_gate_wait_t *wait);
static u_char *ngx_http_gate_wait_print_tag(ngx_http_gate_wait_t *wait,
    u_char *p);
static ngx_uint_t ngx_http_gate_wait_is_allowed(ngx_http_gate_wait_t *wait);
static ngx_connection_t *ngx_http_gate_wait_connection(ngx_http_request_t *r);
static void ngx_http_gate_wait_dequeue(ngx_http_gate_wait_t *wait);
static void ngx_http_gate_wait_timeout_handler(ngx_event_t *ev);
static void ngx_http_gate_wait_cleanup(void *data);
static ngx_uint_t ngx_http_gate_wait_is_over(ngx_http_gate_wait_t *wait);
static void ngx_http_gate_wait_end(ngx_http_gate_wait_t *wait);
static uint32_t ngx_http_gate_wait_version(ngx_gate_t **gates);
static uint32_t ngx_http_gate_wait_page_tag(ngx_gate_t **gates);


ngx_http_gate_wait_t *
ngx_http_gate_wait_create(ngx_http_request_t *r, ngx_gate_t **gates,
    ngx_uint_t page)
{
    ngx_http_gate_wait_t  *wait;

    wait = ngx_pcalloc(r->pool, sizeof(ngx_http_gate_wait_t));
    if (wait == NULL) {
        return NULL;
    }

    wait->request = r;
    wait->gates = gates;
    wait->page = page;

    wait->seconds = (r == r->main) ? ngx_http_gate_prefer_wait(r)
                                   : NGX_DECLINED;
    wait->seconds = ngx_min(wait->seconds, NGX_HTTP_GATE_WAIT_MAX);

    ngx_http_gate_wait_set_tag(wait);

    wait->matched = r->headers_in.if_none_match
                    && ngx_http_gate_wait_is_matched(wait);

    return wait;
}


void
ngx_http_gate_wait_set_tag(ngx_http_gate_wait_t *wait)
{
    wait->version = ngx_http_gate_wait_version(wait->gates);

    wait->tag = wait->page ? ngx_http_gate_wait_page_tag(wait->gates)
                           : wait->version;
}


static ngx_uint_t
ngx_http_gate_wait_is_matched(ngx_http_gate_wait_t *wait)
{
    u_char     *last, tag[NGX_HTTP_GATE_WAIT_TAG];
    ngx_str_t  *value;

    value = &wait->request->headers_in.if_none_match->value;

    last = ngx_http_gate_wait_print_tag(wait, tag);
    *last = '\0';

    /* W/ or not: the comparison is a weak one */

    return ngx_strnstr(value->data, (char *) tag + 2, value->len) != NULL;
}


static u_char *
ngx_http_gate_wait_print_tag(ngx_http_gate_wait_t *wait, u_char *p)
{
    return ngx_sprintf(p, "W/\"%08xD\"", wait->tag);
}


ngx_int_t
ngx_http_gate_wait_request(ngx_http_gate_wait_t *wait)
{
    ngx_gate_t                **gate;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_cleanup_t         *cln;
    ngx_http_gate_main_conf_t  *gmcf;

    r = wait->request;
    c = r->connection;

    /* a client that sends a tag wants to know of any other state at once */

    if (wait->seconds <= 0
        || (r->headers_in.if_none_match ? !wait->matched : wait->ends(wait)))
    {
        return NGX_DECLINED;
    }

    /* the wait is over at once: the client may ask another worker */

    if (ngx_exiting) {
        return NGX_DECLINED;
    }

    if (!ngx_http_gate_wait_is_allowed(wait)) {
        wait->seconds = NGX_DECLINED;
        return NGX_DECLINED;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (c->read->ready) {

        /* the client may have left, and no other event would come */

        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_gate_wait_cleanup;
    cln->data = wait;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "init gate: request waits for %i s", wait->seconds);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    wait->timer.handler = ngx_http_gate_wait_timeout_handler;
    wait->timer.data = c;
    wait->timer.log = c->log;

    ngx_add_timer(&wait->timer, (ngx_msec_t) wait->seconds * 1000);

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_init_gate_module);

    ngx_queue_insert_tail(&gmcf->wait_queue, &wait->queue);
    gmcf->nwaits++;
    wait->queued = 1;

    for (gate = wait->gates; *gate; gate++) {
        (void) ngx_atomic_fetch_add(&(*gate)->counters->waited, 1);
    }

    ngx_http_gate_hold_watch(gmcf);

    return NGX_AGAIN;
}


static ngx_uint_t
ngx_http_gate_wait_is_allowed(ngx_http_gate_wait_t *wait)
{
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_connection_t           *c;
    ngx_http_gate_wait_t       *other;
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(wait->request,
                                         ngx_http_init_gate_module);

    if (wait->request->discard_body
        || gmcf->core->process == NULL
        || gmcf->nwaits >= ngx_cycle->connection_n / NGX_HTTP_GATE_WAIT_SHARE
        || ngx_cycle->free_connection_n < ngx_cycle->connection_n / 8)
    {
        return 0;
    }

    /* HTTP/2 and HTTP/3 have many requests in one */

    c = ngx_http_gate_wait_connection(wait->request);

    if (c == wait->request->connection) {
        return 1;
    }

    n = 0;

    for (q = ngx_queue_head(&gmcf->wait_queue);
         q != ngx_queue_sentinel(&gmcf->wait_queue);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_http_gate_wait_t, queue);

        if (ngx_http_gate_wait_connection(other->request) == c) {
            n++;
        }
    }

    return n < NGX_HTTP_GATE_WAIT_CONNECTION;
}


static ngx_connection_t *
ngx_http_gate_wait_connection(ngx_http_request_t *r)
{
#if (NGX_HTTP_V2)
    if (r->stream) {
        return r->stream->connection->connection;
    }
#endif

#if (NGX_HTTP_V3)
    if (r->connection->quic) {
        return r->connection->quic->parent;
    }
#endif

    return r->connection;
}


/* every wait ends here: the caller answers */

static void
ngx_http_gate_wait_dequeue(ngx_http_gate_wait_t *wait)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(wait->request,
                                         ngx_http_init_gate_module);

    wait->queued = 0;

    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }

    ngx_queue_remove(&wait->queue);
    gmcf->nwaits--;
}


static void
ngx_http_gate_wait_timeout_handler(ngx_event_t *ev)
{
    ngx_http_gate_wait_end(ngx_queue_data(ev, ngx_http_gate_wait_t, timer));
}


/* the client has gone */

static void
ngx_http_gate_wait_cleanup(void *data)
{
    ngx_http_gate_wait_t *wait = data;

    if (!wait->queued) {
        return;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, wait->request->connection->log, 0,
                   "init gate: client has gone while it waited");

    ngx_http_gate_wait_dequeue(wait);

    if (wait->gone) {
        wait->gone(wait);
    }
}


/*
 * After an event: those whose wait is over move to a queue of their own, since
 * answering one may end others.  Returns whether there are more.
 */

ngx_uint_t
ngx_http_gate_wait_look(ngx_http_gate_main_conf_t *gmcf)
{
    ngx_uint_t             n;
    ngx_queue_t           *q, *next;
    ngx_http_gate_wait_t  *wait;

    for (q = ngx_queue_head(&gmcf->wait_queue);
         q != ngx_queue_sentinel(&gmcf->wait_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        wait = ngx_queue_data(q, ngx_http_gate_wait_t, queue);

        if (ngx_http_gate_wait_is_over(wait)) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&gmcf->over_queue, q);
        }
    }

    for (n = 0; n < NGX_HTTP_GATE_WAIT_BATCH; n++) {

        if (ngx_queue_empty(&gmcf->over_queue)) {
            return 0;
        }

        q = ngx_queue_head(&gmcf->over_queue);

        ngx_http_gate_wait_end(ngx_queue_data(q, ngx_http_gate_wait_t, queue));
    }

    return !ngx_queue_empty(&gmcf->over_queue);
}


static ngx_uint_t
ngx_http_gate_wait_is_over(ngx_http_gate_wait_t *wait)
{
    uint32_t  version;

    if (ngx_exiting) {
        return 1;
    }

    version = ngx_http_gate_wait_version(wait->gates);

    if (version == wait->version) {
        return 0;
    }

    wait->version = version;

    if (!wait->matched) {
        return wait->ends(wait);
    }

    return !wait->page
           || wait->tag != ngx_http_gate_wait_page_tag(wait->gates);
}


static void
ngx_http_gate_wait_end(ngx_http_gate_wait_t *wait)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = wait->request;
    c = r->connection;

    ngx_http_gate_wait_dequeue(wait);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;

        wait->done(wait);
    }

    ngx_http_run_posted_requests(c);
}


/* with "master_process off", after a reload */

void
ngx_http_gate_wait_end_all(ngx_http_gate_main_conf_t *gmcf)
{
    ngx_queue_t  *q;

    while (gmcf->nwaits) {
        q = ngx_queue_empty(&gmcf->over_queue)
            ? ngx_queue_head(&gmcf->wait_queue)
            : ngx_queue_head(&gmcf->over_queue);

        ngx_http_gate_wait_end(ngx_queue_data(q, ngx_http_gate_wait_t, queue));
    }
}


ngx_int_t
ngx_http_gate_wait_add_headers(ngx_http_gate_wait_t *wait)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(wait->request->pool, NGX_HTTP_GATE_WAIT_TAG
                                         + sizeof("wait=") + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h = ngx_http_gate_add_header(wait->request);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->key, "ETag");
    h->value.data = p;
    p = ngx_http_gate_wait_print_tag(wait, p);
    h->value.len = p - h->value.data;

    if (wait->seconds == NGX_DECLINED) {
        return NGX_OK;
    }

    h = ngx_http_gate_add_header(wait->request);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->key, "Preference-Applied");
    h->value.data = p;
    h->value.len = ngx_sprintf(p, "wait=%i", wait->seconds) - p;

    return NGX_OK;
}


/* changes with each publication, and after a restart */

static uint32_t
ngx_http_gate_wait_version(ngx_gate_t **gates)
{
    int64_t            started;
    uint32_t           crc;
    ngx_atomic_uint_t  published;

    ngx_crc32_init(crc);

    for ( /* void */ ; *gates; gates++) {
        published = (*gates)->shared->published;
        started = ngx_gate_zone_published((*gates)->shared)->started_at;

        ngx_crc32_update(&crc, (u_char *) &published, sizeof(published));
        ngx_crc32_update(&crc, (u_char *) &started, sizeof(started));
    }

    ngx_crc32_final(crc);

    return crc;
}


/* of what a visitor can see: progress in per cent, and no times */

static uint32_t
ngx_http_gate_wait_page_tag(ngx_gate_t **gates)
{
    uint32_t                 crc;
    uint32_t                 seen[3];
    ngx_uint_t               i;
    ngx_gate_shared_t       *shared;
    ngx_gate_record_t        record;
    ngx_gate_check_record_t  check;

    ngx_crc32_init(crc);

    for ( /* void */ ; *gates; gates++) {
        shared = (*gates)->shared;

        ngx_gate_zone_read(shared, &record);

        seen[0] = record.latch.state;
        seen[1] = (uint32_t) (record.progress.ratio / 100);
        seen[2] = (uint32_t) record.progress.passed;

        ngx_crc32_update(&crc, (u_char *) &record.started_at, sizeof(int64_t));
        ngx_crc32_update(&crc, (u_char *) seen, sizeof(seen));

        for (i = 0; i < (*gates)->checks.nelts; i++) {
            ngx_gate_zone_read_check(&shared->checks[i].slots, &check);

            seen[0] = check.status.up;
            seen[1] = check.result.verdict;
            seen[2] = check.result.reason;

            ngx_crc32_update(&crc, (u_char *) seen, sizeof(seen));
        }
    }

    ngx_crc32_final(crc);

    return crc;
}
