
/*
 * The name servers are asked by nginx's own resolver, made at run time.  It
 * is shared by all who look up names in this process.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_gate_host.h>


#define NGX_GATE_HOST_FILE_MAX  (1024 * 1024)
#define NGX_GATE_HOST_RESEND    1           /* to the next name server, s */
#define NGX_GATE_HOST_VALID     5           /* an answer is remembered, s */
#define NGX_GATE_HOST_TCP       2           /* its timer delays an exit, s */


/* a small file in memory */

typedef struct {
    char                     *path;
    u_char                   *data;
    size_t                    len;
    time_t                    mtime;
    off_t                     size;
    ngx_file_uniq_t           uniq;
    time_t                    read;         /* when; 0: never */
} ngx_gate_host_file_t;


static ngx_int_t ngx_gate_host_attach(void);
static void ngx_gate_host_forget(void *data);
static void ngx_gate_host_supersede(ngx_gate_host_t *host);
static void ngx_gate_host_drop(ngx_gate_host_file_t *file);
static ngx_int_t ngx_gate_host_refresh(ngx_gate_host_file_t *file);
static ngx_int_t ngx_gate_host_read(ngx_gate_host_file_t *file, ngx_fd_t fd,
    off_t size);
static ngx_gate_host_t *ngx_gate_host_create(u_char *data, size_t len);
static void ngx_gate_host_domain(ngx_gate_host_t *host);
static ngx_int_t ngx_gate_host_resolver(ngx_gate_host_t *host);


/* what this process knows of the host */

static ngx_gate_host_file_t  ngx_gate_hosts = {
    NGX_GATE_HOSTS, NULL, 0, 0, 0, 0, 0
};

static ngx_gate_host_file_t  ngx_gate_resolv_conf = {
    NGX_GATE_RESOLV_CONF, NULL, 0, 0, 0, 0, 0
};

static ngx_gate_host_t      *ngx_gate_host;

static ngx_uint_t            ngx_gate_host_attached;


ngx_uint_t
ngx_gate_host_find(ngx_str_t *name, ngx_sockaddr_t *addrs,
    socklen_t *socklens, ngx_uint_t max)
{
    ngx_gate_host_file_t  *file;

    file = &ngx_gate_hosts;

    if (ngx_gate_host_attach() != NGX_OK
        || ngx_gate_host_refresh(file) == NGX_ERROR)
    {
        return 0;
    }

    return ngx_gate_hosts_find(file->data, file->len, name, addrs, socklens,
                               max);
}


/* what is known is forgotten with the cycle, and might be learned again */

static ngx_int_t
ngx_gate_host_attach(void)
{
    ngx_pool_cleanup_t  *cln;

    if (ngx_gate_host_attached) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(ngx_cycle->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_gate_host_forget;
    ngx_gate_host_attached = 1;

    return NGX_OK;
}


static void
ngx_gate_host_forget(void *data)
{
    ngx_gate_host_supersede(NULL);

    ngx_gate_host_drop(&ngx_gate_hosts);
    ngx_gate_host_drop(&ngx_gate_resolv_conf);

    ngx_gate_host_attached = 0;
}


static void
ngx_gate_host_supersede(ngx_gate_host_t *host)
{
    ngx_gate_host_t  *old;

    old = ngx_gate_host;
    ngx_gate_host = host;

    if (old) {
        old->superseded = 1;
        old->refs++;
        ngx_gate_host_release(old);
    }
}


static void
ngx_gate_host_drop(ngx_gate_host_file_t *file)
{
    if (file->data) {
        ngx_free(file->data);
    }

    file->data = NULL;
    file->len = 0;
    file->read = 0;
}


/* NGX_OK: read again; NGX_DECLINED: as before; NGX_ERROR: unreadable */

static ngx_int_t
ngx_gate_host_refresh(ngx_gate_host_file_t *file)
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

    rc = ngx_gate_host_read(file, fd, ngx_file_size(&fi));

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
ngx_gate_host_read(ngx_gate_host_file_t *file, ngx_fd_t fd, off_t size)
{
    size_t    len;
    u_char   *data;
    ssize_t   n;

    size = ngx_min(size, NGX_GATE_HOST_FILE_MAX);

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

    ngx_gate_host_drop(file);

    file->data = data;
    file->len = len;

    return NGX_OK;
}


ngx_gate_host_t *
ngx_gate_host_get(void)
{
    u_char           *data;
    size_t            len;
    ngx_gate_host_t  *host;

    host = ngx_gate_host;

    if (ngx_gate_host_attach() != NGX_OK) {
        return NULL;
    }

    if (ngx_gate_host_refresh(&ngx_gate_resolv_conf) == NGX_ERROR) {
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

    ngx_gate_host_supersede(host);

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

    ngx_gate_log_capture_init(&host->hush, NULL);

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
    r->resend_timeout = NGX_GATE_HOST_RESEND;
    r->tcp_timeout = NGX_GATE_HOST_TCP;
    r->valid = NGX_GATE_HOST_VALID;

    host->resolver = r;

    return NGX_OK;
}


void
ngx_gate_host_release(ngx_gate_host_t *host)
{
    if (--host->refs == 0 && host->superseded) {
        ngx_destroy_pool(host->pool);
    }
}
