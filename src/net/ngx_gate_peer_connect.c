
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Opening of a connection: tries the addresses in order, then performs the
 * TLS handshake.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_addresses.h>
#include <ngx_gate_connection.h>
#include <ngx_gate_peer.h>
#include <ngx_gate_peer_connect.h>


#ifdef SOCK_NONBLOCK
#define NGX_GATE_PEER_CONNECT_NONBLOCK  SOCK_NONBLOCK
#else
#define NGX_GATE_PEER_CONNECT_NONBLOCK  0
#endif


static void ngx_gate_peer_limit(ngx_gate_peer_t *peer);
static ngx_int_t ngx_gate_peer_connect_socket(ngx_gate_peer_t *peer,
    struct sockaddr *sockaddr, socklen_t socklen);
static ngx_connection_t *ngx_gate_peer_connect_get_connection(
    ngx_gate_peer_t *peer, ngx_socket_t s);
static void ngx_gate_peer_connect_handler(ngx_event_t *ev);
static ngx_err_t ngx_gate_peer_connect_test(ngx_connection_t *c);
static void ngx_gate_peer_connect_handshake_handler(ngx_event_t *ev);
static void ngx_gate_peer_connect_handshake(ngx_gate_peer_t *peer);
static void ngx_gate_peer_connect_confirm(ngx_gate_peer_t *peer);
static void ngx_gate_peer_connect_confirm_handler(ngx_event_t *ev);
static void ngx_gate_peer_connect_confirmed(ngx_event_t *ev);
static void ngx_gate_peer_connect_error(ngx_gate_peer_t *peer, ngx_err_t err);


/* tries the addresses in order; the error of the last one is reported */

void
ngx_gate_peer_connect_next(ngx_gate_peer_t *peer)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_gate_resolver_ctx_t  *resolve;

    resolve = &peer->resolve;
    peer->log->action = "connecting";

    while (peer->tried < resolve->naddrs) {

        i = peer->tried++;

        rc = ngx_gate_peer_connect_socket(peer, &resolve->addrs[i].sockaddr,
                                          resolve->socklens[i]);

        if (rc == NGX_OK) {
            ngx_gate_peer_post(peer);
        }

        if (rc == NGX_OK || rc == NGX_AGAIN) {
            ngx_gate_peer_limit(peer);
            return;
        }

        ngx_gate_peer_disconnect(peer);

        if (rc == NGX_ERROR) {
            break;
        }
    }

    ngx_gate_peer_fail(peer);
}


/* until connected; the last address gets all remaining time */

static void
ngx_gate_peer_limit(ngx_gate_peer_t *peer)
{
    ngx_uint_t  n;

    n = peer->resolve.naddrs - peer->tried + 1;

    if (n > 1) {
        ngx_add_timer(&peer->timer,
                      ngx_gate_addresses_share(peer->deadline, n));
    }
}


void
ngx_gate_peer_late(ngx_event_t *ev)
{
    ngx_gate_peer_t  *peer;

    peer = ngx_queue_data(ev, ngx_gate_peer_t, timer);

    ngx_gate_peer_unanswered(peer);
    ngx_gate_peer_connect_error(peer, NGX_ETIMEDOUT);
    ngx_gate_peer_disconnect(peer);

    if (peer->posted.posted) {
        ngx_delete_posted_event(&peer->posted);
    }

    ngx_gate_peer_connect_next(peer);
}


void
ngx_gate_peer_answered(ngx_gate_peer_t *peer)
{
    ngx_uint_t                i;
    ngx_gate_resolver_ctx_t  *resolve;

    resolve = &peer->resolve;

    if (peer->timer.timer_set) {
        ngx_del_timer(&peer->timer);
    }

    if (resolve->naddrs > 1) {
        i = peer->tried - 1;
        ngx_gate_addresses_answered(&resolve->addrs[i].sockaddr,
                                    resolve->socklens[i]);
    }
}


void
ngx_gate_peer_unanswered(ngx_gate_peer_t *peer)
{
    ngx_uint_t                i;
    ngx_gate_resolver_ctx_t  *resolve;

    resolve = &peer->resolve;

    if (resolve->naddrs > 1) {
        i = peer->tried - 1;
        ngx_gate_addresses_silent(&resolve->addrs[i].sockaddr,
                                  resolve->socklens[i]);
    }
}


/*
 * NGX_OK: connected; NGX_AGAIN: connecting; NGX_DECLINED: the next address is
 * tried; NGX_ERROR: local resources are missing
 */

static ngx_int_t
ngx_gate_peer_connect_socket(ngx_gate_peer_t *peer, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    int                rc;
    ngx_err_t          err;
    ngx_socket_t       s;
    ngx_connection_t  *c;

    s = ngx_socket(sockaddr->sa_family,
                   SOCK_STREAM|NGX_GATE_PEER_CONNECT_NONBLOCK, 0);

    if (s == (ngx_socket_t) -1) {
        err = ngx_socket_errno;

        if (err == EAFNOSUPPORT || err == EPROTONOSUPPORT) {
            ngx_gate_peer_connect_error(peer, err);
            return NGX_DECLINED;
        }

        ngx_gate_error_set_errno(&peer->error, NGX_GATE_NO_CONNECTIONS, err,
                                 "socket()");
        return NGX_ERROR;
    }

    c = ngx_gate_peer_connect_get_connection(peer, s);
    if (c == NULL) {
        return NGX_ERROR;
    }

    if (sockaddr->sa_family == AF_UNIX) {
        c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
        c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    }

    rc = connect(s, sockaddr, socklen);

    if (rc == -1) {
        err = ngx_socket_errno;

        if (err != NGX_EINPROGRESS) {
            ngx_gate_peer_connect_error(peer, err);
            return NGX_DECLINED;
        }
    }

    if (!ngx_add_conn
        && (ngx_handle_read_event(c->read, 0) != NGX_OK
            || (rc == -1 && ngx_handle_write_event(c->write, 0) != NGX_OK)))
    {
        ngx_gate_error_set(&peer->error, NGX_GATE_NO_CONNECTIONS,
                           "cannot add an event");
        return NGX_ERROR;
    }

    if (rc == -1) {
        return NGX_AGAIN;
    }

    c->write->ready = 1;

    return NGX_OK;
}


/* owns the socket, also on failure */

static ngx_connection_t *
ngx_gate_peer_connect_get_connection(ngx_gate_peer_t *peer, ngx_socket_t s)
{
    ngx_connection_t  *c;

    c = ngx_gate_connection_get(s, &peer->capture.log);

    if (c == NULL) {
        ngx_gate_error_set(&peer->error, NGX_GATE_NO_CONNECTIONS,
                           "worker_connections are not enough");

        if (ngx_close_socket(s) == -1) {
            ngx_log_error(NGX_LOG_ALERT, peer->log, ngx_socket_errno,
                          ngx_close_socket_n " failed");
        }

        return NULL;
    }

    peer->connection = c;

    c->data = peer;
    c->pool = peer->pool;
    c->type = SOCK_STREAM;
    c->log_error = NGX_ERROR_INFO;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;

    c->read->log = peer->log;
    c->write->log = peer->log;
    c->read->handler = ngx_gate_peer_connect_handler;
    c->write->handler = ngx_gate_peer_connect_handler;

    if ((NGX_GATE_PEER_CONNECT_NONBLOCK == 0 && ngx_nonblocking(s) == -1)
        || (ngx_add_conn && ngx_add_conn(c) != NGX_OK))
    {
        ngx_gate_error_set(&peer->error, NGX_GATE_NO_CONNECTIONS,
                           "cannot add an event");
        return NULL;
    }

    return c;
}


static void
ngx_gate_peer_connect_handler(ngx_event_t *ev)
{
    ngx_err_t          err;
    ngx_gate_peer_t   *peer;
    ngx_connection_t  *c;

    c = ev->data;
    peer = c->data;

    if (ngx_gate_peer_is_closing(peer)) {
        return;
    }

    if (peer->posted.posted) {

        /* connected immediately; the event is already posted */

        return;
    }

    err = ngx_gate_peer_connect_test(c);

    if (err) {
        ngx_gate_peer_connect_error(peer, err);
        ngx_gate_peer_disconnect(peer);
        ngx_gate_peer_connect_next(peer);
        return;
    }

    ngx_gate_peer_connect_established(peer);
}


/* epoll reports an error as a read event, too */

static ngx_err_t
ngx_gate_peer_connect_test(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    if ((ngx_event_flags & NGX_USE_EPOLL_EVENT) && !c->read->ready) {
        return 0;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        return ngx_socket_errno;
    }

    return err;
}


void
ngx_gate_peer_connect_established(ngx_gate_peer_t *peer)
{
    ngx_connection_t  *c;

    if (peer->endpoint->tls == NULL) {
        ngx_gate_peer_connected(peer);
        return;
    }

    c = peer->connection;

    peer->log->action = "performing the TLS handshake";

    c->read->handler = ngx_gate_peer_connect_handshake_handler;
    c->write->handler = ngx_gate_peer_connect_handshake_handler;

    if (ngx_gate_tls_start(peer->endpoint->tls, c, &peer->cert_requested)
        != NGX_OK)
    {
        ngx_gate_error_set(&peer->error, NGX_GATE_NO_MEMORY,
                          "cannot start TLS");
        ngx_gate_peer_fail(peer);
        return;
    }

    ngx_gate_peer_connect_handshake(peer);
}


static void
ngx_gate_peer_connect_handshake_handler(ngx_event_t *ev)
{
    ngx_gate_peer_t   *peer;
    ngx_connection_t  *c;

    c = ev->data;
    peer = c->data;

    if (ngx_gate_peer_is_closing(peer)) {
        return;
    }

    ngx_gate_peer_connect_handshake(peer);
}


static void
ngx_gate_peer_connect_handshake(ngx_gate_peer_t *peer)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = peer->connection;

    rc = ngx_gate_tls_handshake(peer->endpoint->tls, c, &peer->capture,
                                &peer->error);

    if (rc == NGX_AGAIN) {

        /* ngx_ssl_handshake() has replaced the handlers */

        c->read->handler = ngx_gate_peer_connect_handshake_handler;
        c->write->handler = ngx_gate_peer_connect_handshake_handler;
        return;
    }

    if (rc != NGX_OK) {
        ngx_gate_peer_fail(peer);
        return;
    }

    if (peer->confirm && peer->cert_requested) {
        c->read->handler = ngx_gate_peer_connect_confirm_handler;
        c->write->handler = ngx_gate_peer_connect_confirm_handler;

        ngx_gate_event_init(&peer->confirm_timer,
                            ngx_gate_peer_connect_confirmed, peer->log);
        ngx_add_timer(&peer->confirm_timer, peer->confirm);

        ngx_gate_peer_connect_confirm(peer);
        return;
    }

    ngx_gate_peer_connected(peer);
}


/*
 * In TLS 1.3, the handshake of the client ends before the server has verified
 * the client's certificate, or has noticed that it is missing.
 */

static void
ngx_gate_peer_connect_confirm(ngx_gate_peer_t *peer)
{
    ngx_int_t  rc;

    rc = ngx_gate_tls_confirm(peer->connection, &peer->capture, &peer->error);

    if (rc == NGX_OK) {
        ngx_gate_peer_connect_confirmed(&peer->confirm_timer);
        return;
    }

    if (rc == NGX_AGAIN) {

        if (ngx_handle_read_event(peer->connection->read, 0) != NGX_OK) {
            ngx_gate_error_set(&peer->error, NGX_GATE_NO_CONNECTIONS,
                               "cannot add an event");
            ngx_gate_peer_fail(peer);
        }

        return;
    }

    ngx_gate_peer_fail(peer);
}


static void
ngx_gate_peer_connect_confirm_handler(ngx_event_t *ev)
{
    ngx_gate_peer_t   *peer;
    ngx_connection_t  *c;

    c = ev->data;
    peer = c->data;

    if (ngx_gate_peer_is_closing(peer)) {
        return;
    }

    ngx_gate_peer_connect_confirm(peer);
}


/* also if the server has sent nothing within the time of "confirm" */

static void
ngx_gate_peer_connect_confirmed(ngx_event_t *ev)
{
    ngx_gate_peer_t  *peer;

    peer = ngx_queue_data(ev, ngx_gate_peer_t, confirm_timer);

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ngx_gate_peer_connected(peer);
}


static void
ngx_gate_peer_connect_error(ngx_gate_peer_t *peer, ngx_err_t err)
{
    u_char                    text[NGX_SOCKADDR_STRLEN];
    ngx_str_t                 address;
    ngx_uint_t                i;
    ngx_gate_resolver_ctx_t  *resolve;

    if (peer->endpoint->path.len) {
        ngx_gate_error_set_errno(&peer->error, ngx_gate_peer_errno_reason(err),
                                 err, "connect() to unix:%V",
                                 &peer->endpoint->path);
        return;
    }

    resolve = &peer->resolve;
    i = peer->tried - 1;

    address.data = text;
    address.len = ngx_sock_ntop(&resolve->addrs[i].sockaddr,
                                resolve->socklens[i], text, sizeof(text), 1);

    ngx_gate_error_set_errno(&peer->error, ngx_gate_peer_errno_reason(err), err,
                             "connect() to %V", &address);
}
