
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The last notice of a check in a file; see ngx_gate_store.h.
 *
 * The file has a line with a checksum of the rest, since after a power
 * failure its contents may be missing, and a line with the notice: verdict,
 * observed, expected, time, message.
 */


#include <ngx_gate.h>
#include <ngx_gate_store.h>


#define NGX_GATE_STORE_MAGIC  "init-gate-notice-1 "
#define NGX_GATE_STORE_HEAD   (sizeof(NGX_GATE_STORE_MAGIC) - 1 + 8 + 1)
#define NGX_GATE_STORE_SIZE                                                   \
    (NGX_GATE_STORE_HEAD + 16 + 4 * NGX_INT64_LEN + NGX_GATE_MESSAGE_MAX)
#define NGX_GATE_STORE_NEW    ".new"


static void ngx_gate_store_normalize(ngx_str_t *rest);
static ngx_fd_t ngx_gate_store_create(ngx_str_t *path, u_char *name,
    u_char *error, u_char **last);
static u_char *ngx_gate_store_examine(ngx_str_t *path, u_char *error,
    u_char *last);
static u_char *ngx_gate_store_write_file(ngx_fd_t fd, ngx_str_t *path,
    ngx_gate_notice_t *notice, u_char *error, u_char *last);
static ssize_t ngx_gate_store_read_file(ngx_fd_t fd, u_char *buf, size_t size);
static ngx_int_t ngx_gate_store_parse(u_char *p, u_char *last,
    ngx_gate_notice_t *notice);
static ngx_int_t ngx_gate_store_parse_verdict(u_char **p, u_char *last,
    ngx_gate_notice_t *notice);
static ngx_int_t ngx_gate_store_parse_number(u_char **p, u_char *last,
    int64_t *n);
static u_char *ngx_gate_store_error(const char *call, ngx_str_t *path,
    u_char *error, u_char *last);


ngx_int_t
ngx_gate_store_find(ngx_pool_t *pool, ngx_str_t *path,
    ngx_gate_store_place_t *place)
{
    u_char           *p, *name, c;
    ngx_int_t         rc;
    ngx_file_info_t   fi;

    name = ngx_pnalloc(pool, path->len + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(name, path->data, path->len) = '\0';

    for (p = name + path->len; p > name; p--) {

        if (p[-1] != '/') {
            continue;
        }

        c = *p;
        *p = '\0';

        rc = ngx_file_info(name, &fi);

        *p = c;

        if (rc != NGX_FILE_ERROR) {
            break;
        }
    }

    if (p == name && ngx_file_info((u_char *) ".", &fi) == NGX_FILE_ERROR) {
        return NGX_ERROR;
    }

    place->dev = fi.st_dev;
    place->ino = fi.st_ino;
    place->rest.data = p;
    place->rest.len = name + path->len - p;

    ngx_gate_store_normalize(&place->rest);

    return NGX_OK;
}


/* its directories do not exist, so they are not links */

static void
ngx_gate_store_normalize(ngx_str_t *rest)
{
    size_t   len;
    u_char  *p, *to, *next, *last;

    to = rest->data;
    last = rest->data + rest->len;

    for (p = rest->data; p < last; p = next + 1) {
        next = ngx_strlchr(p, last, '/');

        if (next == NULL) {
            next = last;
        }

        len = next - p;

        if (len == 0 || (len == 1 && p[0] == '.')) {
            continue;
        }

        if (len == 2 && p[0] == '.' && p[1] == '.') {
            while (to > rest->data && *--to != '/') { /* void */ }
            continue;
        }

        if (to > rest->data) {
            *to++ = '/';
        }

        to = ngx_movemem(to, p, len);
    }

    rest->len = to - rest->data;
}


u_char *
ngx_gate_store_read(ngx_str_t *path, ngx_gate_notice_t *notice,
    u_char *error, u_char *last)
{
    u_char    *p, buf[NGX_GATE_STORE_SIZE + 1];
    ssize_t    n;
    ngx_fd_t   fd;

    notice->verdict = NGX_GATE_PENDING;

    p = ngx_gate_store_examine(path, error, last);
    if (p) {
        return p;
    }

    fd = open((const char *) path->data,
              O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return ngx_errno == NGX_ENOENT
               ? NULL : ngx_gate_store_error("open()", path, error, last);
    }

    n = ngx_gate_store_read_file(fd, buf, sizeof(buf));

    if (n == -1) {
        p = ngx_gate_store_error("read()", path, error, last);

    } else if (n > (ssize_t) NGX_GATE_STORE_SIZE
               || ngx_gate_store_parse(buf, buf + n, notice) != NGX_OK)
    {
        notice->verdict = NGX_GATE_PENDING;
        p = ngx_slprintf(error, last, "\"%V\" has no valid notice", path);
    }

    (void) ngx_close_file(fd);

    return p;
}


static ssize_t
ngx_gate_store_read_file(ngx_fd_t fd, u_char *buf, size_t size)
{
    size_t   len;
    ssize_t  n;

    for (len = 0; len < size; len += n) {
        n = ngx_read_fd(fd, buf + len, size - len);

        if (n <= 0) {
            return n == 0 ? (ssize_t) len : -1;
        }
    }

    return len;
}


static ngx_int_t
ngx_gate_store_parse(u_char *p, u_char *last, ngx_gate_notice_t *notice)
{
    u_char  head[NGX_GATE_STORE_HEAD + 1], *text;

    if ((size_t) (last - p) <= NGX_GATE_STORE_HEAD || last[-1] != LF) {
        return NGX_ERROR;
    }

    text = p + NGX_GATE_STORE_HEAD;

    (void) ngx_sprintf(head, NGX_GATE_STORE_MAGIC "%08xD\n",
                       ngx_crc32_long(text, last - text));

    if (ngx_memcmp(p, head, NGX_GATE_STORE_HEAD) != 0
        || ngx_gate_store_parse_verdict(&text, last, notice) != NGX_OK
        || ngx_gate_store_parse_number(&text, last, &notice->observed)
           != NGX_OK
        || ngx_gate_store_parse_number(&text, last, &notice->expected)
           != NGX_OK
        || ngx_gate_store_parse_number(&text, last, &notice->at) != NGX_OK)
    {
        return NGX_ERROR;
    }

    notice->message_len = ngx_gate_fold_message(notice->message, text,
                                                last - 1 - text);

    return NGX_OK;
}


static ngx_int_t
ngx_gate_store_parse_verdict(u_char **p, u_char *last,
    ngx_gate_notice_t *notice)
{
    size_t       len;
    u_char      *space;
    ngx_uint_t   i;

    space = ngx_strlchr(*p, last, ' ');
    if (space == NULL) {
        return NGX_ERROR;
    }

    len = space - *p;

    for (i = NGX_GATE_FAILED; i < NGX_GATE_VERDICTS; i++) {
        if (ngx_gate_verdict_names[i].len == len
            && ngx_memcmp(ngx_gate_verdict_names[i].data, *p, len) == 0)
        {
            notice->verdict = i;
            *p = space + 1;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_gate_store_parse_number(u_char **p, u_char *last, int64_t *n)
{
    u_char  *space;

    space = ngx_strlchr(*p, last, ' ');
    if (space == NULL) {
        return NGX_ERROR;
    }

    *n = -1;

    if (space - *p != 1 || **p != '-') {
        *n = ngx_atoof(*p, space - *p);

        if (*n == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    *p = space + 1;

    return NGX_OK;
}


u_char *
ngx_gate_store_write(ngx_str_t *path, ngx_gate_notice_t *notice,
    u_char *error, u_char *last)
{
    u_char    *p, name[NGX_MAX_PATH];
    ngx_fd_t   fd;

    p = last;
    fd = ngx_gate_store_create(path, name, error, &p);

    if (fd == NGX_INVALID_FILE) {
        return p;
    }

    p = ngx_gate_store_write_file(fd, path, notice, error, last);

    if (ngx_close_file(fd) == NGX_FILE_ERROR && p == NULL) {
        p = ngx_gate_store_error("close()", path, error, last);
    }

    if (p == NULL && ngx_rename_file(name, path->data) == NGX_FILE_ERROR) {
        p = ngx_gate_store_error("rename()", path, error, last);
    }

    if (p) {
        (void) ngx_delete_file(name);
    }

    return p;
}


static u_char *
ngx_gate_store_write_file(ngx_fd_t fd, ngx_str_t *path,
    ngx_gate_notice_t *notice, u_char *error, u_char *last)
{
    u_char   *p, *text, buf[NGX_GATE_STORE_SIZE];
    int64_t  *n[3];
    ssize_t   written;
    size_t    i;

    n[0] = &notice->observed;
    n[1] = &notice->expected;
    n[2] = &notice->at;

    text = buf + NGX_GATE_STORE_HEAD;
    p = ngx_sprintf(text, "%V ", &ngx_gate_verdict_names[notice->verdict]);

    for (i = 0; i < 3; i++) {
        p = (*n[i] < 0) ? ngx_sprintf(p, "- ") : ngx_sprintf(p, "%L ", *n[i]);
    }

    p = ngx_cpymem(p, notice->message, notice->message_len);
    *p++ = LF;

    (void) ngx_sprintf(buf, NGX_GATE_STORE_MAGIC "%08xD",
                       ngx_crc32_long(text, p - text));
    text[-1] = LF;

    written = ngx_write_fd(fd, buf, p - buf);

    if (written == -1) {
        return ngx_gate_store_error("write()", path, error, last);
    }

    if (written != p - buf) {
        return ngx_slprintf(error, last, "write() \"%V\" wrote %z of %z bytes",
                            path, written, (ssize_t) (p - buf));
    }

    return NULL;
}


u_char *
ngx_gate_store_test(ngx_str_t *path, u_char *error, u_char *last)
{
    u_char    *p, name[NGX_MAX_PATH];
    ngx_fd_t   fd;

    p = last;
    fd = ngx_gate_store_create(path, name, error, &p);

    if (fd == NGX_INVALID_FILE) {
        return p;
    }

    (void) ngx_close_file(fd);
    (void) ngx_delete_file(name);

    return NULL;
}


/*
 * Creates a new file beside the one that it will replace.  Only one process
 * writes; remains of a killed one are removed.
 */

static ngx_fd_t
ngx_gate_store_create(ngx_str_t *path, u_char *name, u_char *error,
    u_char **last)
{
    u_char    *p;
    ngx_fd_t   fd;

    p = ngx_gate_store_examine(path, error, *last);
    if (p) {
        *last = p;
        return NGX_INVALID_FILE;
    }

    if (path->len + sizeof(NGX_GATE_STORE_NEW) > NGX_MAX_PATH) {
        *last = ngx_slprintf(error, *last, "\"%V\" is too long", path);
        return NGX_INVALID_FILE;
    }

    *ngx_sprintf(name, "%V" NGX_GATE_STORE_NEW, path) = '\0';

    (void) ngx_delete_file(name);

    fd = open((const char *) name,
              O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);

    if (fd == NGX_INVALID_FILE) {
        *last = ngx_gate_store_error("open()", path, error, *last);
    }

    return fd;
}


/* a link or a file of another user is neither read nor replaced */

static u_char *
ngx_gate_store_examine(ngx_str_t *path, u_char *error, u_char *last)
{
    ngx_file_info_t  fi;

    if (ngx_link_info(path->data, &fi) == NGX_FILE_ERROR) {
        return ngx_errno == NGX_ENOENT
               ? NULL : ngx_gate_store_error("lstat()", path, error, last);
    }

    if (!ngx_is_file(&fi)) {
        return ngx_slprintf(error, last, "\"%V\" is not a regular file", path);
    }

    if (fi.st_uid != geteuid()) {
        return ngx_slprintf(error, last, "\"%V\" belongs to another user",
                            path);
    }

    return NULL;
}


static u_char *
ngx_gate_store_error(const char *call, ngx_str_t *path, u_char *error,
    u_char *last)
{
    u_char     *p;
    ngx_err_t   err;

    err = ngx_errno;

    p = ngx_slprintf(error, last, "%s \"%V\" failed (%d: ", call, path, err);
    p = ngx_strerror(err, p, last - p);

    return ngx_slprintf(p, last, ")");
}
