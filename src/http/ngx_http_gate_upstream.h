
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The check of the servers of an upstream group, and its access to the
 * servers in the shared memory of the group.
 */


#ifndef _NGX_HTTP_GATE_UPSTREAM_H_INCLUDED_
#define _NGX_HTTP_GATE_UPSTREAM_H_INCLUDED_


#include <ngx_http_gate.h>
#include <ngx_gate_servers.h>


extern ngx_gate_check_type_t  ngx_http_gate_upstream;


/* called after the whole configuration has been read; gmcf is NULL without
   an http block, and then there is no upstream */

ngx_int_t ngx_http_gate_upstream_bind(ngx_conf_t *cf,
    ngx_init_gate_conf_t *igcf, ngx_http_gate_main_conf_t *gmcf);

/* for the warning about a location that passes requests without the gate */

ngx_int_t ngx_http_gate_upstream_add_location(ngx_conf_t *cf,
    ngx_http_gate_loc_conf_t *glcf);
void ngx_http_gate_upstream_warn(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf);

/* called when the reload is committed, before workers start */

void ngx_http_gate_upstream_commit(ngx_http_gate_main_conf_t *gmcf,
    ngx_cycle_t *old, ngx_log_t *log);

/* in a worker of an older configuration: applies changes by the newest one */

void ngx_http_gate_upstream_follow(ngx_http_gate_main_conf_t *gmcf);


/*
 * Only ngx_http_gate_upstream_peers.c uses the structures of nginx, which
 * differ between releases.
 */

ngx_http_upstream_srv_conf_t *ngx_http_gate_upstream_peers_find(
    ngx_http_upstream_main_conf_t *umcf, ngx_str_t *group);
ngx_http_upstream_srv_conf_t *ngx_http_gate_upstream_peers_of_location(
    ngx_conf_t *cf);
ngx_uint_t ngx_http_gate_upstream_peers_has_zone(
    ngx_http_upstream_srv_conf_t *uscf);
ngx_uint_t ngx_http_gate_upstream_peers_is_dynamic(
    ngx_http_upstream_srv_conf_t *uscf);

/* of ngx_gate_servers_t */

void ngx_http_gate_upstream_peers_list(ngx_gate_servers_t *servers,
    ngx_gate_servers_handler_pt handler, void *data);
void ngx_http_gate_upstream_peers_apply(ngx_gate_servers_t *servers);

/* whether the group has a server with this address that is not down */

ngx_uint_t ngx_http_gate_upstream_peers_serves(
    ngx_http_upstream_srv_conf_t *uscf, ngx_gate_servers_peer_t *peer);


#endif /* _NGX_HTTP_GATE_UPSTREAM_H_INCLUDED_ */
