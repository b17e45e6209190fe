
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A Redis server, the user and the database: all that makes two connections
 * the same.
 */


#ifndef _NGX_GATE_REDIS_SERVER_H_INCLUDED_
#define _NGX_GATE_REDIS_SERVER_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_peer.h>


#define NGX_GATE_REDIS_SERVER_ADDRESS_MAX                                     \
    (NGX_GATE_ENDPOINT_HOST_MAX + sizeof("[]:65535") - 1)


typedef struct {
    ngx_gate_endpoint_t       endpoint;
    ngx_str_t                 user;
    ngx_str_t                 password;
    ngx_str_t                 password_file;   /* read at each connect */
    ngx_uint_t                database;
    ngx_uint_t                fixed_name;      /* in all certificates */
} ngx_gate_redis_server_t;


/* a server that another one has announced; contains what "server" refers to */

typedef struct {
    ngx_gate_redis_server_t   server;
    ngx_gate_tls_t            tls;
    u_char                    text[NGX_GATE_REDIS_SERVER_ADDRESS_MAX];
    u_char                    name[NGX_GATE_ENDPOINT_HOST_MAX];
} ngx_gate_redis_server_address_t;


/* the first commands of a connection; empty if not needed */

typedef struct {
    ngx_str_t                 auth;
    ngx_str_t                 select;
    ngx_gate_error_t          error;        /* after NGX_ERROR */
} ngx_gate_redis_server_login_t;


ngx_uint_t ngx_gate_redis_server_same(ngx_gate_redis_server_t *a,
    ngx_gate_redis_server_t *b);

/* copies what another server may have announced, not the configuration */

ngx_int_t ngx_gate_redis_server_copy(ngx_pool_t *pool,
    ngx_gate_redis_server_t *dst, ngx_gate_redis_server_t *src);

/*
 * A copy of "server" with the address that "source" has announced; an empty
 * host is that of "source".  NGX_ERROR: the address is not valid.
 */

ngx_int_t ngx_gate_redis_server_set_address(
    ngx_gate_redis_server_address_t *addr, ngx_gate_redis_server_t *server,
    ngx_gate_endpoint_t *source, ngx_str_t *host, in_port_t port);

/* the caller wipes login->auth */

ngx_int_t ngx_gate_redis_server_login(ngx_gate_redis_server_t *server,
    ngx_pool_t *pool, ngx_gate_redis_server_login_t *login);


#endif /* _NGX_GATE_REDIS_SERVER_H_INCLUDED_ */
