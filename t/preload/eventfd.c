
/*
 * A library for LD_PRELOAD: eventfd() fails for descriptors that are closed on
 * exec, which nginx itself does not create.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/eventfd.h>


int
eventfd(unsigned int count, int flags)
{
    int  (*real)(unsigned int count, int flags);

    if (flags & EFD_CLOEXEC) {
        errno = ENOSYS;
        return -1;
    }

    *(void **) &real = dlsym(RTLD_NEXT, "eventfd");

    return real(count, flags);
}
