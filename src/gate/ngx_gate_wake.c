
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Wakes the processes that listen; see ngx_gate_wake.h.
 */


#include <ngx_gate_wake.h>


#if (NGX_HAVE_EVENTFD && NGX_HAVE_SYS_EVENTFD_H)

static ngx_connection_t *ngx_gate_wake_open(ngx_log_t *log);
static void ngx_gate_wake_handler(ngx_event_t *ev);


static ngx_fd_t           ngx_gate_wake_fd = NGX_INVALID_FILE;

/* listeners of this process */

static ngx_connection_t  *ngx_gate_wake_connection;
static ngx_queue_t        ngx_gate_wake_listeners;


void
ngx_gate_wake_init(ngx_log_t *log)
{
    if (ngx_gate_wake_fd != NGX_INVALID_FILE || ngx_test_config) {
        return;
    }

    ngx_gate_wake_fd = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK);

    if (ngx_gate_wake_fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_WARN, log, ngx_errno, "eventfd() failed, "
                      "requests held at init gates are resumed by polling");
    }
}


void
ngx_gate_wake_send(ngx_log_t *log)
{
    uint64_t  one;

    if (ngx_gate_wake_fd == NGX_INVALID_FILE) {
        return;
    }

    one = 1;

    if (write(ngx_gate_wake_fd, &one, sizeof(uint64_t)) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      "write() to eventfd failed");
    }
}


ngx_int_t
ngx_gate_wake_listen(ngx_gate_wake_t *wake, ngx_log_t *log)
{
    if (wake->listening) {
        return NGX_OK;
    }

    if (ngx_gate_wake_connection == NULL) {
        ngx_gate_wake_connection = ngx_gate_wake_open(log);

        if (ngx_gate_wake_connection == NULL) {
            return NGX_DECLINED;
        }

        ngx_queue_init(&ngx_gate_wake_listeners);
    }

    wake->listening = 1;
    ngx_queue_insert_tail(&ngx_gate_wake_listeners, &wake->queue);

    return NGX_OK;
}


static ngx_connection_t *
ngx_gate_wake_open(ngx_log_t *log)
{
    ngx_connection_t  *c;

    if (ngx_gate_wake_fd == NGX_INVALID_FILE
        || !(ngx_event_flags & NGX_USE_EPOLL_EVENT)
        || ngx_cycle->free_connection_n == 0)
    {
        return NULL;
    }

    c = ngx_get_connection(ngx_gate_wake_fd, log);
    if (c == NULL) {
        return NULL;
    }

    c->shared = 1;
    c->idle = 1;
    c->log = log;

    c->read->log = log;
    c->write->log = log;

    c->read->handler = ngx_gate_wake_handler;
    c->write->handler = ngx_gate_wake_handler;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        return NULL;
    }

    return c;
}


/* a handler may stop any listener, including its own */

static void
ngx_gate_wake_handler(ngx_event_t *ev)
{
    ngx_queue_t        listeners, *q;
    ngx_gate_wake_t   *wake;
    ngx_connection_t  *c;

    c = ev->data;

    /* by worker_shutdown_timeout */

    if (c->error) {
        ngx_gate_wake_exit();
        return;
    }

    /* the worker is about to exit, which listeners see by ngx_exiting */

    c->close = 0;

    ngx_queue_init(&listeners);
    ngx_queue_add(&listeners, &ngx_gate_wake_listeners);
    ngx_queue_init(&ngx_gate_wake_listeners);

    while (!ngx_queue_empty(&listeners)) {
        q = ngx_queue_head(&listeners);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_gate_wake_listeners, q);

        wake = ngx_queue_data(q, ngx_gate_wake_t, queue);
        wake->handler(wake);
    }
}


void
ngx_gate_wake_stop(ngx_gate_wake_t *wake)
{
    if (!wake->listening) {
        return;
    }

    wake->listening = 0;
    ngx_queue_remove(&wake->queue);
}


/*
 * Call before ngx_close_connection(), which deletes only events of
 * descriptors that are not shared.
 */

void
ngx_gate_wake_exit(void)
{
    ngx_queue_t       *q;
    ngx_gate_wake_t   *wake;
    ngx_connection_t  *c;

    c = ngx_gate_wake_connection;

    if (c == NULL) {
        return;
    }

    ngx_gate_wake_connection = NULL;

    while (!ngx_queue_empty(&ngx_gate_wake_listeners)) {
        q = ngx_queue_head(&ngx_gate_wake_listeners);
        wake = ngx_queue_data(q, ngx_gate_wake_t, queue);

        ngx_gate_wake_stop(wake);
    }

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    ngx_close_connection(c);
}

#else


void
ngx_gate_wake_init(ngx_log_t *log)
{
}


void
ngx_gate_wake_send(ngx_log_t *log)
{
}


ngx_int_t
ngx_gate_wake_listen(ngx_gate_wake_t *wake, ngx_log_t *log)
{
    return NGX_DECLINED;
}


void
ngx_gate_wake_stop(ngx_gate_wake_t *wake)
{
}


void
ngx_gate_wake_exit(void)
{
}

#endif
