
/*
 * Initialization as in main() and ngx_os_init() of nginx, for code that runs
 * instead of main(): the unit tests and the fuzz targets.
 */


#ifndef _START_H_INCLUDED_
#define _START_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


static void
start(ngx_log_t *log, ngx_fd_t fd, ngx_uint_t log_level)
{
    static ngx_open_file_t  file;

    ngx_debug_init();
    ngx_strerror_init();
    ngx_time_init();
    ngx_pid = ngx_getpid();
    ngx_pagesize = getpagesize();
    ngx_cacheline_size = NGX_CPU_CACHE_LINE;
    for (ngx_pagesize_shift = 0;
         (ngx_uint_t) 1 << ngx_pagesize_shift < ngx_pagesize;
         ngx_pagesize_shift++)
    {
        /* void */
    }

    file.fd = fd;
    log->file = &file;
    log->log_level = log_level;

    ngx_use_stderr = 0;
}


#endif /* _START_H_INCLUDED_ */
