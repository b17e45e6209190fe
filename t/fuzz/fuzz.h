
/*
 * Initialization as in main() of nginx before a configuration is read, for a
 * fuzz target that is linked with nginx.  Nothing is logged.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include "../lib/start.h"


#define fuzz_assert(what)  if (!(what)) { ngx_abort(); }


int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u_char *data, size_t size);

static ngx_log_t    fuzz_log;
static ngx_cycle_t  fuzz_cycle;


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    start(&fuzz_log, NGX_INVALID_FILE, NGX_LOG_STDERR);

    ngx_str_set(&fuzz_cycle.prefix, "/prefix/");
    ngx_str_set(&fuzz_cycle.conf_prefix, "/prefix/");
    fuzz_cycle.log = &fuzz_log;
    ngx_cycle = &fuzz_cycle;

    return 0;
}


/* a configuration; its pool is destroyed after each input */

static ngx_inline ngx_int_t
fuzz_conf(ngx_conf_t *cf)
{
    ngx_memzero(cf, sizeof(ngx_conf_t));

    cf->pool = ngx_create_pool(1024, &fuzz_log);
    if (cf->pool == NULL) {
        return NGX_ERROR;
    }

    fuzz_cycle.pool = cf->pool;
    cf->temp_pool = cf->pool;
    cf->cycle = &fuzz_cycle;
    cf->log = &fuzz_log;

    return NGX_OK;
}


#endif /* _FUZZ_H_INCLUDED_ */
