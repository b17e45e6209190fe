
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A connection of nginx for a socket. ngx_get_connection() logs an alert if
 * no connection is free; a probe reports this as its result instead.
 */


#ifndef _NGX_GATE_CONNECTION_H_INCLUDED_
#define _NGX_GATE_CONNECTION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


ngx_connection_t *ngx_gate_connection_get(ngx_socket_t s, ngx_log_t *log);


#endif /* _NGX_GATE_CONNECTION_H_INCLUDED_ */
