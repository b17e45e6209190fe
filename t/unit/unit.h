
/*
 * C unit tests: each is a library that the dynamic linker loads into nginx
 * ahead of its main(), so that all functions of nginx and of the module are
 * there and none of nginx runs.  Writes TAP, which t/unit.t takes over.
 *
 *     #include <unit.h>
 *
 *     static void
 *     unit(void)
 *     {
 *         ok(ngx_parse_time(...) == 5, "five seconds");
 *     }
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include "../lib/start.h"

#include <stdio.h>


#define ok(what, ...)  unit_ok((what) ? 1 : 0, __FILE__, __LINE__, __VA_ARGS__)


static void unit(void);

static ngx_uint_t   unit_count;
static ngx_log_t    unit_log;
static ngx_pool_t  *unit_pool;


static ngx_uint_t __attribute__((format(printf, 4, 5)))
unit_ok(ngx_uint_t passed, const char *file, int line, const char *fmt, ...)
{
    va_list  args;

    printf("%s %u - ", passed ? "ok" : "not ok", (unsigned) ++unit_count);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");

    if (!passed) {
        printf("# at %s line %d\n", file, line);
    }

    return passed;
}


/* a test of chance takes longer where all is slower */

static ngx_inline ngx_msec_t
unit_patience(ngx_msec_t ms)
{
    char  *patience;

    patience = getenv("TEST_NGINX_PATIENCE");

    return patience ? ms * ngx_max(atoi(patience), 1) : ms;
}


static void __attribute__((constructor))
unit_main(void)
{
    start(&unit_log, ngx_stderr, NGX_LOG_NOTICE);

    unit_pool = ngx_create_pool(16384, &unit_log);
    if (unit_pool == NULL) {
        exit(2);
    }

    unit();

    ngx_destroy_pool(unit_pool);

    printf("1..%u\n", (unsigned) unit_count);
    fflush(stdout);

    /* instead of main() of nginx */

    exit(0);
}


#endif /* _UNIT_H_INCLUDED_ */
