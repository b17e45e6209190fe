
/*
 * A connection of nginx for a socket.  nginx logs an alert if there is no free
 * one; here that is the result of a probe, not an alert with each of them.
 */


#ifndef _NGX_GATE_CONNECTION_H_INCLUDED_
#define _NGX_GATE_CONNECTION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


ngx_connection_t *ngx_gate_connection_get(ngx_socket_t s, ngx_log_t *log);


#endif /* _NGX_GATE_CONNECTION_H_INCLUDED_ */
