
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests that wait until their item in a mailbox is in force, which the
 * prober acknowledges.
 */


#include <ngx_http_gate_post.h>


#define NGX_HTTP_GATE_AWAIT_TIME  2000
#define NGX_HTTP_GATE_AWAIT_POLL  10      /* polling time without eventfd */

#define NGX_HTTP_GATE_AWAIT_ACCEPTED  202


static void ngx_http_gate_await_wake_handler(ngx_gate_wake_t *wake);
static void ngx_http_gate_await_poll_handler(ngx_event_t *ev);
static void ngx_http_gate_await_look(ngx_http_gate_main_conf_t *gmcf);
static void ngx_http_gate_await_timeout_handler(ngx_event_t *ev);
static void ngx_http_gate_await_answer(ngx_http_gate_post_t *post,
    ngx_uint_t status);
static void ngx_http_gate_await_poll(ngx_http_gate_main_conf_t *gmcf);


void
ngx_http_gate_await_init(ngx_http_gate_main_conf_t *gmcf, ngx_log_t *log)
{
    ngx_queue_init(&gmcf->awaiting_queue);

    gmcf->await_wake.handler = ngx_http_gate_await_wake_handler;

    ngx_gate_event_init(&gmcf->await_event, ngx_http_gate_await_poll_handler,
                        log);
}


void
ngx_http_gate_await_exit(ngx_http_gate_main_conf_t *gmcf)
{
    ngx_gate_wake_stop(&gmcf->await_wake);

    if (gmcf->await_event.timer_set) {
        ngx_del_timer(&gmcf->await_event);
    }
}


void
ngx_http_gate_await_begin(ngx_http_gate_post_t *post, ngx_gate_mailbox_t *box,
    ngx_atomic_uint_t count)
{
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_gate_main_conf_t  *gmcf;

    r = post->request;
    c = r->connection;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_init_gate_module);

    post->box = box;
    post->count = count;
    post->queued = 1;

    ngx_queue_insert_tail(&gmcf->awaiting_queue, &post->queue);

    post->timer.handler = ngx_http_gate_await_timeout_handler;
    post->timer.data = c;
    post->timer.log = c->log;

    ngx_add_timer(&post->timer, NGX_HTTP_GATE_AWAIT_TIME);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    (void) ngx_gate_wake_listen(&gmcf->await_wake, gmcf->await_event.log);
    ngx_http_gate_await_poll(gmcf);

    ngx_gate_wake_send(c->log);

    if (c->read->ready) {

        /* the client may have closed the connection; there is no other event */

        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
}


void
ngx_http_gate_await_end(ngx_http_gate_post_t *post)
{
    if (!post->queued) {
        return;
    }

    post->queued = 0;

    ngx_queue_remove(&post->queue);

    if (post->timer.timer_set) {
        ngx_del_timer(&post->timer);
    }
}


static void
ngx_http_gate_await_wake_handler(ngx_gate_wake_t *wake)
{
    ngx_http_gate_await_look(ngx_queue_data(wake, ngx_http_gate_main_conf_t,
                                            await_wake));
}


static void
ngx_http_gate_await_poll_handler(ngx_event_t *ev)
{
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_queue_data(ev, ngx_http_gate_main_conf_t, await_event);

    ngx_http_gate_await_look(gmcf);
    ngx_http_gate_await_poll(gmcf);
}


static void
ngx_http_gate_await_poll(ngx_http_gate_main_conf_t *gmcf)
{
    if (!gmcf->await_wake.listening
        && !gmcf->await_event.timer_set
        && !ngx_queue_empty(&gmcf->awaiting_queue))
    {
        ngx_add_timer(&gmcf->await_event, NGX_HTTP_GATE_AWAIT_POLL);
    }
}


/*
 * Finalizing one request may end others.  Listening stops here only: while
 * one request is finalized, the queue does not have the ones after it.
 */

static void
ngx_http_gate_await_look(ngx_http_gate_main_conf_t *gmcf)
{
    ngx_queue_t            waiting, *q;
    ngx_http_gate_post_t  *post;

    ngx_queue_init(&waiting);

    if (!ngx_queue_empty(&gmcf->awaiting_queue)) {
        ngx_queue_add(&waiting, &gmcf->awaiting_queue);
        ngx_queue_init(&gmcf->awaiting_queue);
    }

    while (!ngx_queue_empty(&waiting)) {
        q = ngx_queue_head(&waiting);
        post = ngx_queue_data(q, ngx_http_gate_post_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&gmcf->awaiting_queue, q);

        if (ngx_gate_mailbox_is_acknowledged(post->box, post->count)) {
            ngx_http_gate_await_answer(post, NGX_HTTP_NO_CONTENT);
        }
    }

    if (ngx_queue_empty(&gmcf->awaiting_queue)) {
        ngx_http_gate_await_exit(gmcf);
    }
}


static void
ngx_http_gate_await_timeout_handler(ngx_event_t *ev)
{
    ngx_http_gate_post_t  *post;

    post = ngx_queue_data(ev, ngx_http_gate_post_t, timer);

    ngx_http_gate_await_answer(post, NGX_HTTP_GATE_AWAIT_ACCEPTED);
}


static void
ngx_http_gate_await_answer(ngx_http_gate_post_t *post, ngx_uint_t status)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = post->request;
    c = r->connection;

    ngx_http_gate_await_end(post);

    r->headers_out.status = status;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    ngx_http_finalize_request(r, ngx_http_send_header(r));

    ngx_http_run_posted_requests(c);
}
