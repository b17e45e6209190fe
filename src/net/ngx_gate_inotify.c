
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The inotify instance; see ngx_gate_inotify.h.
 *
 * The kernel has one watch for a directory, whatever the number of paths that
 * lead to it, so watches are found by their descriptors, and are removed with
 * their last name.
 */


#include <ngx_gate.h>
#include <ngx_gate_watch.h>
#include <ngx_gate_inotify.h>
#include <sys/inotify.h>


#define NGX_GATE_INOTIFY_BUFFER  8192
#define NGX_GATE_INOTIFY_READS   8
#define NGX_GATE_INOTIFY_PAUSE   10    /* ms, if there is more to read */

/* a file that is being written is complete when it is closed */

#define NGX_GATE_INOTIFY_EVENTS                                               \
    (IN_CREATE|IN_DELETE|IN_MOVED_FROM|IN_MOVED_TO|IN_CLOSE_WRITE|IN_ATTRIB   \
     |IN_DELETE_SELF|IN_MOVE_SELF|IN_ONLYDIR|IN_EXCL_UNLINK)

#define NGX_GATE_INOTIFY_SELF                                                 \
    (IN_DELETE_SELF|IN_MOVE_SELF|IN_UNMOUNT|IN_IGNORED)


typedef struct {
    ngx_rbtree_node_t         node;        /* its key is the descriptor */
    ngx_queue_t               names;
} ngx_gate_inotify_watch_t;


typedef struct {
    ngx_queue_t               queue;       /* of the watch */
    ngx_queue_t               own;         /* of the one who watches */
    ngx_gate_inotify_t       *inotify;
    ngx_gate_inotify_watch_t *watch;       /* NULL: it has ended */
    size_t                    len;
    u_char                    data[1];
} ngx_gate_inotify_name_t;


static ngx_int_t ngx_gate_inotify_open(void);
static void ngx_gate_inotify_close(void);
static ngx_gate_inotify_watch_t *ngx_gate_inotify_watch_add(u_char *dir);
static ngx_gate_inotify_watch_t *ngx_gate_inotify_watch_find(int wd);
static void ngx_gate_inotify_watch_free(ngx_gate_inotify_watch_t *watch);
static void ngx_gate_inotify_watch_end(ngx_gate_inotify_watch_t *watch);
static void ngx_gate_inotify_read_handler(ngx_event_t *ev);
static void ngx_gate_inotify_pause_handler(ngx_event_t *ev);
static void ngx_gate_inotify_event(struct inotify_event *event);
static void ngx_gate_inotify_overflow(void);
static void ngx_gate_inotify_failed(ngx_err_t err, char *call);


static ngx_connection_t   *ngx_gate_inotify_connection;
static ngx_event_t         ngx_gate_inotify_pause;
static ngx_rbtree_t        ngx_gate_inotify_watches;
static ngx_rbtree_node_t   ngx_gate_inotify_sentinel;
static ngx_err_t           ngx_gate_inotify_err;


void
ngx_gate_inotify_init(ngx_gate_inotify_t *inotify)
{
    ngx_queue_init(&inotify->names);
    inotify->lost = 0;
}


ngx_int_t
ngx_gate_inotify_add(ngx_gate_inotify_t *inotify, u_char *dir, ngx_str_t *name)
{
    ngx_err_t                  err;
    ngx_gate_inotify_name_t   *n;
    ngx_gate_inotify_watch_t  *watch;

    if (ngx_gate_inotify_connection == NULL
        && ngx_gate_inotify_open() != NGX_OK)
    {
        return NGX_ERROR;
    }

    n = ngx_alloc(sizeof(ngx_gate_inotify_name_t) + name->len, ngx_cycle->log);

    watch = n ? ngx_gate_inotify_watch_add(dir) : NULL;

    if (watch == NULL) {
        err = ngx_errno;

        if (n) {
            ngx_free(n);
        }

        if (ngx_gate_inotify_watches.root == &ngx_gate_inotify_sentinel) {
            ngx_gate_inotify_close();
        }

        return (err == NGX_ENOENT || err == NGX_ENOTDIR) ? NGX_DECLINED
                                                         : NGX_ERROR;
    }

    n->inotify = inotify;
    n->watch = watch;
    n->len = name->len;
    ngx_memcpy(n->data, name->data, name->len);

    ngx_queue_insert_tail(&watch->names, &n->queue);
    ngx_queue_insert_tail(&inotify->names, &n->own);

    return NGX_OK;
}


void
ngx_gate_inotify_take(ngx_gate_inotify_t *inotify, ngx_queue_t *names)
{
    ngx_queue_init(names);

    if (!ngx_queue_empty(&inotify->names)) {
        ngx_queue_add(names, &inotify->names);
    }

    ngx_gate_inotify_init(inotify);
}


void
ngx_gate_inotify_free(ngx_queue_t *names)
{
    ngx_queue_t               *q;
    ngx_gate_inotify_name_t   *n;
    ngx_gate_inotify_watch_t  *watch;

    while (!ngx_queue_empty(names)) {
        q = ngx_queue_head(names);
        ngx_queue_remove(q);

        n = ngx_queue_data(q, ngx_gate_inotify_name_t, own);
        watch = n->watch;

        if (watch) {
            ngx_queue_remove(&n->queue);
        }

        ngx_free(n);

        if (watch && ngx_queue_empty(&watch->names)) {
            (void) inotify_rm_watch(ngx_gate_inotify_connection->fd,
                                    (int) watch->node.key);
            ngx_gate_inotify_watch_free(watch);
        }
    }

    if (ngx_gate_inotify_connection
        && ngx_gate_inotify_watches.root == &ngx_gate_inotify_sentinel)
    {
        ngx_gate_inotify_close();
    }
}


static ngx_int_t
ngx_gate_inotify_open(void)
{
    int                fd;
    ngx_connection_t  *c;

    fd = inotify_init1(IN_NONBLOCK|IN_CLOEXEC);

    if (fd == -1) {
        ngx_gate_inotify_failed(ngx_errno, "inotify_init1");
        return NGX_ERROR;
    }

    c = ngx_gate_watch_open(fd, ngx_gate_inotify_read_handler, NULL);

    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    if (ngx_gate_watch_set(c, NGX_GATE_WATCH_READ) != NGX_OK) {
        ngx_gate_watch_close(c, 0);
        (void) close(fd);
        return NGX_ERROR;
    }

    ngx_gate_event_init(&ngx_gate_inotify_pause, ngx_gate_inotify_pause_handler,
                        c->log);
    ngx_rbtree_init(&ngx_gate_inotify_watches, &ngx_gate_inotify_sentinel,
                    ngx_rbtree_insert_value);

    ngx_gate_inotify_connection = c;

    return NGX_OK;
}


static void
ngx_gate_inotify_close(void)
{
    int  fd;

    fd = ngx_gate_inotify_connection->fd;

    if (ngx_gate_inotify_pause.timer_set) {
        ngx_del_timer(&ngx_gate_inotify_pause);
    }

    ngx_gate_watch_close(ngx_gate_inotify_connection, 0);
    ngx_gate_inotify_connection = NULL;

    (void) close(fd);
}


static ngx_gate_inotify_watch_t *
ngx_gate_inotify_watch_add(u_char *dir)
{
    int                        fd, wd;
    ngx_gate_inotify_watch_t  *watch;

    fd = ngx_gate_inotify_connection->fd;

    wd = inotify_add_watch(fd, (char *) dir, NGX_GATE_INOTIFY_EVENTS);

    if (wd == -1) {
        ngx_gate_inotify_failed(ngx_errno, "inotify_add_watch");
        return NULL;
    }

    watch = ngx_gate_inotify_watch_find(wd);

    if (watch) {
        return watch;
    }

    watch = ngx_alloc(sizeof(ngx_gate_inotify_watch_t), ngx_cycle->log);

    if (watch == NULL) {
        (void) inotify_rm_watch(fd, wd);
        return NULL;
    }

    ngx_queue_init(&watch->names);

    watch->node.key = wd;
    ngx_rbtree_insert(&ngx_gate_inotify_watches, &watch->node);

    return watch;
}


static ngx_gate_inotify_watch_t *
ngx_gate_inotify_watch_find(int wd)
{
    ngx_rbtree_node_t  *node;

    node = ngx_gate_inotify_watches.root;

    while (node != &ngx_gate_inotify_sentinel) {

        if (node->key == (ngx_rbtree_key_t) wd) {
            return ngx_rbtree_data(node, ngx_gate_inotify_watch_t, node);
        }

        node = (ngx_rbtree_key_t) wd < node->key ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_gate_inotify_watch_free(ngx_gate_inotify_watch_t *watch)
{
    ngx_rbtree_delete(&ngx_gate_inotify_watches, &watch->node);
    ngx_free(watch);
}


/* the kernel has removed it */

static void
ngx_gate_inotify_watch_end(ngx_gate_inotify_watch_t *watch)
{
    ngx_queue_t              *q;
    ngx_gate_inotify_name_t  *n;

    while (!ngx_queue_empty(&watch->names)) {
        q = ngx_queue_head(&watch->names);
        ngx_queue_remove(q);

        n = ngx_queue_data(q, ngx_gate_inotify_name_t, queue);
        n->watch = NULL;
        n->inotify->lost = 1;
    }

    ngx_gate_inotify_watch_free(watch);
}


static void
ngx_gate_inotify_read_handler(ngx_event_t *ev)
{
    u_char                *p;
    ssize_t                n;
    ngx_uint_t             i;
    ngx_connection_t      *c;
    struct inotify_event  *event;

    /* aligned as the events that it takes */
    static uint64_t        buffer[NGX_GATE_INOTIFY_BUFFER / 8];

    c = ev->data;

    /* by worker_shutdown_timeout: the worker exits, and cancels the checks */

    if (c->close || c->error) {
        (void) ngx_gate_watch_set(c, 0);
        return;
    }

    for (i = 0; i < NGX_GATE_INOTIFY_READS; i++) {
        n = read(c->fd, buffer, sizeof(buffer));

        if (n <= 0) {
            return;
        }

        for (p = (u_char *) buffer;
             p < (u_char *) buffer + n;
             p += sizeof(struct inotify_event) + event->len)
        {
            event = (struct inotify_event *) p;
            ngx_gate_inotify_event(event);
        }
    }

    /* other events of this worker matter, too */

    (void) ngx_gate_watch_set(c, 0);
    ngx_add_timer(&ngx_gate_inotify_pause, NGX_GATE_INOTIFY_PAUSE);
}


static void
ngx_gate_inotify_pause_handler(ngx_event_t *ev)
{
    (void) ngx_gate_watch_set(ngx_gate_inotify_connection, NGX_GATE_WATCH_READ);
}


static void
ngx_gate_inotify_event(struct inotify_event *event)
{
    size_t                     len;
    ngx_queue_t               *q;
    ngx_gate_inotify_name_t   *n;
    ngx_gate_inotify_watch_t  *watch;

    if (event->mask & IN_Q_OVERFLOW) {
        ngx_gate_inotify_overflow();
        return;
    }

    watch = ngx_gate_inotify_watch_find(event->wd);

    if (watch == NULL) {
        /* it has been removed since */
        return;
    }

    len = event->len ? ngx_strlen(event->name) : 0;

    for (q = ngx_queue_head(&watch->names);
         q != ngx_queue_sentinel(&watch->names);
         q = ngx_queue_next(q))
    {
        n = ngx_queue_data(q, ngx_gate_inotify_name_t, queue);

        if ((event->mask & NGX_GATE_INOTIFY_SELF)
            || n->len == 0
            || (n->len == len && ngx_memcmp(n->data, event->name, len) == 0))
        {
            n->inotify->handler(n->inotify);
        }
    }

    if (event->mask & IN_IGNORED) {
        ngx_gate_inotify_watch_end(watch);
    }
}


/* events were lost: whatever is watched may have changed */

static void
ngx_gate_inotify_overflow(void)
{
    ngx_queue_t               *q;
    ngx_rbtree_node_t         *node;
    ngx_gate_inotify_name_t   *n;
    ngx_gate_inotify_watch_t  *watch;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "init gates: the queue of inotify events has overflowed");

    if (ngx_gate_inotify_watches.root == &ngx_gate_inotify_sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(ngx_gate_inotify_watches.root,
                               &ngx_gate_inotify_sentinel);
         node;
         node = ngx_rbtree_next(&ngx_gate_inotify_watches, node))
    {
        watch = ngx_rbtree_data(node, ngx_gate_inotify_watch_t, node);

        for (q = ngx_queue_head(&watch->names);
             q != ngx_queue_sentinel(&watch->names);
             q = ngx_queue_next(q))
        {
            n = ngx_queue_data(q, ngx_gate_inotify_name_t, queue);
            n->inotify->handler(n->inotify);
        }
    }
}


/* logged again only after another error */

static void
ngx_gate_inotify_failed(ngx_err_t err, char *call)
{
    /* a directory that was removed, or may be searched and not read */

    if (err == NGX_ENOENT || err == NGX_ENOTDIR || err == NGX_EACCES) {
        return;
    }

    if (err == ngx_gate_inotify_err) {
        return;
    }

    ngx_gate_inotify_err = err;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, err,
                  "%s() failed, changes of files are noticed by polling",
                  call);
}
