
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * c-ares with the events of nginx; see ngx_gate_resolver_channel.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_resolver_channel.h>
#include <ngx_gate_watch.h>


/*
 * One silent name server takes 1.75 s, two take 1.5 s and three 2.25 s, since
 * the wait doubles with each round: less than the default timeout of a probe.
 * If only the first one is silent, a name is delayed by 250 ms.
 */

#define NGX_GATE_RESOLVER_TIMEOUT      250
#define NGX_GATE_RESOLVER_MAX_TIMEOUT  1000
#define NGX_GATE_RESOLVER_TRIES        3
#define NGX_GATE_RESOLVER_TRIES_EACH   2     /* if there are several */


struct ngx_gate_resolver_channel_s {
    ngx_queue_t                 queue;
    ngx_uint_t                  number;
    const char                 *path;        /* one of the two below */
    ngx_file_info_t             file;        /* when read; zeroed: missing */
    ngx_gate_resolver_t        *resolver;    /* NULL: those of the file */
    ares_channel                ares;
    ngx_queue_t                 watched;     /* connections, by c->queue */
    ngx_event_t                 timer;
    ngx_uint_t                  starved;     /* of connections */
    ngx_gate_resolver_search_t  search;
};


static ngx_gate_resolver_channel_t *ngx_gate_resolver_channel_get(
    const char *path, ngx_gate_resolver_t *resolver);
static void ngx_gate_resolver_channel_stat(const char *path,
    ngx_file_info_t *fi);
static ngx_uint_t ngx_gate_resolver_channel_unchanged(ngx_file_info_t *a,
    ngx_file_info_t *b);
static ngx_gate_resolver_channel_t *ngx_gate_resolver_channel_create(
    const char *path, ngx_gate_resolver_t *resolver, ngx_file_info_t *fi);
static int ngx_gate_resolver_channel_init(
    ngx_gate_resolver_channel_t *channel);
static void ngx_gate_resolver_channel_destroy(
    ngx_gate_resolver_channel_t *channel, ngx_gate_reason_e reason);
static void ngx_gate_resolver_channel_socket(void *data, ares_socket_t fd,
    int readable, int writable);
static void ngx_gate_resolver_channel_event(ngx_event_t *ev);
static void ngx_gate_resolver_channel_timer(ngx_event_t *ev);
static void ngx_gate_resolver_channel_update(
    ngx_gate_resolver_channel_t *channel);


static const char  ngx_gate_resolver_channel_etc_hosts[] = "/etc/hosts";
static const char  ngx_gate_resolver_channel_etc_conf[] = "/etc/resolv.conf";


/* a channel of c-ares belongs to the process that opened it */

static ngx_queue_t  ngx_gate_resolver_channels = {
    &ngx_gate_resolver_channels, &ngx_gate_resolver_channels
};

static ngx_uint_t         ngx_gate_resolver_channel_count;
static ngx_gate_reason_e  ngx_gate_resolver_channel_end;


ngx_gate_resolver_channel_t *
ngx_gate_resolver_channel_hosts(void)
{
    return ngx_gate_resolver_channel_get(ngx_gate_resolver_channel_etc_hosts,
                                         NULL);
}


ngx_gate_resolver_channel_t *
ngx_gate_resolver_channel_servers(ngx_gate_resolver_t *resolver)
{
    return ngx_gate_resolver_channel_get(ngx_gate_resolver_channel_etc_conf,
                                         resolver);
}


static ngx_gate_resolver_channel_t *
ngx_gate_resolver_channel_get(const char *path, ngx_gate_resolver_t *resolver)
{
    ngx_queue_t                  *q;
    ngx_file_info_t               fi;
    ngx_gate_resolver_channel_t  *channel;

    ngx_gate_resolver_channel_stat(path, &fi);

    for (q = ngx_queue_head(&ngx_gate_resolver_channels);
         q != ngx_queue_sentinel(&ngx_gate_resolver_channels);
         q = ngx_queue_next(q))
    {
        channel = ngx_queue_data(q, ngx_gate_resolver_channel_t, queue);

        if (channel->path != path
            || !ngx_gate_resolver_same(channel->resolver, resolver))
        {
            continue;
        }

        if (!channel->starved
            && ngx_gate_resolver_channel_unchanged(&channel->file, &fi))
        {
            return channel;
        }

        ngx_gate_resolver_channel_destroy(channel, channel->starved
                                                   ? NGX_GATE_NO_CONNECTIONS
                                                   : NGX_GATE_OK);
        break;
    }

    return ngx_gate_resolver_channel_create(path, resolver, &fi);
}


static void
ngx_gate_resolver_channel_stat(const char *path, ngx_file_info_t *fi)
{
    if (ngx_file_info((u_char *) path, fi) == NGX_FILE_ERROR) {
        ngx_memzero(fi, sizeof(ngx_file_info_t));
    }
}


/* compares nanoseconds: a file may change twice within a second */

static ngx_uint_t
ngx_gate_resolver_channel_unchanged(ngx_file_info_t *a, ngx_file_info_t *b)
{
    return a->st_dev == b->st_dev
           && a->st_ino == b->st_ino
           && a->st_size == b->st_size
           && a->st_mtim.tv_sec == b->st_mtim.tv_sec
           && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
           && a->st_ctim.tv_sec == b->st_ctim.tv_sec
           && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}


static ngx_gate_resolver_channel_t *
ngx_gate_resolver_channel_create(const char *path,
    ngx_gate_resolver_t *resolver, ngx_file_info_t *fi)
{
    ngx_gate_resolver_channel_t  *channel;

    channel = ngx_calloc(sizeof(ngx_gate_resolver_channel_t), ngx_cycle->log);
    if (channel == NULL) {
        return NULL;
    }

    channel->number = ++ngx_gate_resolver_channel_count;
    channel->path = path;
    channel->file = *fi;
    channel->resolver = resolver;

    ngx_queue_init(&channel->watched);
    ngx_gate_event_init(&channel->timer, ngx_gate_resolver_channel_timer,
                        ngx_cycle->log);

    if (ngx_gate_resolver_channel_init(channel) != ARES_SUCCESS) {
        ngx_free(channel);
        return NULL;
    }

    ngx_queue_insert_tail(&ngx_gate_resolver_channels, &channel->queue);

    return channel;
}


static int
ngx_gate_resolver_channel_init(ngx_gate_resolver_channel_t *channel)
{
    int                   rc, mask;
    ngx_uint_t            n;
    struct ares_options   options;

    ngx_memzero(&options, sizeof(struct ares_options));

    options.lookups = (char *) "f";
    n = 1;

    if (channel->path == ngx_gate_resolver_channel_etc_conf) {
        options.lookups = (char *) "b";

        ngx_gate_resolver_search_read(&channel->search, channel->path);

        n = channel->resolver ? channel->resolver->nservers
                              : channel->search.nservers;
    }

    options.timeout = NGX_GATE_RESOLVER_TIMEOUT;
    options.tries = n > 1 ? NGX_GATE_RESOLVER_TRIES_EACH
                          : NGX_GATE_RESOLVER_TRIES;
    options.sock_state_cb = ngx_gate_resolver_channel_socket;
    options.sock_state_cb_data = channel;

    mask = ARES_OPT_LOOKUPS|ARES_OPT_TIMEOUTMS|ARES_OPT_TRIES
           |ARES_OPT_SOCK_STATE_CB;

#ifdef ARES_OPT_MAXTIMEOUTMS
    options.maxtimeout = NGX_GATE_RESOLVER_MAX_TIMEOUT;
    mask |= ARES_OPT_MAXTIMEOUTMS;
#endif

#ifdef ARES_OPT_QUERY_CACHE
    /* do not cache: a missing name is queried again */
    options.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif

    rc = ares_library_init(ARES_LIB_INIT_ALL);
    if (rc != ARES_SUCCESS) {
        return rc;
    }

    rc = ares_init_options(&channel->ares, &options, mask);
    if (rc != ARES_SUCCESS) {
        ares_library_cleanup();
        return rc;
    }

    if (channel->resolver == NULL) {
        return ARES_SUCCESS;
    }

    rc = ares_set_servers_ports_csv(channel->ares,
                                    (char *) channel->resolver->servers.data);
    if (rc != ARES_SUCCESS) {
        ares_destroy(channel->ares);
        ares_library_cleanup();
    }

    return rc;
}


/* not to be called from within c-ares */

static void
ngx_gate_resolver_channel_destroy(ngx_gate_resolver_channel_t *channel,
    ngx_gate_reason_e reason)
{
    ngx_queue_remove(&channel->queue);

    ngx_gate_resolver_channel_end = reason;

    ares_destroy(channel->ares);
    ares_library_cleanup();

    if (channel->timer.timer_set) {
        ngx_del_timer(&channel->timer);
    }

    if (channel->timer.posted) {
        ngx_delete_posted_event(&channel->timer);
    }

    ngx_free(channel);
}


ngx_gate_reason_e
ngx_gate_resolver_channel_reason(void)
{
    return ngx_gate_resolver_channel_end;
}


ngx_uint_t
ngx_gate_resolver_channel_number(ngx_gate_resolver_channel_t *channel)
{
    return channel->number;
}


ngx_gate_resolver_search_t *
ngx_gate_resolver_channel_search(ngx_gate_resolver_channel_t *channel)
{
    return &channel->search;
}


void
ngx_gate_resolver_channel_ask(ngx_gate_resolver_channel_t *channel,
    const char *name, int family, ares_addrinfo_callback callback, void *arg)
{
    struct ares_addrinfo_hints  hints;

    ngx_memzero(&hints, sizeof(struct ares_addrinfo_hints));

    /* no sorting: it would connect a socket to each address */

    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;

    ares_getaddrinfo(channel->ares, name, NULL, &hints, callback, arg);

    ngx_gate_resolver_channel_update(channel);
}


/* for each socket of c-ares; with both flags 0, c-ares is about to close it */

static void
ngx_gate_resolver_channel_socket(void *data, ares_socket_t fd, int readable,
    int writable)
{
    ngx_gate_resolver_channel_t *channel = data;

    ngx_uint_t         what;
    ngx_queue_t       *q;
    ngx_connection_t  *c;

    c = NULL;

    for (q = ngx_queue_head(&channel->watched);
         q != ngx_queue_sentinel(&channel->watched);
         q = ngx_queue_next(q))
    {
        c = ngx_queue_data(q, ngx_connection_t, queue);

        if (c->fd == fd) {
            break;
        }

        c = NULL;
    }

    what = (readable ? NGX_GATE_WATCH_READ : 0)
           | (writable ? NGX_GATE_WATCH_WRITE : 0);

    if (what == 0) {

        if (c) {
            ngx_queue_remove(&c->queue);
            ngx_gate_watch_close(c, 0);
        }

        return;
    }

    if (c == NULL) {
        c = ngx_gate_watch_open(fd, ngx_gate_resolver_channel_event, channel);

        if (c == NULL) {
            channel->starved = 1;
            return;
        }

        ngx_queue_insert_tail(&channel->watched, &c->queue);
    }

    if (ngx_gate_watch_set(c, what) != NGX_OK) {
        channel->starved = 1;
    }
}


static void
ngx_gate_resolver_channel_event(ngx_event_t *ev)
{
    ngx_connection_t             *c;
    ngx_gate_resolver_channel_t  *channel;

    c = ev->data;
    channel = c->data;

    if (c->close || c->error) {

        /* worker_shutdown_timeout */

        ngx_gate_resolver_channel_destroy(channel, NGX_GATE_NO_CONNECTIONS);
        return;
    }

    ares_process_fd(channel->ares, ev->write ? ARES_SOCKET_BAD : c->fd,
                    ev->write ? c->fd : ARES_SOCKET_BAD);

    ngx_gate_resolver_channel_update(channel);
}


static void
ngx_gate_resolver_channel_timer(ngx_event_t *ev)
{
    ngx_gate_resolver_channel_t  *channel;

    channel = ngx_queue_data(ev, ngx_gate_resolver_channel_t, timer);

    if (channel->starved) {

        /* a socket cannot be watched: its responses would be lost */

        ngx_gate_resolver_channel_destroy(channel, NGX_GATE_NO_CONNECTIONS);
        return;
    }

    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);

    ngx_gate_resolver_channel_update(channel);
}


/* call after each call to c-ares */

static void
ngx_gate_resolver_channel_update(ngx_gate_resolver_channel_t *channel)
{
    struct timeval  *tv, buf;

    if (channel->starved) {
        ngx_post_event(&channel->timer, &ngx_posted_events);
        return;
    }

    if (channel->timer.timer_set) {
        ngx_del_timer(&channel->timer);
    }

    tv = ares_timeout(channel->ares, NULL, &buf);

    if (tv) {
        ngx_add_timer(&channel->timer,
                      (ngx_msec_t) tv->tv_sec * 1000 + tv->tv_usec / 1000 + 1);
    }
}


void
ngx_gate_resolver_channel_exit(void)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&ngx_gate_resolver_channels)) {
        q = ngx_queue_head(&ngx_gate_resolver_channels);

        ngx_gate_resolver_channel_destroy(
            ngx_queue_data(q, ngx_gate_resolver_channel_t, queue),
            NGX_GATE_OK);
    }
}
