
/*
 * A library that nginx is started with: it puts functions of its own in the
 * place of nginx's pool allocators, and lets one call in so many fail, if it
 * is the module's.
 *
 * FAIL_AT=N      the Nth fails, and nothing else (0: none)
 * FAIL_EVERY=N   each Nth fails, as long as FAIL_FILE exists; those by which
 *                nginx itself gets memory for its pools, too
 * FAIL_COUNT     a file, that tells at the end how many there were
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


static long         at, every, calls;
static const char  *file, *count;

static void *(*aligned)(void *pool, size_t size, size_t alignment);


static int
fails(void *caller)
{
    Dl_info  info;

    if (!dladdr(caller, &info) || !strstr(info.dli_fname, "init_gate")) {
        return 0;
    }

    if (every) {
        return access(file, F_OK) == 0 && ++calls % every == 0;
    }

    return ++calls == at;
}


static void *
take(size_t alignment, size_t size)
{
    void  *p;

    if (every && access(file, F_OK) == 0 && ++calls % every == 0) {
        return NULL;
    }

    return posix_memalign(&p, alignment, size) == 0 ? p : NULL;
}


static void *
memalign_of_nginx(size_t alignment, size_t size, void *log)
{
    (void) log;

    return take(alignment, size);
}


static void *
alloc_of_nginx(size_t size, void *log)
{
    (void) log;

    return take(16, size);
}


static void *
allocate(void *pool, size_t size)
{
    return aligned(pool, size ? size : 1, 16);
}


static void *
palloc(void *pool, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : allocate(pool, size);
}


static void *
pcalloc(void *pool, size_t size)
{
    void  *p;

    if (fails(__builtin_return_address(0))) {
        return NULL;
    }

    p = allocate(pool, size);

    return p ? memset(p, 0, size) : NULL;
}


static void
replace(const char *name, void *function)
{
    char           jump[12] = "\x48\xb8________\xff\xe0";
    char          *code;
    unsigned long  page;

    code = dlsym(RTLD_DEFAULT, name);
    page = (unsigned long) code & ~4095ul;

    if (code == NULL || mprotect((void *) page, 8192,
                                 PROT_READ|PROT_WRITE|PROT_EXEC))
    {
        abort();
    }

    memcpy(jump + 2, &function, 8);
    memcpy(code, jump, 12);
    mprotect((void *) page, 8192, PROT_READ|PROT_EXEC);
}


__attribute__((constructor))
static void
begin(void)
{
    aligned = (void *(*)(void *, size_t, size_t))
                  dlsym(RTLD_DEFAULT, "ngx_pmemalign");

    if (aligned == NULL) {
        return;
    }

    at = getenv("FAIL_AT") ? atol(getenv("FAIL_AT")) : 0;
    every = getenv("FAIL_EVERY") ? atol(getenv("FAIL_EVERY")) : 0;
    file = getenv("FAIL_FILE") ? strdup(getenv("FAIL_FILE")) : "";
    count = getenv("FAIL_COUNT") ? strdup(getenv("FAIL_COUNT")) : NULL;

    replace("ngx_palloc", (void *) palloc);
    replace("ngx_pnalloc", (void *) palloc);
    replace("ngx_pcalloc", (void *) pcalloc);
    replace("ngx_memalign", (void *) memalign_of_nginx);
    replace("ngx_alloc", (void *) alloc_of_nginx);
}


__attribute__((destructor))
static void
end(void)
{
    FILE  *f;

    if (count && (f = fopen(count, "w"))) {
        fprintf(f, "%ld\n", calls);
        fclose(f);
    }
}
