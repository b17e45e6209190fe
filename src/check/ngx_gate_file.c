
/*
 * What the "file" check asks of the file system, and how it puts its answer.
 */


#include <ngx_gate_file.h>


static void ngx_gate_file_add_closed(ngx_gate_file_run_t *run,
    ngx_str_t *path);


/* NGX_DECLINED: there is nothing to compare with.  NGX_ERROR: see errno */

ngx_int_t
ngx_gate_file_since(ngx_gate_file_run_t *run)
{
    struct timespec   up;
    ngx_file_info_t   fi;

    if (run->since_rc != NGX_AGAIN) {
        return run->since_rc;
    }

    if (run->conf->boot) {

        /* the host's, also where a container has a start of its own */

        (void) clock_gettime(CLOCK_REALTIME, &run->since);
        (void) clock_gettime(CLOCK_BOOTTIME, &up);

        run->since.tv_sec -= up.tv_sec;
        run->since.tv_nsec -= up.tv_nsec;

        if (run->since.tv_nsec < 0) {
            run->since.tv_nsec += 1000000000;
            run->since.tv_sec--;
        }

        run->since_rc = NGX_OK;

    } else if (run->conf->newer_than.len == 0) {
        run->since_rc = NGX_DECLINED;

    } else if (ngx_file_info(run->conf->newer_than.data, &fi)
               != NGX_FILE_ERROR)
    {
        run->since = fi.st_mtim;
        run->since_rc = NGX_OK;

    } else {
        run->since_rc = ngx_gate_file_is_missing(ngx_errno) ? NGX_DECLINED
                                                            : NGX_ERROR;
    }

    return run->since_rc;
}


ngx_int_t
ngx_gate_file_newer(struct timespec *a, struct timespec *b)
{
    if (a->tv_sec != b->tv_sec) {
        return a->tv_sec > b->tv_sec;
    }

    return a->tv_nsec > b->tv_nsec;
}


/*
 * The beginning of a file of which "fi" tells so far.  What is not a regular
 * file is not opened (NGX_DECLINED), since that alone can wake up a writer or
 * start a device; should it become one meanwhile, opening it does not wait.
 * "head" comes with the room there is; "fi" leaves with what was read from.
 */

ngx_int_t
ngx_gate_file_read(ngx_str_t *path, ngx_file_info_t *fi, ngx_str_t *head,
    char **call)
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

        /* files of the kernel's own making do not tell their size */

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
ngx_gate_file_kind(ngx_file_info_t *fi)
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
ngx_gate_file_is_missing(ngx_err_t err)
{
    return err == NGX_ENOENT || err == NGX_ENOTDIR;
}


void ngx_cdecl
ngx_gate_file_say(ngx_gate_file_run_t *run, ngx_gate_verdict_e verdict,
    ngx_gate_reason_e reason, const char *fmt, ...)
{
    va_list  args;

    run->verdict = verdict;
    run->reason = reason;

    va_start(args, fmt);
    run->last = ngx_vslprintf(run->text, run->text + sizeof(run->text), fmt,
                              args);
    va_end(args);
}


void ngx_cdecl
ngx_gate_file_add(ngx_gate_file_run_t *run, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    run->last = ngx_vslprintf(run->last, run->text + sizeof(run->text), fmt,
                              args);
    va_end(args);
}


void
ngx_gate_file_add_errno(ngx_gate_file_run_t *run, ngx_err_t err)
{
    run->last = ngx_log_errno(run->last, run->text + sizeof(run->text), err);
}


void
ngx_gate_file_add_time(ngx_gate_file_run_t *run, time_t t)
{
    ngx_tm_t  tm;

    ngx_gmtime(t, &tm);

    ngx_gate_file_add(run, "%4d-%02d-%02dT%02d:%02d:%02dZ",
                      tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                      tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
}


void
ngx_gate_file_error(ngx_gate_file_run_t *run, const char *call,
    ngx_str_t *path, ngx_err_t err)
{
    ngx_gate_reason_e  reason;

    switch (err) {

    case NGX_EACCES:
    case NGX_EPERM:
        reason = NGX_GATE_DENIED;
        break;

    case NGX_ENOMEM:
        reason = NGX_GATE_NO_MEMORY;
        break;

    case NGX_EMFILE:
    case NGX_ENFILE:
        reason = NGX_GATE_NO_CONNECTIONS;
        break;

    default:
        reason = NGX_GATE_IO;
    }

    ngx_gate_file_say(run, NGX_GATE_ERROR, reason, "%s() \"%V\" failed", call,
                      path);

    ngx_gate_file_add_errno(run, err);

    if (reason == NGX_GATE_DENIED) {
        ngx_gate_file_add_closed(run, path);
    }
}


/* the directory on the way that the worker may not pass, if there is one */

static void
ngx_gate_file_add_closed(ngx_gate_file_run_t *run, ngx_str_t *path)
{
    u_char      dir[NGX_MAX_PATH];
    ngx_uint_t  i;

    ngx_gate_file_add(run, ", the worker runs as uid %d", (int) geteuid());

    for (i = 1; i < path->len && i < NGX_MAX_PATH; i++) {

        if (path->data[i] != '/') {
            continue;
        }

        ngx_memcpy(dir, path->data, i);
        dir[i] = '\0';

        if (access((char *) dir, X_OK) == -1) {
            ngx_gate_file_add(run, " and may not enter \"%s\"", dir);
            return;
        }
    }
}
