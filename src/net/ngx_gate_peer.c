
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * In event handlers, the call of peer->handler is the last statement: it may
 * close the connection, or open another one.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_peer.h>
#include <ngx_gate_peer_connect.h>


#define NGX_GATE_PEER_POOL_SIZE  1024
#define NGX_GATE_PEER_OUT_SIZE   512


static ngx_int_t ngx_gate_peer_create_buffers(ngx_gate_peer_t *peer);
static void ngx_gate_peer_unix_address(ngx_gate_peer_t *peer);
static void ngx_gate_peer_resolve_handler(ngx_gate_resolver_ctx_t *resolve);

static void ngx_gate_peer_end(ngx_gate_peer_t *peer);

static void ngx_gate_peer_read_handler(ngx_event_t *rev);
static void ngx_gate_peer_write_handler(ngx_event_t *wev);
static void ngx_gate_peer_closed_handler(ngx_event_t *ev);
static void ngx_gate_peer_read(ngx_gate_peer_t *peer);
static ngx_int_t ngx_gate_peer_free_buffer(ngx_gate_peer_t *peer);
static void ngx_gate_peer_write(ngx_gate_peer_t *peer);
static void ngx_gate_peer_send_failed(ngx_gate_peer_t *peer, ngx_err_t err);

static void ngx_gate_peer_post_handler(ngx_event_t *ev);
static void ngx_gate_peer_expiry_handler(ngx_event_t *ev);


void
ngx_gate_peer_connect(ngx_gate_peer_t *peer)
{
    ngx_int_t                 rc;
    ngx_gate_resolver_ctx_t  *resolve;

    ngx_gate_peer_end(peer);

    peer->error.reason = NGX_GATE_OK;
    peer->error.len = 0;
    peer->tried = 0;
    peer->reused = 0;

    if (ngx_gate_peer_create_buffers(peer) != NGX_OK) {
        ngx_gate_error_set(&peer->error, NGX_GATE_NO_MEMORY, "no memory");
        ngx_gate_peer_fail(peer);
        return;
    }

    resolve = &peer->resolve;

    if (peer->endpoint->path.len) {
        ngx_gate_peer_unix_address(peer);
        ngx_gate_peer_connect_next(peer);
        return;
    }

    peer->log->action = "resolving";

    resolve->name = peer->endpoint->host;
    resolve->port = peer->endpoint->port;
    resolve->resolver = peer->resolver;
    resolve->log = peer->log;
    resolve->data = peer;
    resolve->handler = ngx_gate_peer_resolve_handler;

    rc = ngx_gate_resolver_start(resolve);

    if (rc != NGX_AGAIN) {
        ngx_gate_peer_resolve_handler(resolve);
    }
}


static ngx_int_t
ngx_gate_peer_create_buffers(ngx_gate_peer_t *peer)
{
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_GATE_PEER_POOL_SIZE, peer->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    peer->pool = pool;

    peer->in = ngx_create_temp_buf(pool, NGX_GATE_PEER_IN_SIZE);
    if (peer->in == NULL) {
        return NGX_ERROR;
    }

    peer->out = ngx_create_temp_buf(pool, NGX_GATE_PEER_OUT_SIZE);
    if (peer->out == NULL) {
        return NGX_ERROR;
    }

    ngx_gate_log_capture_init(&peer->capture, peer->log);
    ngx_gate_event_init(&peer->timer, ngx_gate_peer_late, peer->log);

    return NGX_OK;
}


static void
ngx_gate_peer_unix_address(ngx_gate_peer_t *peer)
{
#if (NGX_HAVE_UNIX_DOMAIN)

    ngx_str_t           *path;
    struct sockaddr_un  *saun;

    path = &peer->endpoint->path;
    saun = (struct sockaddr_un *) &peer->resolve.addrs[0];

    ngx_memzero(saun, sizeof(struct sockaddr_un));

    saun->sun_family = AF_UNIX;
    ngx_memcpy(saun->sun_path, path->data, path->len);

    peer->resolve.socklens[0] = sizeof(struct sockaddr_un);
    peer->resolve.naddrs = 1;

#endif
}


static void
ngx_gate_peer_resolve_handler(ngx_gate_resolver_ctx_t *resolve)
{
    ngx_gate_peer_t *peer = resolve->data;

    if (resolve->naddrs == 0) {
        peer->error = resolve->error;
        ngx_gate_peer_fail(peer);
        return;
    }

    ngx_gate_peer_connect_next(peer);
}


void
ngx_gate_peer_connected(ngx_gate_peer_t *peer)
{
    ngx_connection_t  *c;

    c = peer->connection;

    ngx_gate_peer_answered(peer);

    peer->connected = 1;
    peer->established = ngx_current_msec;
    peer->log->action = "talking";

    c->read->handler = ngx_gate_peer_read_handler;
    c->write->handler = ngx_gate_peer_write_handler;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK
        || ngx_handle_write_event(c->write, 0) != NGX_OK)
    {
        ngx_gate_error_set(&peer->error, NGX_GATE_NO_CONNECTIONS,
                           "cannot add an event");
        ngx_gate_peer_fail(peer);
        return;
    }

    if (c->read->ready) {

        /* TLS may have read more than the handshake */

        ngx_gate_peer_post(peer);
    }

    peer->handler(peer, NGX_GATE_PEER_CONNECTED);
}


void
ngx_gate_peer_send(ngx_gate_peer_t *peer, u_char *data, size_t size)
{
    size_t      pending;
    ngx_buf_t  *out;

    if (!peer->connected || peer->send_failed) {

        /* already failed; an event is posted */

        return;
    }

    if (peer->kept) {
        peer->kept = 0;
        peer->reused = 1;
        peer->connection->idle = 0;
        ngx_del_timer(&peer->expiry);
    }

    /* TCP delays only data that follow other data, as of a TLS handshake */

    if ((peer->connection->sent || peer->endpoint->tls)
        && ngx_tcp_nodelay(peer->connection) != NGX_OK)
    {
        ngx_gate_peer_connection_error(peer, ngx_socket_errno, "setsockopt()");
        return;
    }

    out = peer->out;
    pending = out->last - out->pos;

    if ((size_t) (out->end - out->last) < size) {

        out = ngx_create_temp_buf(peer->pool, 2 * (pending + size));
        if (out == NULL) {
            ngx_gate_error_set(&peer->error, NGX_GATE_NO_MEMORY, "no memory");
            ngx_gate_peer_fail(peer);
            return;
        }

        out->last = ngx_cpymem(out->last, peer->out->pos, pending);
        peer->out = out;
    }

    out->last = ngx_cpymem(out->last, data, size);
    peer->silent = 1;

    ngx_gate_peer_write(peer);
}


void
ngx_gate_peer_keep(ngx_gate_peer_t *peer)
{
    ngx_msec_t  age;

    age = ngx_current_msec - peer->established;

    if (!peer->connected
        || age >= NGX_GATE_PEER_KEEP
        || peer->eof
        || peer->send_failed
        || peer->in->pos != peer->in->last
        || peer->out->pos != peer->out->last)
    {
        ngx_gate_peer_close(peer);
        return;
    }

    peer->kept = 1;
    peer->reused = 0;
    peer->connection->idle = 1;

    if (!peer->expiry.timer_set) {
        ngx_gate_event_init(&peer->expiry, ngx_gate_peer_expiry_handler,
                            peer->log);
        ngx_add_timer(&peer->expiry, NGX_GATE_PEER_KEEP - age);
    }
}


void
ngx_gate_peer_close(ngx_gate_peer_t *peer)
{
    if (peer->connection && (!peer->connected || peer->silent)) {

        /* usually after a timeout */

        ngx_gate_peer_unanswered(peer);
    }

    ngx_gate_peer_end(peer);
}


static void
ngx_gate_peer_end(ngx_gate_peer_t *peer)
{
    if (peer->posted.posted) {
        ngx_delete_posted_event(&peer->posted);
    }

    ngx_gate_resolver_cancel(&peer->resolve);

    ngx_gate_peer_disconnect(peer);

    if (peer->pool) {
        ngx_destroy_pool(peer->pool);
        peer->pool = NULL;
    }

    peer->in = NULL;
    peer->out = NULL;
    peer->failed = 0;
}


static void
ngx_gate_peer_read_handler(ngx_event_t *rev)
{
    ngx_gate_peer_t   *peer;
    ngx_connection_t  *c;

    c = rev->data;
    peer = c->data;

    if (ngx_gate_peer_is_closing(peer)) {
        return;
    }

    ngx_gate_peer_read(peer);
}


static void
ngx_gate_peer_write_handler(ngx_event_t *wev)
{
    ngx_gate_peer_t   *peer;
    ngx_connection_t  *c;

    c = wev->data;
    peer = c->data;

    if (ngx_gate_peer_is_closing(peer)) {
        return;
    }

    ngx_gate_peer_write(peer);
}


/* after the end, until the caller closes the peer */

static void
ngx_gate_peer_closed_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    (void) ngx_gate_peer_is_closing(c->data);
}


static void
ngx_gate_peer_read(ngx_gate_peer_t *peer)
{
    ssize_t            n;
    ngx_buf_t         *in;
    ngx_err_t          err;
    ngx_uint_t         fresh;
    ngx_connection_t  *c;

    c = peer->connection;
    in = peer->in;

    if (peer->eof) {
        c->read->handler = ngx_gate_peer_closed_handler;
        c->write->handler = ngx_gate_peer_closed_handler;
        peer->handler(peer, NGX_GATE_PEER_CLOSED);
        return;
    }

    if (peer->err) {
        ngx_gate_peer_connection_error(peer, peer->err, "recv()");
        return;
    }

    if (ngx_gate_peer_free_buffer(peer) != NGX_OK) {
        ngx_gate_error_set(&peer->error, NGX_GATE_PROTOCOL,
                           "response is too large");
        ngx_gate_peer_fail(peer);
        return;
    }

    n = NGX_OK;
    fresh = 0;
    ngx_str_null(&peer->capture.text);

    while (in->last < in->end) {

        n = c->recv(c, in->last, in->end - in->last);

        if (n <= 0) {
            break;
        }

        in->last += n;
        fresh = 1;
    }

    if (n == NGX_ERROR) {

        /* nothing was logged, hence errno is still that of recv() */

        err = ngx_socket_errno;

        if (!fresh) {
            ngx_gate_peer_connection_error(peer, err, "recv()");
            return;
        }

        /* a last message such as "too many clients" is processed first */

        peer->err = err;
    }

    if (n == NGX_AGAIN && ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_gate_peer_connection_error(peer, 0, "recv()");
        return;
    }

    if (peer->kept && (!peer->read_kept || n == 0 || n == NGX_ERROR)) {

        /* the connection has ended, or the data are unexpected */

        if (fresh || n == 0) {
            ngx_gate_peer_close(peer);
        }

        return;
    }

    if (peer->send_failed && !fresh) {
        ngx_gate_peer_connection_error(peer, peer->send_err, "send()");
        return;
    }

    if (n == 0 && !fresh && peer->silent && ngx_gate_peer_retry(peer)) {
        return;
    }

    if (n == 0) {
        peer->eof = 1;
    }

    if (n != NGX_AGAIN || peer->send_failed) {

        /* there is more to read or to report; other events come first */

        ngx_gate_peer_post(peer);
    }

    if (fresh) {
        peer->silent = 0;
        peer->handler(peer, NGX_GATE_PEER_DATA);
    }
}


static ngx_int_t
ngx_gate_peer_free_buffer(ngx_gate_peer_t *peer)
{
    size_t      len;
    ngx_buf_t  *in;

    in = peer->in;
    len = in->last - in->pos;

    if (in->pos > in->start) {
        ngx_memmove(in->start, in->pos, len);
        in->pos = in->start;
        in->last = in->start + len;
    }

    return (in->last < in->end) ? NGX_OK : NGX_ERROR;
}


static void
ngx_gate_peer_write(ngx_gate_peer_t *peer)
{
    ssize_t            n;
    ngx_buf_t         *out;
    ngx_err_t          err;
    ngx_connection_t  *c;

    c = peer->connection;
    out = peer->out;
    ngx_str_null(&peer->capture.text);

    while (out->pos < out->last) {

        n = c->send(c, out->pos, out->last - out->pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            err = ngx_socket_errno;
            ngx_gate_peer_send_failed(peer, err);
            return;
        }

        out->pos += n;
    }

    if (out->pos == out->last) {
        out->pos = out->start;
        out->last = out->start;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_gate_peer_connection_error(peer, 0, "send()");
    }
}


/*
 * The peer has closed the connection.  The cause may be in data sent before,
 * such as a TLS alert or "too many clients", so these are read first.
 */

static void
ngx_gate_peer_send_failed(ngx_gate_peer_t *peer, ngx_err_t err)
{
    ngx_buf_t  *out;

    if (ngx_gate_tls_error(&peer->capture.text, 0, &peer->error) == NGX_OK) {
        ngx_gate_peer_connection_error(peer, err, "send()");
        return;
    }

    out = peer->out;
    out->pos = out->start;
    out->last = out->start;

    peer->send_failed = 1;
    peer->send_err = err;

    ngx_gate_peer_post(peer);
}


void
ngx_gate_peer_connection_error(ngx_gate_peer_t *peer, ngx_err_t err,
    const char *call)
{
    if (peer->kept) {
        ngx_gate_peer_close(peer);
        return;
    }

    if (peer->silent && ngx_gate_peer_retry(peer)) {
        return;
    }

    if (ngx_gate_tls_error(&peer->capture.text, 0, &peer->error) == NGX_OK) {
        /* void */

    } else if (err) {
        ngx_gate_error_set_errno(&peer->error, ngx_gate_peer_errno_reason(err),
                                 err, "%s", call);

    } else {
        ngx_gate_error_set(&peer->error, NGX_GATE_RESET, "%s failed", call);
    }

    ngx_gate_peer_fail(peer);
}


ngx_uint_t
ngx_gate_peer_retry(ngx_gate_peer_t *peer)
{
    if (!peer->reused) {
        return 0;
    }

    ngx_gate_peer_connect(peer);

    return 1;
}


void
ngx_gate_peer_post(ngx_gate_peer_t *peer)
{
    ngx_event_t  *ev;

    ev = &peer->posted;

    if (ev->posted) {
        return;
    }

    ngx_gate_event_init(ev, ngx_gate_peer_post_handler, peer->log);

    ngx_post_event(ev, &ngx_posted_next_events);
}


static void
ngx_gate_peer_post_handler(ngx_event_t *ev)
{
    ngx_gate_peer_t  *peer;

    peer = ngx_queue_data(ev, ngx_gate_peer_t, posted);

    if (peer->failed) {
        peer->failed = 0;
        peer->handler(peer, NGX_GATE_PEER_FAILED);
        return;
    }

    if (peer->connected) {
        ngx_gate_peer_read(peer);
        return;
    }

    ngx_gate_peer_connect_established(peer);
}


static void
ngx_gate_peer_expiry_handler(ngx_event_t *ev)
{
    ngx_gate_peer_t  *peer;

    peer = ngx_queue_data(ev, ngx_gate_peer_t, expiry);

    ngx_gate_peer_close(peer);
}


/* worker_shutdown_timeout has passed, or a kept connection is reclaimed */

ngx_uint_t
ngx_gate_peer_is_closing(ngx_gate_peer_t *peer)
{
    if (!peer->connection->close) {
        return 0;
    }

    if (peer->kept) {
        ngx_gate_peer_close(peer);

    } else {
        ngx_gate_error_set(&peer->error, NGX_GATE_NO_CONNECTIONS,
                           "worker process is shutting down");
        ngx_gate_peer_fail(peer);
    }

    return 1;
}


ngx_gate_reason_e
ngx_gate_peer_errno_reason(ngx_err_t err)
{
    switch (err) {

    case NGX_ECONNREFUSED:
    case NGX_ENOENT:           /* socket does not exist */
    case NGX_ENOTDIR:
        return NGX_GATE_REFUSED;

    case NGX_EACCES:
        return NGX_GATE_DENIED;

    case NGX_ECONNRESET:
    case NGX_EPIPE:
    case NGX_ENOTCONN:
        return NGX_GATE_RESET;

    case NGX_ETIMEDOUT:
        return NGX_GATE_TIMEOUT;

    case NGX_ENOMEM:
        return NGX_GATE_NO_MEMORY;

    case EPROTOTYPE:           /* a datagram Unix socket */
        return NGX_GATE_PROTOCOL;

    default:                   /* EAGAIN: the listen queue of the Unix socket
                                  is full; the server is busy, not gone */
        return NGX_GATE_UNREACHABLE;
    }
}


/* closes, and calls the handler from the event loop */

void
ngx_gate_peer_fail(ngx_gate_peer_t *peer)
{
    ngx_gate_peer_end(peer);

    peer->failed = 1;
    ngx_gate_peer_post(peer);
}


void
ngx_gate_peer_disconnect(ngx_gate_peer_t *peer)
{
    ngx_connection_t  *c;

    c = peer->connection;

    if (peer->timer.timer_set) {
        ngx_del_timer(&peer->timer);
    }

    if (peer->confirm_timer.timer_set) {
        ngx_del_timer(&peer->confirm_timer);
    }

    if (peer->expiry.timer_set) {
        ngx_del_timer(&peer->expiry);
    }

    if (c) {
        ngx_gate_tls_close(c);
        ngx_close_connection(c);
        peer->connection = NULL;
    }

    peer->connected = 0;
    peer->err = 0;
    peer->eof = 0;
    peer->send_failed = 0;
    peer->kept = 0;
    peer->silent = 0;
}
