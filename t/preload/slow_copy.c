
/*
 * A library for LD_PRELOAD: copying as many bytes as the overrides of a gate
 * have takes some time, so that two processes change them at the same time.
 */


#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>


/* volatile: the compiler may replace memmove() by a call of this memcpy() */

static void *(*volatile  move)(void *dst, const void *src, size_t n) = memmove;


void *
memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    if (n > 2048 && n < 4096) {
        (void) usleep(200);
    }

    return move(dst, src, n);
}
