
/*
 * A library for LD_PRELOAD: it replaces the functions of nginx that allocate,
 * and malloc(), and makes some calls of the module, and of libraries that only
 * the module uses, fail.
 *
 * FAIL_AT=N      only the Nth call fails (0: none)
 * FAIL_EVERY=N   every Nth call fails, as long as FAIL_FILE exists, those by
 *                which nginx allocates memory for its pools included
 * FAIL_COUNT     a file for the number of calls, written at the end
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


typedef void *(*function_t)(void *a, void *b, void *c, void *d);

typedef struct {
    const char  *name;
    function_t   wrapper;
    char        *code;
    char         saved[12];
    char         jump[12];
} hook_t;


void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);


static long         at, every, calls;
static const char  *file, *count;


static int
due(void)
{
    if (every) {
        return access(file, F_OK) == 0 && ++calls % every == 0;
    }

    return ++calls == at;
}


static int
fails(void *caller)
{
    Dl_info  info;

    if ((!every && !count) || !dladdr(caller, &info)) {
        return 0;
    }

    return (strstr(info.dli_fname, "init_gate_module")
            || strstr(info.dli_fname, "/libcares.")
            || strstr(info.dli_fname, "/libpq.")
            || strstr(info.dli_fname, "/libhiredis.")
            || strstr(info.dli_fname, "/libnghttp2.")
            || strstr(info.dli_fname, "/libjansson."))
           && due();
}


#define HOOKS(hook)                                                           \
    hook(ngx_palloc)                                                          \
    hook(ngx_pnalloc)                                                         \
    hook(ngx_pcalloc)                                                         \
    hook(ngx_pstrdup)                                                         \
    hook(ngx_array_create)                                                    \
    hook(ngx_array_push)                                                      \
    hook(ngx_list_push)                                                       \
    hook(ngx_create_pool)                                                     \
    hook(ngx_create_temp_buf)                                                 \
    hook(ngx_pool_cleanup_add)                                                \
    hook(ngx_http_cleanup_add)                                                \
    hook(ngx_http_add_variable)                                               \
    hook(ngx_shared_memory_add)                                               \
    hook(ngx_slab_calloc)                                                     \
    hook(ngx_get_connection)                                                  \
    hook(ngx_calloc)

#define number(name)     n_##name,
#define declare(name)                                                         \
    static void *wrap_##name(void *a, void *b, void *c, void *d);
#define entry(name)      { #name, wrap_##name, NULL, "", "" },
#define define(name)                                                          \
                                                                              \
static void *                                                                 \
wrap_##name(void *a, void *b, void *c, void *d)                               \
{                                                                             \
    if (fails(__builtin_return_address(0))) {                                 \
        return NULL;                                                          \
    }                                                                         \
                                                                              \
    return call(&hooks[n_##name], a, b, c, d);                                \
}

enum { HOOKS(number) HOOKS_N };

HOOKS(declare)

static hook_t  hooks[] = { HOOKS(entry) };


/* nginx has one thread: the original code is restored while it runs */

static void *
call(hook_t *hook, void *a, void *b, void *c, void *d)
{
    void  *p;

    memcpy(hook->code, hook->saved, sizeof(hook->saved));
    p = ((function_t) hook->code)(a, b, c, d);
    memcpy(hook->code, hook->jump, sizeof(hook->jump));

    return p;
}


HOOKS(define)


/* these are allocated from pools, too */

static void *
take_aligned(void *alignment, void *size, void *log, void *none)
{
    void  *p;

    (void) log;
    (void) none;

    if (every && due()) {
        return NULL;
    }

    return posix_memalign(&p, (size_t) alignment, (size_t) size) == 0 ? p
                                                                      : NULL;
}


static void *
take(void *size, void *log, void *none, void *nothing)
{
    (void) log;
    (void) none;
    (void) nothing;

    if (every ? due() : fails(__builtin_return_address(0))) {
        return NULL;
    }

    return __libc_malloc((size_t) size);
}


static hook_t  memory[] = {
    { "ngx_memalign", take_aligned, NULL, "", "" },
    { "ngx_alloc", take, NULL, "", "" }
};


void *
malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}


void *
realloc(void *p, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL
                                              : __libc_realloc(p, size);
}


static void
replace(hook_t *hook)
{
    unsigned long  page;

    memcpy(hook->jump, "\x48\xb8________\xff\xe0", sizeof(hook->jump));
    memcpy(hook->jump + 2, &hook->wrapper, 8);

    hook->code = dlsym(RTLD_DEFAULT, hook->name);
    page = (unsigned long) hook->code & ~4095ul;

    if (hook->code == NULL
        || mprotect((void *) page, 8192, PROT_READ|PROT_WRITE|PROT_EXEC))
    {
        abort();
    }

    memcpy(hook->saved, hook->code, sizeof(hook->saved));
    memcpy(hook->code, hook->jump, sizeof(hook->jump));
}


__attribute__((constructor))
static void
begin(void)
{
    int  i;

    if (dlsym(RTLD_DEFAULT, "ngx_palloc") == NULL) {
        return;
    }

    for (i = 0; i < HOOKS_N; i++) {
        replace(&hooks[i]);
    }

    replace(&memory[0]);
    replace(&memory[1]);

    at = getenv("FAIL_AT") ? atol(getenv("FAIL_AT")) : 0;
    every = getenv("FAIL_EVERY") ? atol(getenv("FAIL_EVERY")) : 0;
    file = getenv("FAIL_FILE") ? strdup(getenv("FAIL_FILE")) : "";
    count = getenv("FAIL_COUNT") ? strdup(getenv("FAIL_COUNT")) : NULL;
}


__attribute__((destructor))
static void
end(void)
{
    FILE        *f;
    const char  *name;

    name = count;
    count = NULL;

    if (name && (f = fopen(name, "w"))) {
        fprintf(f, "%ld\n", calls);
        fclose(f);
    }
}
