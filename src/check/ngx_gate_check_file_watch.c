
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The names that are watched for a path: each link on the way, in its
 * directory, and the last component that exists, or the first that does not.
 * Mounted ConfigMaps, for example, are replaced by another link in the middle.
 */


#include <ngx_gate_check_file.h>


/* the walk is repeated after an event, and once in so many probes */

#define NGX_GATE_CHECK_FILE_WATCH_PROBES  64

#define NGX_GATE_CHECK_FILE_WATCH_LINKS   40

/* walks in a row that have met a change, after which it is polled for */

#define NGX_GATE_CHECK_FILE_WATCH_MISSED  16


typedef struct {
    ngx_gate_check_file_watch_t  *watch;
    ngx_uint_t                    links;
    size_t                        dir_len;
    u_char                        dir[NGX_MAX_PATH];     /* without links */
    u_char                       *name;                  /* in "rest" */
    u_char                        rest[NGX_MAX_PATH];    /* of the path */
} ngx_gate_check_file_watch_walk_t;


static void ngx_gate_check_file_watch_handler(ngx_gate_inotify_t *inotify);
static void ngx_gate_check_file_watch_path(ngx_gate_check_file_watch_t *watch,
    ngx_str_t *path);
static ngx_int_t ngx_gate_check_file_watch_component(
    ngx_gate_check_file_watch_walk_t *walk, ngx_str_t *name);
static ngx_int_t ngx_gate_check_file_watch_name(
    ngx_gate_check_file_watch_walk_t *walk, ngx_str_t *name);
static ngx_int_t ngx_gate_check_file_watch_follow(
    ngx_gate_check_file_watch_walk_t *walk, ngx_str_t *name);
static ngx_int_t ngx_gate_check_file_watch_append(
    ngx_gate_check_file_watch_walk_t *walk, ngx_str_t *name);
static void ngx_gate_check_file_watch_parent(
    ngx_gate_check_file_watch_walk_t *walk);


void
ngx_gate_check_file_watch_init(ngx_gate_check_file_watch_t *watch,
    ngx_gate_probe_t *probe)
{
    ngx_gate_inotify_init(&watch->inotify);

    watch->inotify.handler = ngx_gate_check_file_watch_handler;
    watch->inotify.data = probe;
}


void
ngx_gate_check_file_watch(ngx_gate_check_file_watch_t *watch,
    ngx_gate_probe_t *probe)
{
    ngx_str_t                     any;
    ngx_queue_t                   names;
    ngx_uint_t                    missed;
    ngx_gate_check_file_conf_t   *conf;
    ngx_gate_check_file_state_t  *state;

    conf = probe->check->conf;
    state = probe->state;

    if (watch->probes++ % NGX_GATE_CHECK_FILE_WATCH_PROBES
        && !watch->changed && !watch->inotify.lost)
    {
        return;
    }

    watch->changed = 0;
    missed = watch->missed;

    ngx_gate_inotify_take(&watch->inotify, &names);

    ngx_gate_check_file_watch_path(watch, &conf->path);

    /* the files of a tree are counted again after each event */

    if (conf->files && !state->large) {
        ngx_str_null(&any);
        (void) ngx_gate_inotify_add(&watch->inotify, conf->path.data, &any);
    }

    if (conf->failed.len) {
        ngx_gate_check_file_watch_path(watch, &conf->failed);
    }

    if (conf->progress.len) {
        ngx_gate_check_file_watch_path(watch, &conf->progress);
    }

    ngx_gate_inotify_free(&names);

    if (watch->missed == missed) {
        watch->missed = 0;

    } else if (missed < NGX_GATE_CHECK_FILE_WATCH_MISSED) {
        watch->changed = 1;
        ngx_gate_probe_due(probe);
    }
}


void
ngx_gate_check_file_watch_stop(ngx_gate_check_file_watch_t *watch)
{
    ngx_queue_t  names;

    watch->probes = 0;

    ngx_gate_inotify_take(&watch->inotify, &names);
    ngx_gate_inotify_free(&names);
}


static void
ngx_gate_check_file_watch_handler(ngx_gate_inotify_t *inotify)
{
    ngx_gate_probe_t             *probe;
    ngx_gate_check_file_state_t  *state;

    probe = inotify->data;
    state = probe->state;

    state->watch.changed = 1;

    ngx_gate_probe_due(probe);
}


static void
ngx_gate_check_file_watch_path(ngx_gate_check_file_watch_t *watch,
    ngx_str_t *path)
{
    ngx_str_t                         name;
    ngx_gate_check_file_watch_walk_t  walk;

    if (path->len >= NGX_MAX_PATH) {
        return;
    }

    walk.watch = watch;
    walk.links = 0;
    walk.dir_len = 0;
    walk.name = walk.rest;
    ngx_memcpy(walk.rest, path->data, path->len + 1);

    do {
        while (*walk.name == '/') {
            walk.name++;
        }

        name.data = walk.name;

        while (*walk.name && *walk.name != '/') {
            walk.name++;
        }

        name.len = walk.name - name.data;

    } while (name.len
             && ngx_gate_check_file_watch_component(&walk, &name) == NGX_OK);
}


/* NGX_DONE: the walk ends here */

static ngx_int_t
ngx_gate_check_file_watch_component(ngx_gate_check_file_watch_walk_t *walk,
    ngx_str_t *name)
{
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    if (name->len == 1 && name->data[0] == '.') {
        return NGX_OK;
    }

    if (name->len == 2 && name->data[0] == '.' && name->data[1] == '.') {
        ngx_gate_check_file_watch_parent(walk);
        return NGX_OK;
    }

    if (ngx_gate_check_file_watch_append(walk, name) != NGX_OK) {
        return NGX_DONE;
    }

    rc = ngx_link_info(walk->dir, &fi);

    if (rc != NGX_FILE_ERROR && ngx_is_dir(&fi) && *walk->name) {
        return NGX_OK;
    }

    ngx_gate_check_file_watch_parent(walk);

    if (ngx_gate_check_file_watch_name(walk, name) != NGX_OK
        || ngx_gate_check_file_watch_append(walk, name) != NGX_OK)
    {
        return NGX_DONE;
    }

    /* it may have come before it was watched */

    if (ngx_link_info(walk->dir, &fi) == NGX_FILE_ERROR) {
        return NGX_DONE;
    }

    if (ngx_is_link(&fi)) {
        return ngx_gate_check_file_watch_follow(walk, name);
    }

    return ngx_is_dir(&fi) && *walk->name ? NGX_OK : NGX_DONE;
}


static ngx_int_t
ngx_gate_check_file_watch_name(ngx_gate_check_file_watch_walk_t *walk,
    ngx_str_t *name)
{
    u_char     *dir;
    ngx_int_t   rc;

    dir = walk->dir_len ? walk->dir : (u_char *) "/";

    rc = ngx_gate_inotify_add(&walk->watch->inotify, dir, name);

    if (rc == NGX_DECLINED) {

        /* the directory was removed during the walk, and nothing is watched */

        walk->watch->missed++;
    }

    return rc;
}


/* the target of a link, with what comes after the link, is the path now */

static ngx_int_t
ngx_gate_check_file_watch_follow(ngx_gate_check_file_watch_walk_t *walk,
    ngx_str_t *name)
{
    size_t   rest;
    ssize_t  n;
    u_char   target[NGX_MAX_PATH];

    if (walk->links++ == NGX_GATE_CHECK_FILE_WATCH_LINKS) {
        return NGX_DONE;
    }

    rest = ngx_strlen(walk->name);

    n = readlink((char *) walk->dir, (char *) target, NGX_MAX_PATH);

    if (n <= 0 || (size_t) n + rest >= NGX_MAX_PATH) {
        return NGX_DONE;
    }

    if (target[0] == '/') {
        walk->dir_len = 0;

    } else {
        ngx_gate_check_file_watch_parent(walk);
    }

    ngx_memmove(walk->rest + n, walk->name, rest + 1);
    ngx_memcpy(walk->rest, target, n);

    walk->name = walk->rest;

    return NGX_OK;
}


static ngx_int_t
ngx_gate_check_file_watch_append(ngx_gate_check_file_watch_walk_t *walk,
    ngx_str_t *name)
{
    u_char  *p;

    if (walk->dir_len + name->len + 2 > NGX_MAX_PATH) {
        return NGX_ERROR;
    }

    p = walk->dir + walk->dir_len;

    *p++ = '/';
    p = ngx_cpymem(p, name->data, name->len);
    *p = '\0';

    walk->dir_len = p - walk->dir;

    return NGX_OK;
}


static void
ngx_gate_check_file_watch_parent(ngx_gate_check_file_watch_walk_t *walk)
{
    while (walk->dir_len && walk->dir[--walk->dir_len] != '/') { /* void */ }

    walk->dir[walk->dir_len] = '\0';
}
