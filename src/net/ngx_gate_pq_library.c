
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Loads libpq if a check needs it.
 *
 * The master loads it before it forks, so that workers share its pages.  It
 * remains loaded until the process ends, even if the module is unloaded with
 * the last configuration that uses it: the libraries used by libpq register
 * handlers with atexit().
 */


#include <ngx_gate_pq_library.h>


/* version of the interface in libpq-fe.h */

#define NGX_GATE_PQ_LIBRARY_SO  "libpq.so.5"


ngx_gate_pq_library_t  ngx_gate_pq_library;


#define NGX_GATE_PQ_LIBRARY_RESOLVE(function)                                 \
    libpq.function = dlsym(library, #function);                               \
                                                                              \
    if (libpq.function == NULL) {                                             \
        return ngx_dlerror();                                                 \
    }


char *
ngx_gate_pq_library_load(void)
{
    void              *library;
    static ngx_uint_t  loaded;

    if (loaded) {
        return NULL;
    }

    library = dlopen(NGX_GATE_PQ_LIBRARY_SO, RTLD_NOW|RTLD_LOCAL|RTLD_NODELETE);

    if (library == NULL) {
        return ngx_dlerror();
    }

    NGX_GATE_PQ_LIBRARY_FUNCTIONS(NGX_GATE_PQ_LIBRARY_RESOLVE)

    loaded = 1;

    return NULL;
}
