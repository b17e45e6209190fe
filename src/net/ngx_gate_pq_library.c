
/*
 * libpq, loaded once a check needs it.
 *
 * By the master, before it forks, so that its workers share what is read.  It
 * stays until the process ends, whatever becomes of the module, which nginx
 * unloads with the last configuration that names it: the libraries that libpq
 * brings leave handlers with the C library for the end of the process.
 */


#include <ngx_gate_pq_library.h>


/* of the interface that libpq-fe.h declares */

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
