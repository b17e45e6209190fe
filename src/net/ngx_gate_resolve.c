
/*
 * The host's own way (hosts, resolv.conf) is built out of nginx's resolver,
 * made at run time with the name servers found; the search list is walked
 * here.  It is shared by all names looked up in this process.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate.h>
#include <ngx_gate_resolve.h>
#include <ngx_gate_host_files.h>
#include <ngx_gate_hush.h>


#define NGX_GATE_HOSTS            "/etc/hosts"
#define NGX_GATE_RESOLV_CONF      "/etc/resolv.conf"

#define NGX_GATE_FILE_MAX         (1024 * 1024)

#define NGX_GATE_RESOLVE_TIMEOUT  10000   /* of one name, ms */
#define NGX_GATE_RESOLVE_RESEND   1       /* to the next name server, s */
#define NGX_GATE_RESOLVE_VALID    5       /* an answer is remembered, s */


/* a small file in memory, read again when it has changed */

typedef struct {
    char                     *path;
    u_char                   *data;
    size_t                    len;
    time_t                    mtime;
    off_t                     size;
    ngx_file_uniq_t           uniq;
    time_t                    read;         /* when; 0: never */
} ngx_gate_file_t;


/* resolv.conf as it once was; the current one, or still in use */

typedef struct {
    ngx_pool_t               *pool;
    ngx_str_t                 text;
    ngx_resolver_t           *resolver;     /* NULL: no name servers */
    ngx_gate_resolv_conf_t    conf;
    ngx_gate_hush_t           hush;
    ngx_uint_t                refs;
    ngx_uint_t                superseded;
} ngx_gate_host_t;


static ngx_int_t ngx_gate_resolve_hosts(ngx_gate_resolve_t *resolve,
    ngx_str_t *name);
static void ngx_gate_resolve_add(ngx_gate_resolve_t *resolve,
    const char *address);
static ngx_uint_t ngx_gate_resolve_is_localhost(ngx_str_t *name);
static ngx_int_t ngx_gate_resolve_next(ngx_gate_resolve_t *resolve);
static ngx_int_t ngx_gate_resolve_candidate(ngx_gate_resolve_t *resolve,
    ngx_str_t *name);
static ngx_int_t ngx_gate_resolve_query(ngx_gate_resolve_t *resolve,
    ngx_resolver_t *r, ngx_str_t *name);
static void ngx_gate_resolve_handler(ngx_resolver_ctx_t *ctx);
static void ngx_gate_resolve_answered(ngx_event_t *ev);
static ngx_int_t ngx_gate_resolve_evaluate(ngx_gate_resolve_t *resolve);
static ngx_int_t ngx_gate_resolve_fail(ngx_gate_resolve_t *resolve,
    ngx_gate_reason_e reason, const char *text);
static void ngx_gate_resolve_release(ngx_gate_resolve_t *resolve);

static ngx_int_t ngx_gate_file_refresh(ngx_gate_file_t *file);
static ngx_int_t ngx_gate_file_read(ngx_gate_file_t *file, ngx_fd_t fd,
    off_t size);
static ngx_gate_host_t *ngx_gate_host_get(void);
static ngx_gate_host_t *ngx_gate_host_create(u_char *data, size_t len);
static void ngx_gate_host_domain(ngx_gate_host_t *host);
static ngx_int_t ngx_gate_host_resolver(ngx_gate_host_t *host);
static void ngx_gate_host_release(ngx_gate_host_t *host);


/* the files and the name servers of the host, as this process knows them */

static ngx_gate_file_t   ngx_gate_hosts = { NGX_GATE_HOSTS,
                                            NULL, 0, 0, 0, 0, 0 };
static ngx_gate_file_t   ngx_gate_resolv_conf = { NGX_GATE_RESOLV_CONF,
                                                  NULL, 0, 0, 0, 0, 0 };
static ngx_gate_host_t  *ngx_gate_host;


ngx_int_t
ngx_gate_resolve_start(ngx_gate_resolve_t *resolve)
{
    ngx_str_t        name;
    ngx_uint_t       localhost;
    ngx_gate_host_t  *host;

    ngx_gate_resolve_cancel(resolve);

    resolve->naddrs = 0;
    resolve->reason = NGX_GATE_OK;
    ngx_str_null(&resolve->error);

    name = resolve->name;

    if (ngx_gate_address_parse(&name, resolve->port, &resolve->addrs[0],
                               &resolve->socklens[0])
        == NGX_OK)
    {
        resolve->naddrs = 1;
        return NGX_OK;
    }

    if (name.len == 0 || name.len > NGX_GATE_HOST_MAX) {
        return ngx_gate_resolve_fail(resolve, NGX_GATE_DNS,
                                     "invalid host name");
    }

    if (resolve->resolver && resolve->resolver->connections.nelts == 0) {

        /* the "resolver" directive was not given */

        resolve->resolver = NULL;
    }

    localhost = ngx_gate_resolve_is_localhost(&name);

    if (resolve->resolver == NULL || localhost) {
        if (ngx_gate_resolve_hosts(resolve, &name) == NGX_OK) {
            return NGX_OK;
        }
    }

    if (localhost) {
        ngx_gate_resolve_add(resolve, "127.0.0.1");
        ngx_gate_resolve_add(resolve, "::1");
        return NGX_OK;
    }

    if (resolve->resolver == NULL) {
        host = ngx_gate_host_get();

        if (host == NULL) {
            return ngx_gate_resolve_fail(resolve, NGX_GATE_NO_MEMORY,
                                         "no memory");
        }

        resolve->host = host;

        if (host->resolver == NULL) {
            return ngx_gate_resolve_fail(resolve, NGX_GATE_DNS,
                                         "host not found (no name servers in "
                                         NGX_GATE_RESOLV_CONF ")");
        }
    }

    resolve->candidate = 0;
    resolve->troubled = 0;

    return ngx_gate_resolve_next(resolve);
}


void
ngx_gate_resolve_cancel(ngx_gate_resolve_t *resolve)
{
    if (resolve->ctx) {
        ngx_resolve_name_done(resolve->ctx);
        resolve->ctx = NULL;
    }

    if (resolve->answered.posted) {
        ngx_delete_posted_event(&resolve->answered);
    }

    ngx_gate_resolve_release(resolve);
}


static ngx_int_t
ngx_gate_resolve_hosts(ngx_gate_resolve_t *resolve, ngx_str_t *name)
{
    ngx_uint_t  i;

    if (ngx_gate_file_refresh(&ngx_gate_hosts) == NGX_ERROR) {
        return NGX_DECLINED;
    }

    resolve->naddrs = ngx_gate_hosts_find(ngx_gate_hosts.data,
                                          ngx_gate_hosts.len, name,
                                          resolve->addrs, resolve->socklens,
                                          NGX_GATE_RESOLVE_MAX);

    for (i = 0; i < resolve->naddrs; i++) {
        ngx_inet_set_port(&resolve->addrs[i].sockaddr, resolve->port);
    }

    return resolve->naddrs ? NGX_OK : NGX_DECLINED;
}


static void
ngx_gate_resolve_add(ngx_gate_resolve_t *resolve, const char *address)
{
    ngx_str_t   text;
    ngx_uint_t  n;

    n = resolve->naddrs;

    text.data = (u_char *) address;
    text.len = ngx_strlen(address);

    if (ngx_gate_address_parse(&text, resolve->port, &resolve->addrs[n],
                               &resolve->socklens[n])
        == NGX_OK)
    {
        resolve->naddrs++;
    }
}


static ngx_uint_t
ngx_gate_resolve_is_localhost(ngx_str_t *name)
{
    size_t  len;

    len = name->len;

    if (name->data[len - 1] == '.') {
        len--;
    }

    if (len < 9 || ngx_strncasecmp(&name->data[len - 9],
                                   (u_char *) "localhost", 9)
                   != 0)
    {
        return 0;
    }

    return len == 9 || name->data[len - 10] == '.';
}


/* asks for one candidate name after the other until one has to be awaited */

static ngx_int_t
ngx_gate_resolve_next(ngx_gate_resolve_t *resolve)
{
    ngx_int_t         rc;
    ngx_str_t         name;
    ngx_resolver_t   *r;
    ngx_gate_host_t  *host;

    host = resolve->host;
    r = host ? host->resolver : resolve->resolver;

    do {
        rc = ngx_gate_resolve_candidate(resolve, &name);

        if (rc == NGX_DONE) {
            return ngx_gate_resolve_fail(resolve, NGX_GATE_DNS,
                                         resolve->troubled
                                         ? "name server failure"
                                         : "host not found");
        }

        if (rc == NGX_DECLINED) {
            rc = NGX_AGAIN;
            continue;
        }

        rc = ngx_gate_resolve_query(resolve, r, &name);

        if (rc == NGX_OK) {
            rc = ngx_gate_resolve_evaluate(resolve);

        } else if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

    } while (rc == NGX_AGAIN);

    return rc;
}


/*
 * The next name to ask for: as the C library does, the name itself comes
 * first if it has ndots dots, and last otherwise; NGX_DECLINED: too long.
 */

static ngx_int_t
ngx_gate_resolve_candidate(ngx_gate_resolve_t *resolve, ngx_str_t *name)
{
    size_t                   i;
    u_char                  *p;
    ngx_str_t               *domain;
    ngx_uint_t               n, dots, nsearch, itself;
    ngx_gate_host_t         *host;
    ngx_gate_resolv_conf_t  *conf;

    host = resolve->host;
    conf = host ? &host->conf : NULL;
    nsearch = conf ? conf->nsearch : 0;
    itself = 0;

    if (resolve->name.data[resolve->name.len - 1] == '.') {
        nsearch = 0;
    }

    if (nsearch) {
        dots = 0;

        for (i = 0; i < resolve->name.len; i++) {
            if (resolve->name.data[i] == '.') {
                dots++;
            }
        }

        itself = (dots >= conf->ndots) ? 0 : nsearch;
    }

    n = resolve->candidate++;

    if (n > nsearch) {
        return NGX_DONE;
    }

    /* nginx's resolver writes to the name */

    name->data = resolve->buf;
    p = ngx_cpymem(name->data, resolve->name.data, resolve->name.len);

    if (n != itself) {
        domain = &conf->search[n > itself ? n - 1 : n];

        if (resolve->name.len + 1 + domain->len > NGX_GATE_HOST_MAX) {
            return NGX_DECLINED;
        }

        *p++ = '.';
        p = ngx_cpymem(p, domain->data, domain->len);
    }

    name->len = p - name->data;

    return NGX_OK;
}


/* NGX_OK: answered, in resolve->state; NGX_AGAIN: will be */

static ngx_int_t
ngx_gate_resolve_query(ngx_gate_resolve_t *resolve, ngx_resolver_t *r,
    ngx_str_t *name)
{
    ngx_int_t            rc;
    ngx_resolver_ctx_t  *ctx;

    ctx = ngx_resolve_start(r, NULL);

    if (ctx == NULL) {
        return ngx_gate_resolve_fail(resolve, NGX_GATE_NO_MEMORY, "no memory");
    }

    if (ctx == NGX_NO_RESOLVER) {
        return ngx_gate_resolve_fail(resolve, NGX_GATE_DNS,
                                     "no name servers");
    }

    ctx->name = *name;
    ctx->handler = ngx_gate_resolve_handler;
    ctx->data = resolve;
    ctx->timeout = NGX_GATE_RESOLVE_TIMEOUT;
    ctx->cancelable = 1;

    resolve->ctx = ctx;
    resolve->starting = 1;

    rc = ngx_resolve_name(ctx);

    resolve->starting = 0;

    if (rc != NGX_OK) {
        resolve->ctx = NULL;
        return ngx_gate_resolve_fail(resolve, NGX_GATE_NO_MEMORY,
                                     "could not ask the name server");
    }

    return resolve->ctx ? NGX_AGAIN : NGX_OK;
}


static void
ngx_gate_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_gate_resolve_t *resolve = ctx->data;

    ngx_uint_t            i, n;
    ngx_resolver_addr_t  *addr;

    resolve->state = ctx->state;

    if (ctx->state == NGX_OK) {
        n = ngx_min(ctx->naddrs, NGX_GATE_RESOLVE_MAX);

        for (i = 0; i < n; i++) {
            addr = &ctx->addrs[i];

            ngx_memcpy(&resolve->addrs[i], addr->sockaddr, addr->socklen);
            resolve->socklens[i] = addr->socklen;
            ngx_inet_set_port(&resolve->addrs[i].sockaddr, resolve->port);
        }

        resolve->naddrs = n;
    }

    ngx_resolve_name_done(ctx);
    resolve->ctx = NULL;

    if (resolve->starting) {
        return;
    }

    /*
     * The resolver is walking the list of all who wait for this name: what
     * happens next might cancel one of them, so it happens later.
     */

    resolve->ident.data = resolve;
    resolve->ident.fd = (ngx_socket_t) -1;

    resolve->answered.handler = ngx_gate_resolve_answered;
    resolve->answered.data = &resolve->ident;
    resolve->answered.log = resolve->log;

    ngx_post_event(&resolve->answered, &ngx_posted_next_events);
}


static void
ngx_gate_resolve_answered(ngx_event_t *ev)
{
    ngx_int_t            rc;
    ngx_gate_ident_t    *ident;
    ngx_gate_resolve_t  *resolve;

    ident = ev->data;
    resolve = ident->data;

    rc = ngx_gate_resolve_evaluate(resolve);

    if (rc == NGX_AGAIN) {
        rc = ngx_gate_resolve_next(resolve);
    }

    if (rc != NGX_AGAIN) {
        resolve->handler(resolve);
    }
}


/* NGX_AGAIN: another candidate may do better */

static ngx_int_t
ngx_gate_resolve_evaluate(ngx_gate_resolve_t *resolve)
{
    switch (resolve->state) {

    case NGX_OK:
        if (resolve->naddrs == 0) {
            return NGX_AGAIN;
        }

        ngx_gate_resolve_release(resolve);
        return NGX_OK;

    case NGX_RESOLVE_NXDOMAIN:
        return NGX_AGAIN;

    case NGX_RESOLVE_TIMEDOUT:
        return ngx_gate_resolve_fail(resolve, NGX_GATE_DNS,
                                     "no answer from the name server");

    default:
        resolve->troubled = 1;
        return NGX_AGAIN;
    }
}


static ngx_int_t
ngx_gate_resolve_fail(ngx_gate_resolve_t *resolve, ngx_gate_reason_e reason,
    const char *text)
{
    ngx_gate_resolve_release(resolve);

    resolve->naddrs = 0;
    resolve->reason = reason;
    resolve->error.data = (u_char *) text;
    resolve->error.len = ngx_strlen(text);

    return NGX_ERROR;
}


static void
ngx_gate_resolve_release(ngx_gate_resolve_t *resolve)
{
    if (resolve->host) {
        ngx_gate_host_release(resolve->host);
        resolve->host = NULL;
    }
}


/* NGX_OK: read again; NGX_DECLINED: as before; NGX_ERROR: unreadable */

static ngx_int_t
ngx_gate_file_refresh(ngx_gate_file_t *file)
{
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    if (ngx_file_info((u_char *) file->path, &fi) == NGX_FILE_ERROR
        || !ngx_is_file(&fi))
    {
        goto failed;
    }

    /*
     * A file changed within the second of its last reading may have been
     * changed after it, and look the same.
     */

    if (file->read
        && file->mtime == ngx_file_mtime(&fi)
        && file->size == ngx_file_size(&fi)
        && file->uniq == ngx_file_uniq(&fi)
        && file->mtime < file->read - 1)
    {
        return NGX_DECLINED;
    }

    fd = ngx_open_file((u_char *) file->path,
                       NGX_FILE_RDONLY|NGX_FILE_NONBLOCK, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        goto failed;
    }

    rc = ngx_gate_file_read(file, fd, ngx_file_size(&fi));

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", file->path);
    }

    if (rc == NGX_OK) {
        file->mtime = ngx_file_mtime(&fi);
        file->size = ngx_file_size(&fi);
        file->uniq = ngx_file_uniq(&fi);
        file->read = ngx_time();

        return NGX_OK;
    }

failed:

    file->read = 0;

    return NGX_ERROR;
}


static ngx_int_t
ngx_gate_file_read(ngx_gate_file_t *file, ngx_fd_t fd, off_t size)
{
    size_t    len;
    u_char   *data;
    ssize_t   n;

    size = ngx_min(size, NGX_GATE_FILE_MAX);

    data = ngx_alloc(size + 1, ngx_cycle->log);
    if (data == NULL) {
        return NGX_ERROR;
    }

    for (len = 0; len < (size_t) size; len += n) {
        n = ngx_read_fd(fd, data + len, size - len);

        if (n == -1) {
            ngx_free(data);
            return NGX_ERROR;
        }

        if (n == 0) {
            break;
        }
    }

    ngx_free(file->data);

    file->data = data;
    file->len = len;

    return NGX_OK;
}


/* the host's resolver, held until released; a new one if the file changed */

static ngx_gate_host_t *
ngx_gate_host_get(void)
{
    u_char           *data;
    size_t            len;
    ngx_gate_host_t  *host;

    host = ngx_gate_host;

    if (ngx_gate_file_refresh(&ngx_gate_resolv_conf) == NGX_ERROR) {
        data = NULL;
        len = 0;

    } else {
        data = ngx_gate_resolv_conf.data;
        len = ngx_gate_resolv_conf.len;
    }

    if (host && host->text.len == len
        && (len == 0 || ngx_memcmp(host->text.data, data, len) == 0))
    {
        host->refs++;
        return host;
    }

    host = ngx_gate_host_create(data, len);
    if (host == NULL) {
        return NULL;
    }

    if (ngx_gate_host) {
        ngx_gate_host->superseded = 1;
        ngx_gate_host->refs++;
        ngx_gate_host_release(ngx_gate_host);
    }

    ngx_gate_host = host;
    host->refs++;

    return host;
}


static ngx_gate_host_t *
ngx_gate_host_create(u_char *data, size_t len)
{
    ngx_pool_t       *pool;
    ngx_gate_host_t  *host;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    host = ngx_pcalloc(pool, sizeof(ngx_gate_host_t));
    if (host == NULL) {
        goto failed;
    }

    ngx_gate_hush_init(&host->hush, NULL);

    pool->log = &host->hush.log;
    host->pool = pool;

    host->text.len = len;
    host->text.data = ngx_pnalloc(pool, len + 1);
    if (host->text.data == NULL) {
        goto failed;
    }

    if (len) {
        ngx_memcpy(host->text.data, data, len);
    }

    ngx_gate_resolv_conf_parse(&host->conf, host->text.data, len);
    ngx_gate_host_domain(host);

    if (host->conf.nservers && ngx_gate_host_resolver(host) != NGX_OK) {
        goto failed;
    }

    return host;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* without a search list, the host's own domain is searched */

static void
ngx_gate_host_domain(ngx_gate_host_t *host)
{
    u_char     *p, *last;
    ngx_str_t   name;

    name.data = ngx_cycle->hostname.data;
    name.len = ngx_cycle->hostname.len;

    if (host->conf.nsearch || name.len == 0) {
        return;
    }

    last = name.data + name.len;
    p = ngx_strlchr(name.data, last, '.');

    if (p == NULL || p + 1 == last) {
        return;
    }

    name.data = p + 1;
    name.len = last - name.data;

    host->conf.search[0].data = ngx_pstrdup(host->pool, &name);

    if (host->conf.search[0].data) {
        host->conf.search[0].len = name.len;
        host->conf.nsearch = 1;
    }
}


static ngx_int_t
ngx_gate_host_resolver(ngx_gate_host_t *host)
{
    u_char          *p;
    ngx_str_t        names[NGX_GATE_SERVERS_MAX], *server;
    ngx_conf_t       cf;
    ngx_uint_t       i;
    ngx_resolver_t  *r;

    for (i = 0; i < host->conf.nservers; i++) {
        server = &host->conf.servers[i];

        p = ngx_pnalloc(host->pool, server->len + 2);
        if (p == NULL) {
            return NGX_ERROR;
        }

        names[i].data = p;

        p = ngx_strlchr(server->data, server->data + server->len, ':')
            ? ngx_sprintf(p, "[%V]", server) : ngx_sprintf(p, "%V", server);

        names[i].len = p - names[i].data;
    }

    ngx_memzero(&cf, sizeof(ngx_conf_t));

    cf.pool = host->pool;
    cf.log = &host->hush.log;
    cf.cycle = (ngx_cycle_t *) ngx_cycle;

    r = ngx_resolver_create(&cf, names, host->conf.nservers);
    if (r == NULL) {
        return NGX_ERROR;
    }

    r->log = &host->hush.log;
    r->event->log = &host->hush.log;
    r->resend_timeout = NGX_GATE_RESOLVE_RESEND;
    r->valid = NGX_GATE_RESOLVE_VALID;

    host->resolver = r;

    return NGX_OK;
}


static void
ngx_gate_host_release(ngx_gate_host_t *host)
{
    if (--host->refs == 0 && host->superseded) {
        ngx_destroy_pool(host->pool);
    }
}
