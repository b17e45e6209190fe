
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Descriptors of libraries with the events of nginx; see ngx_gate_watch.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate_connection.h>
#include <ngx_gate_watch.h>


static ngx_int_t ngx_gate_watch_event(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t wanted);


ngx_connection_t *
ngx_gate_watch_open(ngx_socket_t s, ngx_event_handler_pt handler, void *data)
{
    ngx_connection_t  *c;

    c = ngx_gate_connection_get(s, ngx_cycle->log);

    if (c == NULL) {
        return NULL;
    }

    /* the descriptor is closed by its library */

    c->shared = 1;

    c->data = data;
    c->read->handler = handler;
    c->write->handler = handler;

    return c;
}


ngx_int_t
ngx_gate_watch_set(ngx_connection_t *c, ngx_uint_t what)
{
    if (ngx_gate_watch_event(c->read, NGX_READ_EVENT,
                             what & NGX_GATE_WATCH_READ)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_gate_watch_event(c->write, NGX_WRITE_EVENT,
                                what & NGX_GATE_WATCH_WRITE);
}


static ngx_int_t
ngx_gate_watch_event(ngx_event_t *ev, ngx_int_t event, ngx_uint_t wanted)
{
    if (wanted && !ev->active) {
        return ngx_add_event(ev, event, NGX_LEVEL_EVENT);
    }

    if (!wanted && ev->active) {
        return ngx_del_event(ev, event, 0);
    }

    return NGX_OK;
}


void
ngx_gate_watch_close(ngx_connection_t *c, ngx_uint_t closed)
{
    ngx_uint_t  flags;

    flags = closed ? NGX_CLOSE_EVENT : 0;

    if (c->read->active) {
        ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    ngx_close_connection(c);
}
