
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The servers of an upstream group in shared memory; see ngx_gate_servers.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_record.h>
#include <ngx_gate_servers.h>


typedef struct {
    ngx_gate_servers_t       *servers;
    ngx_uint_t                hint;
    ngx_uint_t                missed;       /* number of servers beyond the
                                               capacity */
    u_char                   *found;        /* by index */
    ngx_uint_t              (*is_in)(ngx_gate_servers_peer_t *peer,
                                     void *data);
    void                     *data;
} ngx_gate_servers_sync_t;


typedef struct {
    ngx_gate_servers_zone_t  *zone;
    ngx_gate_servers_zone_t  *old;
    ngx_uint_t                hint;
} ngx_gate_servers_copy_t;


static size_t ngx_gate_servers_size(ngx_uint_t capacity);
static ngx_int_t ngx_gate_servers_init(ngx_shm_zone_t *shm_zone, void *data);
static void ngx_gate_servers_sync_peer(void *data,
    ngx_gate_servers_peer_t *peer);
static ngx_uint_t ngx_gate_servers_insert(ngx_gate_servers_zone_t *zone,
    ngx_gate_servers_peer_t *peer, ngx_uint_t bits);
static size_t ngx_gate_servers_copy_text(u_char *dst, ngx_str_t *src,
    size_t max);
static void ngx_gate_servers_remove(ngx_gate_servers_zone_t *zone,
    ngx_uint_t i);
static void ngx_gate_servers_copy_peer(void *data,
    ngx_gate_servers_peer_t *peer);
static ngx_uint_t ngx_gate_servers_is_at(ngx_gate_servers_zone_t *zone,
    ngx_uint_t i, struct sockaddr *sockaddr, socklen_t socklen);
static uint32_t ngx_gate_servers_hash(struct sockaddr *sockaddr);


ngx_shm_zone_t *
ngx_gate_servers_add(ngx_conf_t *cf, ngx_gate_servers_t *servers, void *tag)
{
    size_t           len;
    u_char          *p;
    ngx_str_t        name;
    ngx_shm_zone_t  *shm_zone;

    /* the name of a group has no slash: see ngx_gate_endpoint_parse() */

    len = sizeof("init_gate_servers:/") + servers->group.len;

    p = ngx_pnalloc(cf->pool, 2 * len + NGX_INT_T_LEN);
    if (p == NULL) {
        return NULL;
    }

    servers->prefix = (char *) p;
    p = ngx_sprintf(p, "init_gate_servers:%V/%Z", &servers->group);

    name.data = p;
    p = ngx_sprintf(p, "%s%ui", servers->prefix, servers->capacity);
    name.len = p - name.data;

    shm_zone = ngx_shared_memory_add(cf, &name,
              ngx_gate_zone_shm_size(ngx_gate_servers_size(servers->capacity)),
              tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_gate_servers_init;
    shm_zone->data = servers;

    return shm_zone;
}


static size_t
ngx_gate_servers_size(ngx_uint_t capacity)
{
    return sizeof(ngx_gate_servers_zone_t)
           + capacity * (sizeof(ngx_atomic_t) + sizeof(ngx_gate_server_t)
                         + sizeof(uint32_t));
}


/*
 * Only attaches to existing memory: the reload may still fail.  The memory of
 * a server is not written before the server is added.
 */

static ngx_int_t
ngx_gate_servers_init(ngx_shm_zone_t *shm_zone, void *data)
{
    u_char                   *p;
    ngx_uint_t                capacity;
    ngx_slab_pool_t          *shpool;
    ngx_gate_servers_t       *servers;
    ngx_gate_servers_zone_t  *zone;

    servers = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        servers->zone = shpool->data;
        return NGX_OK;
    }

    capacity = servers->capacity;

    p = ngx_slab_alloc(shpool, ngx_gate_servers_size(capacity));
    if (p == NULL) {
        return NGX_ERROR;
    }

    zone = (ngx_gate_servers_zone_t *) p;
    p += sizeof(ngx_gate_servers_zone_t);

    ngx_memzero(zone, sizeof(ngx_gate_servers_zone_t));

    zone->capacity = capacity;

    zone->states = (ngx_atomic_t *) p;
    p += capacity * sizeof(ngx_atomic_t);

    ngx_memzero((void *) zone->states, capacity * sizeof(ngx_atomic_t));

    zone->servers = (ngx_gate_server_t *) p;
    p += capacity * sizeof(ngx_gate_server_t);

    zone->hashes = (uint32_t *) p;

    shpool->data = zone;
    servers->zone = zone;

    return NGX_OK;
}


void
ngx_gate_servers_commit(ngx_gate_servers_t *servers, ngx_shm_zone_t *old)
{
    ngx_gate_servers_copy_t  copy;

    if (old && old->shm.addr != servers->shm_zone->shm.addr) {
        copy.zone = servers->zone;
        copy.old = ((ngx_slab_pool_t *) old->shm.addr)->data;
        copy.hint = 0;

        copy.zone->forced = copy.old->forced;

        servers->list(servers, ngx_gate_servers_copy_peer, &copy);
    }
}


/* the capacity has changed: servers that are gone take no place */

static void
ngx_gate_servers_copy_peer(void *data, ngx_gate_servers_peer_t *peer)
{
    ngx_gate_servers_copy_t *copy = data;

    u_char                      text[NGX_GATE_SERVERS_TEXT_MAX];
    ngx_uint_t                  i, n, hint;
    ngx_gate_servers_zone_t    *zone, *old;
    ngx_gate_servers_report_t   report;

    zone = copy->zone;
    old = copy->old;
    hint = 0;

    i = ngx_gate_servers_find(old, peer->sockaddr, peer->socklen, &copy->hint);

    if (i == NGX_GATE_NONE
        || ngx_gate_servers_find(zone, peer->sockaddr, peer->socklen, &hint)
           != NGX_GATE_NONE
        || ngx_gate_servers_read(old, i, &report, text) != NGX_OK)
    {
        return;
    }

    n = ngx_gate_servers_insert(zone, peer,
                                old->states[i] & NGX_GATE_SERVERS_BITS);
    if (n == NGX_GATE_NONE) {
        return;
    }

    zone->servers[n].since = report.since;

    ngx_gate_zone_publish_check(NULL, &zone->servers[n].slots, &report.record);
}


ngx_uint_t
ngx_gate_servers_sync(ngx_gate_servers_t *servers,
    ngx_uint_t (*is_in)(ngx_gate_servers_peer_t *peer, void *data), void *data,
    ngx_log_t *log)
{
    ngx_uint_t                i;
    ngx_gate_servers_zone_t  *zone;
    ngx_gate_servers_sync_t   sync;

    zone = servers->zone;

    sync.servers = servers;
    sync.hint = 0;
    sync.missed = 0;
    sync.is_in = is_in;
    sync.data = data;

    sync.found = ngx_calloc(zone->capacity, log);
    if (sync.found == NULL) {
        return 0;
    }

    servers->list(servers, ngx_gate_servers_sync_peer, &sync);

    for (i = 0; i < zone->nused; i++) {
        if (!sync.found[i]) {
            ngx_gate_servers_remove(zone, i);
        }
    }

    while (zone->nused
           && !(zone->states[zone->nused - 1] & NGX_GATE_SERVERS_USED))
    {
        zone->nused--;
    }

    ngx_free(sync.found);

    return sync.missed;
}


static void
ngx_gate_servers_sync_peer(void *data, ngx_gate_servers_peer_t *peer)
{
    ngx_gate_servers_sync_t *sync = data;

    ngx_uint_t                i, bits;
    ngx_gate_servers_zone_t  *zone;

    zone = sync->servers->zone;

    i = ngx_gate_servers_find(zone, peer->sockaddr, peer->socklen,
                              &sync->hint);

    if (i == NGX_GATE_NONE) {
        bits = NGX_GATE_SERVERS_USED;

        if (sync->is_in && sync->is_in(peer, sync->data)) {
            bits |= NGX_GATE_SERVERS_IN;
        }

        i = ngx_gate_servers_insert(zone, peer, bits);
    }

    if (i == NGX_GATE_NONE) {
        sync->missed++;
        return;
    }

    sync->found[i] = 1;
}


static ngx_uint_t
ngx_gate_servers_insert(ngx_gate_servers_zone_t *zone,
    ngx_gate_servers_peer_t *peer, ngx_uint_t bits)
{
    ngx_uint_t                i;
    ngx_gate_server_t        *server;
    ngx_atomic_uint_t         seen;
    ngx_gate_check_record_t   record;

    for (i = 0; i < zone->capacity; i++) {
        if (!(zone->states[i] & NGX_GATE_SERVERS_USED)) {
            break;
        }
    }

    if (i == zone->capacity || peer->socklen > sizeof(ngx_sockaddr_t)) {
        return NGX_GATE_NONE;
    }

    server = &zone->servers[i];

    ngx_memzero(server, sizeof(ngx_gate_server_t));

    ngx_memcpy(&server->sockaddr, peer->sockaddr, peer->socklen);
    server->socklen = peer->socklen;

    server->address_len = ngx_gate_servers_copy_text(server->address,
                                                     &peer->address,
                                                     NGX_SOCKADDR_STRLEN);
    server->name_len = ngx_gate_servers_copy_text(server->name, &peer->name,
                                                  NGX_GATE_SERVERS_NAME_MAX);

    server->since = ngx_gate_record_now();

    ngx_gate_zone_init_check(&server->slots);
    ngx_gate_record_init_check(&record);
    ngx_gate_zone_publish_check(NULL, &server->slots, &record);

    zone->hashes[i] = ngx_gate_servers_hash(peer->sockaddr);

    ngx_memory_barrier();

    seen = zone->states[i];

    if (ngx_gate_servers_set(zone, i, &seen, bits) != NGX_OK) {
        return NGX_GATE_NONE;
    }

    if (zone->nused <= i) {
        zone->nused = i + 1;
    }

    return i;
}


/* the path of a socket may contain any bytes, and is used in JSON */

static size_t
ngx_gate_servers_copy_text(u_char *dst, ngx_str_t *src, size_t max)
{
    size_t  len;
    u_char  text[NGX_GATE_MESSAGE_MAX];

    len = ngx_gate_fold_message(text, src->data, ngx_min(src->len, max));
    ngx_memcpy(dst, text, len);

    return len;
}


static void
ngx_gate_servers_remove(ngx_gate_servers_zone_t *zone, ngx_uint_t i)
{
    ngx_atomic_uint_t  seen;

    seen = zone->states[i];

    if (seen & NGX_GATE_SERVERS_USED) {
        (void) ngx_gate_servers_set(zone, i, &seen, 0);
    }
}


ngx_uint_t
ngx_gate_servers_find(ngx_gate_servers_zone_t *zone, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_uint_t *hint)
{
    uint32_t    hash;
    ngx_uint_t  i;

    i = *hint;

    if (i >= zone->nused
        || !ngx_gate_servers_is_at(zone, i, sockaddr, socklen))
    {
        hash = ngx_gate_servers_hash(sockaddr);

        for (i = 0; i < zone->nused; i++) {
            if (zone->hashes[i] == hash
                && ngx_gate_servers_is_at(zone, i, sockaddr, socklen))
            {
                break;
            }
        }

        if (i >= zone->nused) {
            return NGX_GATE_NONE;
        }
    }

    *hint = i + 1;

    return i;
}


static ngx_uint_t
ngx_gate_servers_is_at(ngx_gate_servers_zone_t *zone, ngx_uint_t i,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_gate_server_t  *server;

    server = &zone->servers[i];

    return (zone->states[i] & NGX_GATE_SERVERS_USED)
           && ngx_cmp_sockaddr(&server->sockaddr.sockaddr, server->socklen,
                               sockaddr, socklen, 1)
              == NGX_OK;
}


static uint32_t
ngx_gate_servers_hash(struct sockaddr *sockaddr)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif
#if (NGX_HAVE_UNIX_DOMAIN)
    struct sockaddr_un   *saun;
#endif

    switch (sockaddr->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        return ngx_crc32_short((u_char *) &sin6->sin6_addr,
                               sizeof(sin6->sin6_addr))
               ^ sin6->sin6_port;
#endif

#if (NGX_HAVE_UNIX_DOMAIN)
    case AF_UNIX:
        saun = (struct sockaddr_un *) sockaddr;
        return ngx_crc32_short((u_char *) saun->sun_path,
                               ngx_strlen(saun->sun_path));
#endif

    default: /* AF_INET */
        sin = (struct sockaddr_in *) sockaddr;
        return ngx_crc32_short((u_char *) &sin->sin_addr,
                               sizeof(sin->sin_addr))
               ^ sin->sin_port;
    }
}


ngx_int_t
ngx_gate_servers_set(ngx_gate_servers_zone_t *zone, ngx_uint_t i,
    ngx_atomic_uint_t *seen, ngx_uint_t bits)
{
    ngx_atomic_uint_t  next;

    next = (*seen & ~(ngx_atomic_uint_t) NGX_GATE_SERVERS_BITS) | bits;
    next += NGX_GATE_SERVERS_COUNT;

    if (!ngx_atomic_cmp_set(&zone->states[i], *seen, next)) {
        return NGX_DECLINED;
    }

    if ((*seen ^ next) & NGX_GATE_SERVERS_IN) {
        zone->servers[i].since = ngx_gate_record_now();
        (void) ngx_atomic_fetch_add(&zone->version, 1);
    }

    *seen = next;

    return NGX_OK;
}


void
ngx_gate_servers_count(ngx_gate_servers_zone_t *zone,
    ngx_gate_servers_count_t *count)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  state;

    ngx_memzero(count, sizeof(ngx_gate_servers_count_t));

    for (i = 0; i < zone->nused; i++) {
        state = zone->states[i];

        if (!(state & NGX_GATE_SERVERS_USED)) {
            continue;
        }

        count->known++;
        count->in += (state & NGX_GATE_SERVERS_IN) != 0;
        count->asked += (state & NGX_GATE_SERVERS_ASKED) != 0;
    }
}


ngx_uint_t
ngx_gate_servers_needed(ngx_gate_servers_t *servers,
    ngx_gate_servers_count_t *count)
{
    return servers->all ? ngx_max(count->known, 1) : servers->min;
}


ngx_int_t
ngx_gate_servers_read(ngx_gate_servers_zone_t *zone, ngx_uint_t i,
    ngx_gate_servers_report_t *report, u_char *p)
{
    ngx_atomic_uint_t   state;
    ngx_gate_server_t  *server;

    server = &zone->servers[i];

    do {
        state = zone->states[i];
        ngx_memory_barrier();

        if (!(state & NGX_GATE_SERVERS_USED)) {
            return NGX_DECLINED;
        }

        report->since = server->since;

        report->address.data = p;
        report->address.len = ngx_min(server->address_len, NGX_SOCKADDR_STRLEN);
        ngx_memcpy(report->address.data, server->address, report->address.len);

        report->name.data = p + report->address.len;
        report->name.len = ngx_min(server->name_len, NGX_GATE_SERVERS_NAME_MAX);
        ngx_memcpy(report->name.data, server->name, report->name.len);

        ngx_gate_zone_read_check(&server->slots, &report->record);

        report->in = report->record.attempts ? report->record.status.up
                                             : (state & NGX_GATE_SERVERS_IN)
                                               != 0;
        report->in |= zone->forced;

        ngx_memory_barrier();

    } while (state != zone->states[i]);

    return NGX_OK;
}
