
/*
 * Wakes the workers in which requests are held; see ngx_gate_wake.h.
 */


#include <ngx_gate_wake.h>


#if (NGX_HAVE_EVENTFD && NGX_HAVE_SYS_EVENTFD_H)

static ngx_fd_t  ngx_gate_wake_fd = NGX_INVALID_FILE;


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


ngx_connection_t *
ngx_gate_wake_listen(ngx_event_handler_pt handler, void *data, ngx_log_t *log)
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
    c->data = data;
    c->log = log;

    c->read->log = log;
    c->write->log = log;

    c->read->handler = handler;
    c->write->handler = handler;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        return NULL;
    }

    return c;
}


/* call before ngx_close_connection(), which skips foreign descriptors */

void
ngx_gate_wake_stop(ngx_connection_t *c)
{
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


ngx_connection_t *
ngx_gate_wake_listen(ngx_event_handler_pt handler, void *data, ngx_log_t *log)
{
    return NULL;
}


void
ngx_gate_wake_stop(ngx_connection_t *c)
{
}

#endif
