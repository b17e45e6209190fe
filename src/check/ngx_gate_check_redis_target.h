
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The target of a redis check as text:
 *
 *     redis[s]://[user[:password]@]host[:port][,host[:port] ...][/database]
 *     unix:[user[:password]@]/path
 *
 * optionally followed by "?db=N".  "unix:" may be followed by the two slashes
 * of a URL.  A list of sentinels needs no scheme.
 */


#ifndef _NGX_GATE_CHECK_REDIS_TARGET_H_INCLUDED_
#define _NGX_GATE_CHECK_REDIS_TARGET_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_peer.h>


#define NGX_GATE_CHECK_REDIS_TARGET_PORT           6379
#define NGX_GATE_CHECK_REDIS_TARGET_SENTINEL_PORT  26379

#define NGX_GATE_CHECK_REDIS_TARGET_SERVERS_MAX  16


typedef struct {
    ngx_uint_t                tls;
    ngx_str_t                 user;        /* decoded */
    ngx_str_t                 password;
    ngx_uint_t                database;    /* NGX_GATE_NONE: not given */
    ngx_uint_t                nservers;
    ngx_gate_endpoint_t       servers[NGX_GATE_CHECK_REDIS_TARGET_SERVERS_MAX];
} ngx_gate_check_redis_target_t;


/*
 * NULL, or an error, which does not repeat the text, since any part of it may
 * be a password.
 */

char *ngx_gate_check_redis_target_parse(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t sentinels, ngx_gate_check_redis_target_t *target);

/* NGX_GATE_NONE: not the number of a database */

ngx_uint_t ngx_gate_check_redis_target_database(ngx_str_t *text);


#endif /* _NGX_GATE_CHECK_REDIS_TARGET_H_INCLUDED_ */
