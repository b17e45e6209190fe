
/*
 * A library for LD_PRELOAD: the monotonic clock is as many seconds ahead as
 * the file LATER has bytes.
 */


#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int          rc;
    const char  *name;
    struct stat  sb;

    rc = (int) syscall(SYS_clock_gettime, id, ts);
    name = getenv("LATER");

    if (rc == 0 && id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE
        && name && stat(name, &sb) == 0)
    {
        ts->tv_sec += sb.st_size;
    }

    return rc;
}
