
/*
 * A library for LD_PRELOAD: no more inotify instances or watches, as when the
 * limits of the user are used up, while the file INOTIFY_INSTANCES or
 * INOTIFY_WATCHES exists.  The directory INOTIFY_REMOVED is removed as soon as
 * it is to be watched, if it is empty.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static const char *copy(const char *name);
static int used_up(const char *file);


static const char  *instances;
static const char  *watches;
static const char  *removed;


/* nginx writes its title over the environment */

__attribute__((constructor))
static void
begin(void)
{
    instances = copy("INOTIFY_INSTANCES");
    watches = copy("INOTIFY_WATCHES");
    removed = copy("INOTIFY_REMOVED");
}


int
inotify_init1(int flags)
{
    int  (*real)(int);

    if (used_up(instances)) {
        errno = EMFILE;
        return -1;
    }

    real = (int (*)(int)) dlsym(RTLD_NEXT, "inotify_init1");

    return real(flags);
}


int
inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    int  (*real)(int, const char *, uint32_t);

    if (used_up(watches)) {
        errno = ENOSPC;
        return -1;
    }

    if (removed && strcmp(path, removed) == 0) {
        (void) rmdir(path);
    }

    real = (int (*)(int, const char *, uint32_t))
               dlsym(RTLD_NEXT, "inotify_add_watch");

    return real(fd, path, mask);
}


static const char *
copy(const char *name)
{
    const char  *value;

    value = getenv(name);

    return value ? strdup(value) : NULL;
}


static int
used_up(const char *file)
{
    return file && access(file, F_OK) == 0;
}
