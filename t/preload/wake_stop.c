
/*
 * A library for LD_PRELOAD: a process that removes the file STOP_FILE by
 * writing to an eventfd stops after that.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static const char  *name;


/* nginx removes the variable */

__attribute__((constructor))
static void
begin(void)
{
    name = getenv("STOP_FILE");

    if (name == NULL || (name = strdup(name)) == NULL) {
        abort();
    }
}


ssize_t
write(int fd, const void *buf, size_t size)
{
    ssize_t    n;
    ssize_t  (*real)(int fd, const void *buf, size_t size);

    *(void **) &real = dlsym(RTLD_NEXT, "write");

    n = real(fd, buf, size);

    if (size == sizeof(uint64_t)
        && *(const uint64_t *) buf == 1
        && unlink(name) == 0)
    {
        (void) raise(SIGSTOP);
    }

    return n;
}
