
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The servers of an upstream group in nginx.  A server that is out has a bit
 * of this module in "down", which every balancer reads.
 *
 * With fixed addresses, a store of one word needs no lock.  With "resolve",
 * nginx adds and frees servers under the lock of the group: the lock is held
 * for one pass over the list, and no pointer to a server is kept. nginx does
 * not release this lock if a process is killed that holds it.
 */


#include <ngx_http_gate_upstream.h>


#if (NGX_HTTP_UPSTREAM_ZONE)


/* nginx uses 1 for "down", and 8 for a server that is draining */

#define NGX_HTTP_GATE_UPSTREAM_PEERS_OUT   0x40000000
#define NGX_HTTP_GATE_UPSTREAM_PEERS_DOWN  1


#if (nginx_version >= 1027003)
#define ngx_http_gate_upstream_peers_resolve(peers)  (peers)->resolve
#else
#define ngx_http_gate_upstream_peers_resolve(peers)  NULL
#endif


static ngx_uint_t ngx_http_gate_upstream_peers_needs_lock(
    ngx_http_upstream_rr_peers_t *peers);
static void ngx_http_gate_upstream_peers_apply_list(
    ngx_gate_servers_t *servers, ngx_http_upstream_rr_peers_t *peers,
    ngx_uint_t *hint);
static void ngx_http_gate_upstream_peers_set(ngx_http_upstream_rr_peer_t *peer,
    ngx_uint_t in);
static ngx_uint_t ngx_http_gate_upstream_peers_has(
    ngx_http_upstream_rr_peers_t *peers, ngx_gate_servers_peer_t *peer);


static const char  *ngx_http_gate_upstream_peers_modules[] = {
    "ngx_http_proxy_module",
    "ngx_http_grpc_module",
    "ngx_http_fastcgi_module",
    "ngx_http_uwsgi_module",
    "ngx_http_scgi_module",
    "ngx_http_memcached_module",
    NULL
};


ngx_http_upstream_srv_conf_t *
ngx_http_gate_upstream_peers_find(ngx_http_upstream_main_conf_t *umcf,
    ngx_str_t *group)
{
    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **uscf;

    uscf = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        /* skips the implicit upstreams of proxy_pass */

        if ((uscf[i]->flags & NGX_HTTP_UPSTREAM_CREATE)
            && ngx_gate_str_eq(&uscf[i]->host, group))
        {
            return uscf[i];
        }
    }

    return NULL;
}


/* the group to which a location passes; NULL: none, or set by a variable */

ngx_http_upstream_srv_conf_t *
ngx_http_gate_upstream_peers_of_location(ngx_conf_t *cf)
{
    ngx_uint_t                 i;
    const char               **name;
    ngx_module_t              *module;
    ngx_http_conf_ctx_t       *ctx;
    ngx_http_upstream_conf_t  *ucf;

    ctx = cf->ctx;

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        for (name = ngx_http_gate_upstream_peers_modules; *name; name++) {

            if (ngx_strcmp(module->name, *name) != 0) {
                continue;
            }

            /* the first member of the configuration of each of these modules */

            ucf = ctx->loc_conf[module->ctx_index];

            if (ucf && ucf->upstream) {
                return ucf->upstream;
            }
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_gate_upstream_peers_has_zone(ngx_http_upstream_srv_conf_t *uscf)
{
    return uscf->shm_zone != NULL;
}


ngx_uint_t
ngx_http_gate_upstream_peers_is_dynamic(ngx_http_upstream_srv_conf_t *uscf)
{
    ngx_http_upstream_rr_peers_t  *peers;

    for (peers = uscf->peer.data; peers; peers = peers->next) {
        if (ngx_http_gate_upstream_peers_needs_lock(peers)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_gate_upstream_peers_needs_lock(ngx_http_upstream_rr_peers_t *peers)
{
    return ngx_http_gate_upstream_peers_resolve(peers) != NULL;
}


/* lists all servers except those with "down" in the configuration */

void
ngx_http_gate_upstream_peers_list(ngx_gate_servers_t *servers,
    ngx_gate_servers_handler_pt handler, void *data)
{
    ngx_uint_t                     lock;
    ngx_gate_servers_peer_t        address;
    ngx_http_upstream_rr_peer_t   *peer;
    ngx_http_upstream_rr_peers_t  *peers;
    ngx_http_upstream_srv_conf_t  *uscf;

    uscf = servers->upstream;

    for (peers = uscf->peer.data; peers; peers = peers->next) {

        /* an address may move to the other list with "backup" */

        lock = servers->dynamic && peers->shpool;

        if (lock) {
            ngx_http_upstream_rr_peers_rlock(peers);
        }

        for (peer = peers->peer; peer; peer = peer->next) {

            if (peer->down & NGX_HTTP_GATE_UPSTREAM_PEERS_DOWN) {
                continue;
            }

            address.sockaddr = peer->sockaddr;
            address.socklen = peer->socklen;
            address.address = peer->name;
            address.name = peer->server;

            handler(data, &address);
        }

        if (lock) {
            ngx_http_upstream_rr_peers_unlock(peers);
        }
    }
}


void
ngx_http_gate_upstream_peers_apply(ngx_gate_servers_t *servers)
{
    ngx_uint_t                     hint;
    ngx_http_upstream_rr_peers_t  *peers;
    ngx_http_upstream_srv_conf_t  *uscf;

    uscf = servers->upstream;
    hint = 0;

    servers->applied = servers->zone->version;
    ngx_memory_barrier();

    for (peers = uscf->peer.data; peers; peers = peers->next) {

        if (servers->dynamic) {
            ngx_http_upstream_rr_peers_wlock(peers);
        }

        ngx_http_gate_upstream_peers_apply_list(servers, peers, &hint);

        if (servers->dynamic) {
            ngx_http_upstream_rr_peers_unlock(peers);
        }
    }
}


/* "tries" in nginx excludes servers that are down: keeps it consistent */

static void
ngx_http_gate_upstream_peers_apply_list(ngx_gate_servers_t *servers,
    ngx_http_upstream_rr_peers_t *peers, ngx_uint_t *hint)
{
    ngx_uint_t                    i, tries;
    ngx_gate_servers_zone_t      *zone;
    ngx_http_upstream_rr_peer_t  *peer;

    zone = servers->zone;

    tries = 0;

    for (peer = peers->peer; peer; peer = peer->next) {

        i = ngx_gate_servers_find(zone, peer->sockaddr, peer->socklen, hint);

        /* order: see ngx_gate_servers_is_newest() */

        ngx_memory_barrier();

        if (i != NGX_GATE_NONE || zone->forced
            || ngx_gate_servers_is_newest(servers))
        {
            ngx_http_gate_upstream_peers_set(peer,
                                             ngx_gate_servers_is_in(zone, i));
        }

        tries += (peer->down == 0);
    }

    if (peers->tries != tries) {
        peers->tries = tries;
    }

    /* templates of new addresses */

    for (peer = ngx_http_gate_upstream_peers_resolve(peers);
         peer;
         peer = peer->next)
    {
        ngx_http_gate_upstream_peers_set(peer, zone->forced != 0);
    }
}


static void
ngx_http_gate_upstream_peers_set(ngx_http_upstream_rr_peer_t *peer,
    ngx_uint_t in)
{
    ngx_uint_t  down;

    down = peer->down;

    if (in && (down & NGX_HTTP_GATE_UPSTREAM_PEERS_OUT)) {
        /* failures from before the restart of the server */

        peer->fails = 0;
        peer->down = down & ~NGX_HTTP_GATE_UPSTREAM_PEERS_OUT;

    } else if (!in && !(down & NGX_HTTP_GATE_UPSTREAM_PEERS_OUT)) {
        peer->down = down | NGX_HTTP_GATE_UPSTREAM_PEERS_OUT;
    }
}


ngx_uint_t
ngx_http_gate_upstream_peers_serves(ngx_http_upstream_srv_conf_t *uscf,
    ngx_gate_servers_peer_t *peer)
{
    ngx_uint_t                     i, n;
    ngx_http_upstream_server_t    *server;
    ngx_http_upstream_rr_peers_t  *peers;

    server = uscf->servers ? uscf->servers->elts : NULL;

    for (i = 0; server && i < uscf->servers->nelts; i++) {

        if (server[i].down) {
            continue;
        }

        for (n = 0; n < server[i].naddrs; n++) {
            if (ngx_cmp_sockaddr(server[i].addrs[n].sockaddr,
                                 server[i].addrs[n].socklen,
                                 peer->sockaddr, peer->socklen, 1)
                == NGX_OK)
            {
                return 1;
            }
        }
    }

    /* without a zone, the data may have the type of another balancer */

    if (uscf->shm_zone == NULL
        || !ngx_http_gate_upstream_peers_is_dynamic(uscf))
    {
        return 0;
    }

    for (peers = uscf->peer.data; peers; peers = peers->next) {
        if (ngx_http_gate_upstream_peers_has(peers, peer)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_gate_upstream_peers_has(ngx_http_upstream_rr_peers_t *peers,
    ngx_gate_servers_peer_t *address)
{
    ngx_uint_t                    found;
    ngx_http_upstream_rr_peer_t  *peer;

    ngx_http_upstream_rr_peers_rlock(peers);

    found = 0;

    for (peer = peers->peer; peer && !found; peer = peer->next) {
        found = peer->down == 0
                && ngx_cmp_sockaddr(peer->sockaddr, peer->socklen,
                                    address->sockaddr, address->socklen, 1)
                   == NGX_OK;
    }

    ngx_http_upstream_rr_peers_unlock(peers);

    return found;
}

#endif
