
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Calls in a thread; see ngx_gate_thread.h.
 *
 * The thread has the writing end of a pipe and closes it when the call has
 * returned; the event loop watches the other end.  nginx's own pool of threads
 * would have 32 of them in each worker, and not every nginx has it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate_thread.h>
#include <ngx_gate_watch.h>
#include <pthread.h>


static void ngx_gate_thread_next(void);
static ngx_int_t ngx_gate_thread_create(void);
static ngx_int_t ngx_gate_thread_create_blocked(void);
static void *ngx_gate_thread_main(void *data);
static void ngx_gate_thread_handler(ngx_event_t *ev);
static ngx_gate_thread_t *ngx_gate_thread_join(void);
static void ngx_gate_thread_close(ngx_fd_t fd);


static ngx_queue_t         ngx_gate_thread_waiting = {
    &ngx_gate_thread_waiting, &ngx_gate_thread_waiting
};

static ngx_gate_thread_t  *ngx_gate_thread_current;
static ngx_connection_t   *ngx_gate_thread_connection;
static ngx_fd_t            ngx_gate_thread_pipe[2];
static pthread_t           ngx_gate_thread_id;


void
ngx_gate_thread_start(ngx_gate_thread_t *thread)
{
    ngx_queue_insert_tail(&ngx_gate_thread_waiting, &thread->queue);

    if (ngx_gate_thread_current == NULL) {
        ngx_gate_thread_next();
    }
}


void
ngx_gate_thread_cancel(ngx_gate_thread_t *thread)
{
    if (thread == ngx_gate_thread_current) {
        return;
    }

    ngx_queue_remove(&thread->queue);

    thread->done(thread);
}


void
ngx_gate_thread_exit(void)
{
    ngx_gate_thread_t  *thread;

    if (ngx_gate_thread_current == NULL) {
        return;
    }

    thread = ngx_gate_thread_join();

    thread->done(thread);
}


static void
ngx_gate_thread_next(void)
{
    ngx_queue_t        *q;
    ngx_gate_thread_t  *thread;

    while (ngx_gate_thread_current == NULL
           && !ngx_queue_empty(&ngx_gate_thread_waiting))
    {
        q = ngx_queue_head(&ngx_gate_thread_waiting);
        ngx_queue_remove(q);

        thread = ngx_queue_data(q, ngx_gate_thread_t, queue);

        ngx_gate_thread_current = thread;

        if (ngx_gate_thread_create() == NGX_OK) {
            return;
        }

        thread->call(thread);

        ngx_gate_thread_current = NULL;

        thread->done(thread);
    }
}


static ngx_int_t
ngx_gate_thread_create(void)
{
    ngx_connection_t  *c;

    if (pipe2(ngx_gate_thread_pipe, O_CLOEXEC|O_NONBLOCK) == -1) {
        return NGX_ERROR;
    }

    c = ngx_gate_watch_open(ngx_gate_thread_pipe[0], ngx_gate_thread_handler,
                            NULL);

    if (c) {
        if (ngx_gate_watch_set(c, NGX_GATE_WATCH_READ) == NGX_OK
            && ngx_gate_thread_create_blocked() == NGX_OK)
        {
            ngx_gate_thread_connection = c;
            return NGX_OK;
        }

        ngx_gate_watch_close(c, 0);
    }

    ngx_gate_thread_close(ngx_gate_thread_pipe[0]);
    ngx_gate_thread_close(ngx_gate_thread_pipe[1]);

    return NGX_ERROR;
}


/* the handlers of nginx's signals are for the main thread */

static ngx_int_t
ngx_gate_thread_create_blocked(void)
{
    int       err;
    sigset_t  all, set;

    sigfillset(&all);

    if (pthread_sigmask(SIG_SETMASK, &all, &set) != 0) {
        return NGX_ERROR;
    }

    err = pthread_create(&ngx_gate_thread_id, NULL, ngx_gate_thread_main,
                         ngx_gate_thread_current);

    (void) pthread_sigmask(SIG_SETMASK, &set, NULL);

    return err ? NGX_ERROR : NGX_OK;
}


static void *
ngx_gate_thread_main(void *data)
{
    ngx_gate_thread_t *thread = data;

    thread->call(thread);

    (void) close(ngx_gate_thread_pipe[1]);

    return NULL;
}


static void
ngx_gate_thread_handler(ngx_event_t *ev)
{
    u_char              buf[1];
    ngx_connection_t   *c;
    ngx_gate_thread_t  *thread;

    c = ev->data;

    /* called by worker_shutdown_timeout, too */

    if (read(c->fd, buf, 1) != 0) {
        return;
    }

    thread = ngx_gate_thread_join();

    ngx_gate_thread_next();

    thread->done(thread);
}


static ngx_gate_thread_t *
ngx_gate_thread_join(void)
{
    ngx_gate_thread_t  *thread;

    thread = ngx_gate_thread_current;

    (void) pthread_join(ngx_gate_thread_id, NULL);

    ngx_gate_watch_close(ngx_gate_thread_connection, 0);
    ngx_gate_thread_close(ngx_gate_thread_pipe[0]);

    ngx_gate_thread_current = NULL;

    return thread;
}


static void
ngx_gate_thread_close(ngx_fd_t fd)
{
    if (close(fd) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "close() of a pipe failed");
    }
}
