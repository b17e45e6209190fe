
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Connections of nginx; see ngx_gate_connection.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate_connection.h>


/* suppresses all messages, including alerts */

static ngx_log_t  ngx_gate_connection_mute;


ngx_connection_t *
ngx_gate_connection_get(ngx_socket_t s, ngx_log_t *log)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(s, &ngx_gate_connection_mute);
    if (c == NULL) {
        return NULL;
    }

    c->log = log;
    c->read->log = log;
    c->write->log = log;

    return c;
}
