/*
 * crowd PORT N URI: N clients at once, each with one request on a connection
 * of its own.  Says "sent" when all are on their way, and at the end how many
 * answers came, how many of them were a 200, and when the first and the last
 * did (in seconds of the monotonic clock).
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


/* connections that are being made at a time: what a backlog takes */
#define CONNECTING  256


static void fail(const char *what);
static double now(void);
static void raise_limit(int n);
static void client(int ep, const struct sockaddr_in *address);
static void ask(int ep, int fd, const char *request, size_t length);
static int answer(int fd);


static void
fail(const char *what)
{
    perror(what);
    exit(1);
}


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static void
raise_limit(int n)
{
    struct rlimit  limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1) {
        fail("getrlimit");
    }

    if (limit.rlim_cur >= (rlim_t) n) {
        return;
    }

    limit.rlim_cur = n;

    if (limit.rlim_max < limit.rlim_cur) {
        limit.rlim_max = limit.rlim_cur;
    }

    if (setrlimit(RLIMIT_NOFILE, &limit) == -1) {
        fail("setrlimit");
    }
}


static void
client(int ep, const struct sockaddr_in *address)
{
    int                 fd;
    struct epoll_event  event;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd == -1) {
        fail("socket");
    }

    if (connect(fd, (const struct sockaddr *) address, sizeof(*address)) == -1
        && errno != EINPROGRESS)
    {
        fail("connect");
    }

    event.events = EPOLLOUT;
    event.data.fd = fd;

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) == -1) {
        fail("epoll_ctl");
    }
}


static void
ask(int ep, int fd, const char *request, size_t length)
{
    struct epoll_event  event;

    if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t) length) {
        fail("send");
    }

    event.events = EPOLLIN;
    event.data.fd = fd;

    if (epoll_ctl(ep, EPOLL_CTL_MOD, fd, &event) == -1) {
        fail("epoll_ctl");
    }
}


/* is it a 200? */

static int
answer(int fd)
{
    char     buf[16384];
    ssize_t  n;

    n = recv(fd, buf, sizeof(buf), 0);
    close(fd);

    return n >= 12 && memcmp(buf + 8, " 200", 4) == 0;
}


int
main(int argc, char **argv)
{
    int                 i, n, ep, ok, ready, asked, begun, answered;
    char                request[1024];
    double              first, last;
    size_t              length;
    struct sockaddr_in  address;
    struct epoll_event  events[512];

    if (argc != 4) {
        fprintf(stderr, "usage: crowd PORT N URI\n");
        return 2;
    }

    n = atoi(argv[2]);
    raise_limit(n + 64);

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(argv[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    length = snprintf(request, sizeof(request),
                      "GET %s HTTP/1.1\r\nHost: localhost\r\n"
                      "Connection: close\r\n\r\n", argv[3]);

    ep = epoll_create1(0);
    if (ep == -1) {
        fail("epoll_create1");
    }

    first = last = 0;
    ok = asked = begun = answered = 0;

    while (answered < n) {

        while (begun < n && begun - asked < CONNECTING) {
            client(ep, &address);
            begun++;
        }

        ready = epoll_wait(ep, events, 512, -1);
        if (ready == -1 && errno != EINTR) {
            fail("epoll_wait");
        }

        for (i = 0; i < ready; i++) {

            if (events[i].events & EPOLLIN) {
                last = now();
                first = answered++ ? first : last;
                ok += answer(events[i].data.fd);

            } else if (events[i].events & (EPOLLERR|EPOLLHUP)) {
                fprintf(stderr, "a connection failed\n");
                return 1;

            } else {
                ask(ep, events[i].data.fd, request, length);

                if (++asked == n) {
                    printf("sent\n");
                    fflush(stdout);
                }
            }
        }
    }

    printf("%d %d %.6f %.6f\n", answered, ok, first, last);

    return 0;
}
