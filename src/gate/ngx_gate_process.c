
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Processes in shared memory; see ngx_gate_process.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_process.h>


#define NGX_GATE_PROCESS_STAT   512
#define NGX_GATE_PROCESS_FIELD  20    /* the index of the start time, counted
                                         from the state */


#if (NGX_PTR_SIZE == 8)
static ngx_int_t ngx_gate_process_stat(ngx_pid_t pid,
    ngx_atomic_uint_t *start);
#endif


ngx_atomic_uint_t
ngx_gate_process_self(void)
{
    static ngx_pid_t          pid;
    static ngx_atomic_uint_t  self;

#if (NGX_PTR_SIZE == 8)
    ngx_atomic_uint_t  start;
#endif

    if (pid == ngx_pid) {
        return self;
    }

    pid = ngx_pid;
    self = (ngx_atomic_uint_t) ngx_pid & NGX_GATE_PROCESS_PID;

#if (NGX_PTR_SIZE == 8)

    if (ngx_gate_process_stat(ngx_pid, &start) == NGX_OK) {
        self |= start;
    }

#endif

    return self;
}


ngx_uint_t
ngx_gate_process_is_alive(ngx_atomic_uint_t process)
{
    ngx_pid_t          pid;

#if (NGX_PTR_SIZE == 8)
    ngx_int_t          rc;
    ngx_atomic_uint_t  start;
#endif

    pid = (ngx_pid_t) (process & NGX_GATE_PROCESS_PID);

    if (pid == 0) {
        return 0;
    }

    if (pid == ngx_pid) {
        return (process & NGX_GATE_PROCESS_MASK) == ngx_gate_process_self();
    }

    if (kill(pid, 0) == -1 && ngx_errno == ESRCH) {
        return 0;
    }

#if (NGX_PTR_SIZE == 8)

    rc = ngx_gate_process_stat(pid, &start);

    if (rc == NGX_DECLINED) {
        return 0;
    }

    if (rc == NGX_OK && (process & NGX_GATE_PROCESS_START)) {
        return start == (process & NGX_GATE_PROCESS_START);
    }

#endif

    return 1;
}


#if (NGX_PTR_SIZE == 8)

/* NGX_DECLINED: it has ended; NGX_ERROR: unknown */

static ngx_int_t
ngx_gate_process_stat(ngx_pid_t pid, ngx_atomic_uint_t *start)
{
    u_char      *p, *last, stat[NGX_GATE_PROCESS_STAT + 1];
    u_char       path[sizeof("/proc/" "/stat") + NGX_INT64_LEN];
    ssize_t      n;
    ngx_fd_t     fd;
    ngx_uint_t   field;

    *ngx_sprintf(path, "/proc/%P/stat", pid) = '\0';

    fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, stat, NGX_GATE_PROCESS_STAT);

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return NGX_ERROR;
    }

    last = stat + n;
    *last = '\0';

    /* the name is in parentheses, and may contain anything */

    for (p = last; p > stat && *p != ')'; p--) { /* void */ }

    if (p == stat || last - p < 3) {
        return NGX_ERROR;
    }

    p += 2;

    if (*p == 'Z' || *p == 'X') {
        return NGX_DECLINED;
    }

    for (field = 1; field < NGX_GATE_PROCESS_FIELD; field++) {
        p = (u_char *) ngx_strchr(p, ' ');
        if (p == NULL) {
            return NGX_ERROR;
        }

        p++;
    }

    *start = ((ngx_atomic_uint_t) strtoull((char *) p, NULL, 10)
              << NGX_GATE_PROCESS_START_SHIFT)
             & NGX_GATE_PROCESS_START;

    return NGX_OK;
}

#endif
