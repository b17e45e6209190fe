
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counting keeps one directory open for each level and looks up entries
 * relative to it, so a tree that is moved, or a directory that is replaced by
 * a link, does not lead it outside of the tree.
 *
 * A slice takes about a millisecond, and the next one begins a millisecond
 * later, after the other events of the event loop.  All trees share that
 * millisecond: when it is used up, each further tree makes a single step.
 */


#include <ngx_gate_check_file_tree.h>
#include <fnmatch.h>


#define NGX_GATE_CHECK_FILE_TREE_SLICE  1000000    /* nanoseconds */
#define NGX_GATE_CHECK_FILE_TREE_PAUSE  1          /* milliseconds */

/* entries between two reads of the clock; a system call counts as many */

#define NGX_GATE_CHECK_FILE_TREE_STEP  16

#define NGX_GATE_CHECK_FILE_TREE_FLAGS                                        \
    (O_RDONLY|O_DIRECTORY|O_NONBLOCK|O_CLOEXEC)


static void ngx_gate_check_file_tree_timer_handler(ngx_event_t *ev);
static ngx_int_t ngx_gate_check_file_tree_open(
    ngx_gate_check_file_tree_t *tree);
static ngx_int_t ngx_gate_check_file_tree_slice(
    ngx_gate_check_file_tree_t *tree);
static int64_t ngx_gate_check_file_tree_clock(void);
static ngx_int_t ngx_gate_check_file_tree_step(
    ngx_gate_check_file_tree_t *tree, ngx_uint_t *cost);
static ngx_int_t ngx_gate_check_file_tree_entry(
    ngx_gate_check_file_tree_t *tree, struct dirent *entry, ngx_uint_t *cost);
static mode_t ngx_gate_check_file_tree_type(DIR *dir, struct dirent *entry,
    ngx_uint_t *cost);
static ngx_int_t ngx_gate_check_file_tree_descend(
    ngx_gate_check_file_tree_t *tree, DIR *dir, char *name);
static ngx_int_t ngx_gate_check_file_tree_push(
    ngx_gate_check_file_tree_t *tree, int fd);
static void ngx_gate_check_file_tree_pop(ngx_gate_check_file_tree_t *tree);
static void ngx_gate_check_file_tree_append(ngx_gate_check_file_tree_t *tree,
    u_char *name, size_t len);
static void ngx_gate_check_file_tree_set_path(ngx_gate_check_file_tree_t *tree);
static ngx_int_t ngx_gate_check_file_tree_error(
    ngx_gate_check_file_tree_t *tree, char *call, ngx_err_t err);


/* the current iteration of the event loop, and the end of its slice */

static ngx_msec_t  ngx_gate_check_file_tree_slice_msec;
static int64_t     ngx_gate_check_file_tree_slice_end;


ngx_int_t
ngx_gate_check_file_tree_count(ngx_gate_check_file_tree_t *tree)
{
    ngx_int_t  rc;

    if (tree->depth == 0 && ngx_gate_check_file_tree_open(tree) == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = ngx_gate_check_file_tree_slice(tree);

    if (rc == NGX_AGAIN) {
        ngx_add_timer(&tree->event, NGX_GATE_CHECK_FILE_TREE_PAUSE);
    }

    return rc;
}


static void
ngx_gate_check_file_tree_timer_handler(ngx_event_t *ev)
{
    ngx_int_t                    rc;
    ngx_gate_check_file_tree_t  *tree;

    tree = ev->data;

    rc = NGX_DECLINED;

    if ((ngx_msec_int_t) (tree->deadline - ngx_current_msec) > 0) {
        rc = ngx_gate_check_file_tree_slice(tree);
    }

    if (rc == NGX_AGAIN) {
        ngx_add_timer(ev, NGX_GATE_CHECK_FILE_TREE_PAUSE);
        return;
    }

    tree->handler(tree, rc);
}


void
ngx_gate_check_file_tree_close(ngx_gate_check_file_tree_t *tree)
{
    if (tree->event.timer_set) {
        ngx_del_timer(&tree->event);
    }

    while (tree->depth) {
        ngx_gate_check_file_tree_pop(tree);
    }
}


static ngx_int_t
ngx_gate_check_file_tree_open(ngx_gate_check_file_tree_t *tree)
{
    int  fd;

    tree->ident[3] = (void *) -1;

    tree->event.handler = ngx_gate_check_file_tree_timer_handler;
    tree->event.data = tree;
    tree->event.log = tree->log;
    tree->event.cancelable = 1;

    tree->found = 0;
    tree->err = 0;
    tree->denied = 0;
    tree->too_deep = 0;
    tree->path_len = 0;
    tree->current_len = 0;

    ngx_gate_check_file_tree_append(tree, tree->root->data, tree->root->len);

    /* the root may be a symbolic link */

    fd = open((char *) tree->root->data, NGX_GATE_CHECK_FILE_TREE_FLAGS);

    if (fd == -1) {
        return ngx_gate_check_file_tree_error(tree, "open", ngx_errno);
    }

    return ngx_gate_check_file_tree_push(tree, fd);
}


static ngx_int_t
ngx_gate_check_file_tree_slice(ngx_gate_check_file_tree_t *tree)
{
    ngx_int_t   rc;
    ngx_uint_t  cost;

    if (ngx_gate_check_file_tree_slice_msec != ngx_current_msec) {
        ngx_gate_check_file_tree_slice_msec = ngx_current_msec;
        ngx_gate_check_file_tree_slice_end = ngx_gate_check_file_tree_clock()
                                             + NGX_GATE_CHECK_FILE_TREE_SLICE;
    }

    cost = 0;

    do {
        rc = ngx_gate_check_file_tree_step(tree, &cost);

        if (cost >= NGX_GATE_CHECK_FILE_TREE_STEP) {
            cost = 0;

            if (ngx_gate_check_file_tree_clock()
                >= ngx_gate_check_file_tree_slice_end)
            {
                break;
            }
        }

    } while (rc == NGX_AGAIN);

    if (rc != NGX_AGAIN) {
        ngx_gate_check_file_tree_close(tree);
    }

    return rc;
}


static int64_t
ngx_gate_check_file_tree_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* processes one entry, or the end, of the deepest directory */

static ngx_int_t
ngx_gate_check_file_tree_step(ngx_gate_check_file_tree_t *tree,
    ngx_uint_t *cost)
{
    struct dirent                     *entry;
    ngx_gate_check_file_tree_level_t  *level;

    level = &tree->levels[tree->depth - 1];

    ngx_set_errno(0);
    entry = readdir(level->dir);

    if (entry) {
        (*cost)++;
        return ngx_gate_check_file_tree_entry(tree, entry, cost);
    }

    /* a directory that was removed has no more entries */

    if (ngx_errno && ngx_errno != NGX_ENOENT) {
        return ngx_gate_check_file_tree_error(tree, "readdir", ngx_errno);
    }

    *cost += NGX_GATE_CHECK_FILE_TREE_STEP;
    ngx_gate_check_file_tree_pop(tree);

    return tree->depth ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_gate_check_file_tree_entry(ngx_gate_check_file_tree_t *tree,
    struct dirent *entry, ngx_uint_t *cost)
{
    DIR   *dir;
    char  *name;

    dir = tree->levels[tree->depth - 1].dir;
    name = entry->d_name;

    if (name[0] == '.'
        && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
    {
        return NGX_AGAIN;
    }

    switch (ngx_gate_check_file_tree_type(dir, entry, cost)) {

    case S_IFREG:

        if (tree->glob->len
            && fnmatch((char *) tree->glob->data, name, FNM_PERIOD) != 0)
        {
            return NGX_AGAIN;
        }

        return (++tree->found >= tree->limit) ? NGX_OK : NGX_AGAIN;

    case S_IFDIR:
        *cost += NGX_GATE_CHECK_FILE_TREE_STEP;
        return ngx_gate_check_file_tree_descend(tree, dir, name);

    default:
        return NGX_AGAIN;
    }
}


static mode_t
ngx_gate_check_file_tree_type(DIR *dir, struct dirent *entry, ngx_uint_t *cost)
{
    struct stat  st;

#if (NGX_HAVE_D_TYPE)

    switch (entry->d_type) {

    case DT_REG:
        return S_IFREG;

    case DT_DIR:
        return S_IFDIR;

    case DT_UNKNOWN:
        break;

    default:
        return 0;
    }

#endif

    *cost += NGX_GATE_CHECK_FILE_TREE_STEP;

    if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
        return 0;
    }

    return st.st_mode & S_IFMT;
}


static ngx_int_t
ngx_gate_check_file_tree_descend(ngx_gate_check_file_tree_t *tree, DIR *dir,
    char *name)
{
    int        fd;
    size_t     len;
    ngx_err_t  err;

    if (tree->depth == NGX_GATE_CHECK_FILE_TREE_DEPTH) {
        tree->too_deep++;
        return NGX_AGAIN;
    }

    fd = openat(dirfd(dir), name, NGX_GATE_CHECK_FILE_TREE_FLAGS|O_NOFOLLOW);
    err = ngx_errno;

    len = tree->current_len;

    ngx_gate_check_file_tree_append(tree, (u_char *) "/", 1);
    ngx_gate_check_file_tree_append(tree, (u_char *) name, ngx_strlen(name));

    if (fd != -1) {
        return ngx_gate_check_file_tree_push(tree, fd);
    }

    switch (err) {

    case NGX_ENOENT:
    case NGX_ENOTDIR:
    case NGX_ELOOP:

        /* removed or replaced since it was listed */
        break;

    case NGX_EACCES:
    case NGX_EPERM:

        if (tree->denied++ == 0) {
            ngx_gate_check_file_tree_set_path(tree);
        }

        break;

    default:
        return ngx_gate_check_file_tree_error(tree, "openat", err);
    }

    tree->current_len = len;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_gate_check_file_tree_push(ngx_gate_check_file_tree_t *tree, int fd)
{
    DIR                               *dir;
    ngx_err_t                          err;
    ngx_gate_check_file_tree_level_t  *level;

    dir = fdopendir(fd);

    if (dir == NULL) {
        err = ngx_errno;
        (void) close(fd);
        return ngx_gate_check_file_tree_error(tree, "fdopendir", err);
    }

    level = &tree->levels[tree->depth++];
    level->dir = dir;
    level->len = tree->current_len;

    return NGX_AGAIN;
}


static void
ngx_gate_check_file_tree_pop(ngx_gate_check_file_tree_t *tree)
{
    ngx_gate_check_file_tree_level_t  *level;

    level = &tree->levels[--tree->depth];

    (void) closedir(level->dir);
    level->dir = NULL;

    if (tree->depth) {
        tree->current_len = tree->levels[tree->depth - 1].len;
    }
}


/* the path is used only in messages, so it may be truncated */

static void
ngx_gate_check_file_tree_append(ngx_gate_check_file_tree_t *tree, u_char *name,
    size_t len)
{
    len = ngx_min(len, sizeof(tree->current) - tree->current_len);

    ngx_memcpy(tree->current + tree->current_len, name, len);
    tree->current_len += len;
}


static void
ngx_gate_check_file_tree_set_path(ngx_gate_check_file_tree_t *tree)
{
    ngx_memcpy(tree->path, tree->current, tree->current_len);
    tree->path_len = tree->current_len;
}


static ngx_int_t
ngx_gate_check_file_tree_error(ngx_gate_check_file_tree_t *tree, char *call,
    ngx_err_t err)
{
    tree->call = call;
    tree->err = err;

    ngx_gate_check_file_tree_set_path(tree);

    return NGX_ERROR;
}
