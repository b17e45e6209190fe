
/*
 * A library for LD_PRELOAD: the file of "store=" is written in two parts, with
 * 10 ms between them.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>


#define MAGIC  "init-gate-notice-"


ssize_t
write(int fd, const void *buf, size_t size)
{
    ssize_t    n, rest;
    ssize_t  (*real)(int fd, const void *buf, size_t size);

    *(void **) &real = dlsym(RTLD_NEXT, "write");

    if (size < 2 * sizeof(MAGIC) || memcmp(buf, MAGIC, sizeof(MAGIC) - 1)) {
        return real(fd, buf, size);
    }

    n = real(fd, buf, size / 2);

    if (n != (ssize_t) (size / 2)) {
        return n;
    }

    (void) usleep(10000);

    rest = real(fd, (const char *) buf + n, size - n);

    return rest == -1 ? -1 : n + rest;
}
