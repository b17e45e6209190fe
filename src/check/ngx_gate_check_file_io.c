
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The access of the "file" check to the file system.
 */


#include <ngx_gate_check_file.h>


/* NGX_DECLINED: no file to compare with. NGX_ERROR: errno is set */

ngx_int_t
ngx_gate_check_file_io_since(ngx_gate_check_file_ctx_t *ctx)
{
    struct timespec   up;
    ngx_file_info_t   fi;

    if (ctx->since_rc != NGX_AGAIN) {
        return ctx->since_rc;
    }

    if (ctx->conf->boot) {

        /* the boot time of the host, even in a container with its own */

        (void) clock_gettime(CLOCK_REALTIME, &ctx->since);
        (void) clock_gettime(CLOCK_BOOTTIME, &up);

        ctx->since.tv_sec -= up.tv_sec;
        ctx->since.tv_nsec -= up.tv_nsec;

        if (ctx->since.tv_nsec < 0) {
            ctx->since.tv_nsec += 1000000000;
            ctx->since.tv_sec--;
        }

        ctx->since_rc = NGX_OK;

    } else if (ctx->conf->newer_than.len == 0) {
        ctx->since_rc = NGX_DECLINED;

    } else if (ngx_file_info(ctx->conf->newer_than.data, &fi)
               != NGX_FILE_ERROR)
    {
        ctx->since = fi.st_mtim;
        ctx->since_rc = NGX_OK;

    } else {
        ctx->since_rc = ngx_gate_check_file_io_is_missing(ngx_errno)
                        ? NGX_DECLINED
                        : NGX_ERROR;
    }

    return ctx->since_rc;
}


ngx_int_t
ngx_gate_check_file_io_is_newer(struct timespec *a, struct timespec *b)
{
    if (a->tv_sec != b->tv_sec) {
        return a->tv_sec > b->tv_sec;
    }

    return a->tv_nsec > b->tv_nsec;
}


/*
 * Reads the beginning of a file with the status "fi".  Only regular files are
 * opened (otherwise NGX_DECLINED), since opening a FIFO or a device has side
 * effects; if the file is replaced by one of these meanwhile, O_NONBLOCK
 * prevents blocking.  On input, "head" is the size of the buffer; on output,
 * "fi" is the status of the file that was read.
 */

ngx_int_t
ngx_gate_check_file_io_read(ngx_str_t *path, ngx_file_info_t *fi,
    ngx_str_t *head, char **call)
{
    size_t     room;
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_err_t  err;
    ngx_int_t  rc;

    room = head->len;
    head->len = 0;

    if (!ngx_is_file(fi)) {
        return NGX_DECLINED;
    }

    *call = "open";
    fd = open((char *) path->data, O_RDONLY|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    *call = "fstat";
    rc = ngx_fd_info(fd, fi);

    if (rc == NGX_OK && !ngx_is_file(fi)) {
        rc = NGX_DECLINED;
    }

    while (rc == NGX_OK && head->len < room) {
        *call = "read";
        n = read(fd, head->data + head->len, room - head->len);

        if (n == -1) {
            rc = NGX_ERROR;
        }

        if (n <= 0) {
            break;
        }

        head->len += n;

        /* files in /proc report a size of 0 */

        if ((off_t) head->len == ngx_file_size(fi)) {
            break;
        }
    }

    err = ngx_errno;
    (void) close(fd);
    ngx_set_errno(err);

    return rc;
}


ngx_str_t *
ngx_gate_check_file_io_type(ngx_file_info_t *fi)
{
    static ngx_str_t  file = ngx_string("file");
    static ngx_str_t  directory = ngx_string("directory");
    static ngx_str_t  fifo = ngx_string("FIFO");
    static ngx_str_t  socket = ngx_string("socket");
    static ngx_str_t  device = ngx_string("device");

    switch (fi->st_mode & S_IFMT) {

    case S_IFREG:
        return &file;

    case S_IFDIR:
        return &directory;

    case S_IFIFO:
        return &fifo;

    case S_IFSOCK:
        return &socket;

    default:
        return &device;
    }
}


ngx_int_t
ngx_gate_check_file_io_is_missing(ngx_err_t err)
{
    return err == NGX_ENOENT || err == NGX_ENOTDIR;
}
