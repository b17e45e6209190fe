
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The probes of the servers of an upstream group, in the worker that probes:
 * each server has a run of its own, with the inner check; see
 * ngx_gate_prober.h and ngx_gate_servers.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_record.h>
#include <ngx_gate_prober.h>
#include <ngx_gate_endpoint.h>
#include <ngx_gate_wake.h>


#define NGX_GATE_SERVER_RUN_POLL    50      /* no addresses yet */
#define NGX_GATE_SERVER_RUN_MARGIN  1000    /* added to the timeout of a
                                               probe */


typedef struct {
    ngx_gate_run_t            run;
    ngx_gate_check_record_t   record;
    ngx_gate_server_runs_t   *runs;
    ngx_uint_t                place;
    ngx_atomic_uint_t         state;        /* as stored by this process */
    ngx_gate_endpoint_t       endpoint;
    u_char                    host[NGX_SOCKADDR_STRLEN];
    ngx_uint_t                used;
} ngx_gate_server_run_t;


struct ngx_gate_server_runs_s {
    ngx_gate_runner_t        *runner;
    ngx_gate_run_t           *check;        /* the run of the check itself */
    ngx_gate_servers_t       *servers;
    ngx_gate_server_run_t   **runs;         /* by index */
    ngx_msec_t                start_msec;
    ngx_uint_t                missed;       /* number of servers beyond the
                                               capacity */
    ngx_uint_t                active;
};


static ngx_msec_t ngx_gate_server_run_check_delay(ngx_gate_run_t *run);
static void ngx_gate_server_run_sync(ngx_gate_server_runs_t *runs);
static ngx_gate_server_run_t *ngx_gate_server_run_create(
    ngx_gate_server_runs_t *runs, ngx_uint_t i);
static void ngx_gate_server_run_begin(ngx_gate_server_run_t *server);
static void ngx_gate_server_run_set_endpoint(ngx_gate_server_run_t *server);
static ngx_msec_t ngx_gate_server_run_time_left(ngx_gate_server_run_t *server);
static void ngx_gate_server_run_restore(ngx_gate_server_runs_t *runs);
static void ngx_gate_server_run_cancel(ngx_gate_server_run_t *server);
static void ngx_gate_server_run_done(ngx_gate_run_t *run);
static void ngx_gate_server_run_add_result(ngx_gate_server_run_t *server);
static void ngx_gate_server_run_store(ngx_gate_server_run_t *server);
static ngx_msec_t ngx_gate_server_run_next_delay(ngx_gate_server_run_t *server);
static ngx_msec_t ngx_gate_server_run_align(ngx_msec_t interval);
static void ngx_gate_server_run_log(ngx_gate_server_run_t *server);


#define ngx_gate_server_run_is_in(server)                                     \
    ((server)->state & NGX_GATE_SERVERS_IN)


ngx_int_t
ngx_gate_server_run_init(ngx_gate_runner_t *runner, ngx_uint_t i)
{
    ngx_gate_servers_t      *servers;
    ngx_gate_server_runs_t  *runs;

    servers = runner->runs[i].probe.check->servers;

    runs = ngx_pcalloc(runner->prober->pool, sizeof(ngx_gate_server_runs_t));
    if (runs == NULL) {
        return NGX_ERROR;
    }

    runs->runs = ngx_pcalloc(runner->prober->pool,
                             servers->zone->capacity
                             * sizeof(ngx_gate_server_run_t *));
    if (runs->runs == NULL) {
        return NGX_ERROR;
    }

    runs->runner = runner;
    runs->servers = servers;
    runs->check = &runner->runs[i];
    runs->check->delay = ngx_gate_server_run_check_delay;

    runner->servers[i] = runs;

    return NGX_OK;
}


/* the first run of the check waits until all servers have been probed */

static ngx_msec_t
ngx_gate_server_run_check_delay(ngx_gate_run_t *run)
{
    ngx_msec_t                 elapsed;
    ngx_gate_server_runs_t    *runs;
    ngx_gate_servers_count_t   count;

    runs = run->runner->servers[run->probe.check->index];

    if (!runs->active) {
        runs->active = 1;
        runs->start_msec = ngx_current_msec;
        ngx_gate_server_run_sync(runs);

    } else if (runs->servers->dynamic) {
        ngx_gate_server_run_sync(runs);
    }

    if (run->record->attempts) {
        return 0;
    }

    ngx_gate_servers_count(runs->servers->zone, &count);

    elapsed = ngx_current_msec - runs->start_msec;

    if (elapsed > run->probe.check->timeout + NGX_GATE_SERVER_RUN_MARGIN
        || count.in >= ngx_gate_servers_needed(runs->servers, &count)
        || (count.known && count.asked == count.known))
    {
        return 0;
    }

    return count.known ? NGX_GATE_SERVER_RUN_MARGIN : NGX_GATE_SERVER_RUN_POLL;
}


static void
ngx_gate_server_run_sync(ngx_gate_server_runs_t *runs)
{
    ngx_uint_t                i, missed;
    ngx_atomic_uint_t         state;
    ngx_gate_servers_zone_t  *zone;
    ngx_gate_server_run_t    *server;

    /* a prober of an older configuration only applies results of the newest */

    if (!ngx_gate_servers_is_newest(runs->servers)) {
        return;
    }

    zone = runs->servers->zone;

    missed = ngx_gate_servers_sync(runs->servers, NULL, NULL,
                                   runs->runner->prober->log);

    if (missed != runs->missed) {
        runs->missed = missed;

        if (missed) {
            ngx_log_error(NGX_LOG_ERR, runs->runner->prober->log, 0,
                          "init gate \"%V\": %ui servers of upstream \"%V\" "
                          "exceed \"servers=%ui\" and stay out",
                          &runs->runner->gate->name, missed,
                          &runs->servers->group, zone->capacity);
        }
    }

    for (i = 0; i < zone->capacity; i++) {
        state = (i < zone->nused) ? zone->states[i] : 0;
        server = runs->runs[i];

        if (!(state & NGX_GATE_SERVERS_USED)) {

            if (server && server->used) {
                ngx_gate_server_run_cancel(server);
            }

            continue;
        }

        if (server && server->used && server->state == state) {
            continue;
        }

        server = ngx_gate_server_run_create(runs, i);

        if (server) {
            ngx_gate_server_run_begin(server);
        }
    }

    runs->servers->apply(runs->servers);
}


/* reuses the run at this index, which belonged to another server */

static ngx_gate_server_run_t *
ngx_gate_server_run_create(ngx_gate_server_runs_t *runs, ngx_uint_t i)
{
    ngx_gate_server_run_t  *server;

    server = runs->runs[i];

    if (server) {
        ngx_gate_server_run_cancel(server);
        return server;
    }

    server = ngx_pcalloc(runs->runner->prober->pool,
                         sizeof(ngx_gate_server_run_t));
    if (server == NULL) {
        return NULL;
    }

    runs->runs[i] = server;

    server->runs = runs;
    server->place = i;

    ngx_gate_run_init(&server->run, runs->runner, runs->servers->check->inner,
                      ngx_gate_server_run_done);

    server->run.record = &server->record;
    server->run.probe.endpoint = &server->endpoint;

    return server;
}


/* continues from the record of the server */

static void
ngx_gate_server_run_begin(ngx_gate_server_run_t *server)
{
    ngx_gate_server_runs_t   *runs;
    ngx_gate_check_slots_t   *slots;
    ngx_gate_servers_zone_t  *zone;

    runs = server->runs;
    zone = runs->servers->zone;
    slots = &zone->servers[server->place].slots;

    ngx_gate_zone_fence_check(&runs->runner->prober->writer, slots);
    ngx_gate_zone_read_check(slots, &server->record);

    server->used = 1;
    server->state = zone->states[server->place];
    server->record.status.up = ngx_gate_server_run_is_in(server) ? 1 : 0;
    server->run.errors = 0;

    ngx_gate_server_run_set_endpoint(server);

    if (runs->servers->once && ngx_gate_server_run_is_in(server)) {
        return;
    }

    ngx_gate_run_schedule(&server->run, ngx_gate_server_run_time_left(server));
}


static void
ngx_gate_server_run_set_endpoint(ngx_gate_server_run_t *server)
{
    in_port_t             port;
    struct sockaddr      *sockaddr;
    ngx_gate_server_t    *shared;
    ngx_gate_servers_t   *servers;
    ngx_gate_endpoint_t  *endpoint;
#if (NGX_HAVE_UNIX_DOMAIN)
    struct sockaddr_un   *saun;
#endif

    servers = server->runs->servers;
    shared = &servers->zone->servers[server->place];
    sockaddr = &shared->sockaddr.sockaddr;
    endpoint = &server->endpoint;

    ngx_memzero(endpoint, sizeof(ngx_gate_endpoint_t));

    endpoint->text.data = shared->address;
    endpoint->text.len = shared->address_len;

#if (NGX_HAVE_UNIX_DOMAIN)

    if (sockaddr->sa_family == AF_UNIX) {
        saun = (struct sockaddr_un *) sockaddr;
        endpoint->path.data = (u_char *) saun->sun_path;
        endpoint->path.len = ngx_strlen(saun->sun_path);
        return;
    }

#endif

    port = servers->port ? servers->port : ngx_inet_get_port(sockaddr);

    endpoint->port = port;
    endpoint->host.data = server->host;
    endpoint->host.len = ngx_sock_ntop(sockaddr, shared->socklen, server->host,
                                       NGX_SOCKADDR_STRLEN, 0);
}


/* time until the next probe, as scheduled by this process or an earlier one */

static ngx_msec_t
ngx_gate_server_run_time_left(ngx_gate_server_run_t *server)
{
    int64_t            left;
    ngx_msec_t         pause;
    ngx_gate_check_t  *check;

    if (!(server->state & NGX_GATE_SERVERS_ASKED)) {
        return 0;
    }

    check = server->runs->servers->check;
    pause = ngx_gate_server_run_is_in(server) ? check->interval_open
                                              : check->interval;

    left = server->record.next_check - ngx_gate_record_now();

    if (left <= 0) {
        return 0;
    }

    return (ngx_msec_t) ngx_min(left, (int64_t) pause);
}


void
ngx_gate_server_run_stop(ngx_gate_server_runs_t *runs)
{
    ngx_uint_t  i;

    for (i = 0; i < runs->servers->zone->capacity; i++) {
        if (runs->runs[i]) {
            ngx_gate_server_run_cancel(runs->runs[i]);
        }
    }

    runs->active = 0;
}


void
ngx_gate_server_run_recheck(ngx_gate_server_runs_t *runs)
{
    ngx_uint_t              i;
    ngx_gate_server_run_t  *server;

    if (!runs->active) {
        return;
    }

    for (i = 0; i < runs->servers->zone->nused; i++) {
        server = runs->runs[i];

        if (server == NULL || !server->used) {
            continue;
        }

        if (server->run.busy) {
            server->run.due = 1;

        } else if (server->run.budget.state == 0) {
            ngx_gate_run_schedule(&server->run, 0);
        }
    }
}


void
ngx_gate_server_run_beat(ngx_gate_server_runs_t *runs)
{
    if (runs->active) {

        if (ngx_gate_servers_is_newest(runs->servers)) {
            ngx_gate_server_run_restore(runs);

        } else {
            ngx_gate_server_run_stop(runs);
        }
    }

    runs->servers->apply(runs->servers);
}


/* replaces a state stored by a process that has lost the zone */

static void
ngx_gate_server_run_restore(ngx_gate_server_runs_t *runs)
{
    ngx_uint_t               i;
    ngx_atomic_uint_t        state;
    ngx_gate_server_run_t   *server;
    ngx_gate_servers_zone_t *zone;

    zone = runs->servers->zone;

    for (i = 0; i < zone->nused; i++) {
        server = runs->runs[i];
        state = zone->states[i];

        if (server && server->used && server->state != state) {
            ngx_gate_server_run_store(server);
        }
    }
}


void
ngx_gate_server_run_force(ngx_gate_server_runs_t *runs, ngx_uint_t forced)
{
    ngx_gate_servers_zone_t  *zone;

    zone = runs->servers->zone;

    if (zone->forced == forced
        || !ngx_gate_servers_is_newest(runs->servers))
    {
        return;
    }

    zone->forced = forced;
    (void) ngx_atomic_fetch_add(&zone->version, 1);

    runs->servers->apply(runs->servers);

    ngx_gate_wake_send(runs->runner->prober->log);
}


static void
ngx_gate_server_run_cancel(ngx_gate_server_run_t *server)
{
    server->used = 0;

    ngx_gate_run_cancel(&server->run);
}


static void
ngx_gate_server_run_done(ngx_gate_run_t *run)
{
    ngx_uint_t                before;
    ngx_msec_t                delay;
    ngx_gate_prober_t        *prober;
    ngx_gate_server_runs_t   *runs;
    ngx_gate_server_run_t    *server;
    ngx_gate_servers_zone_t  *zone;

    server = (ngx_gate_server_run_t *) run;
    runs = server->runs;
    prober = runs->runner->prober;
    zone = runs->servers->zone;

    if (!ngx_gate_servers_is_newest(runs->servers)
        || ngx_gate_prober_write_begin(prober) != NGX_OK)
    {
        return;
    }

    before = server->state & NGX_GATE_SERVERS_BITS;

    ngx_gate_server_run_add_result(server);

    delay = ngx_gate_server_run_next_delay(server);
    server->record.next_check = server->record.last_checked + delay;

    ngx_gate_server_run_store(server);

    /* a server is not shown as out before it is */

    if ((before ^ server->state) & NGX_GATE_SERVERS_IN) {
        runs->servers->apply(runs->servers);
        ngx_gate_wake_send(prober->log);
    }

    ngx_gate_zone_publish_check(&prober->writer,
                                &zone->servers[server->place].slots,
                                &server->record);

    if (ngx_gate_prober_write_end(prober) != NGX_OK) {
        return;
    }

    if ((before ^ server->state) & NGX_GATE_SERVERS_IN) {
        ngx_gate_server_run_log(server);
    }

    if ((before ^ server->state) & NGX_GATE_SERVERS_BITS) {
        runs->check->probe.due(&runs->check->probe);
    }

    if (!runs->servers->once || !ngx_gate_server_run_is_in(server)) {
        ngx_gate_run_schedule(run, delay);
    }
}


/* a server that refuses connections is out at once */

static void
ngx_gate_server_run_add_result(ngx_gate_server_run_t *server)
{
    ngx_gate_t         *gate;
    ngx_gate_result_t  *result;

    gate = server->runs->runner->gate;
    result = &server->run.probe.result;

    (void) ngx_gate_record_add_result(&server->record, result,
                                      server->run.duration, gate->rise,
                                      gate->fall);

    if (result->verdict == NGX_GATE_ERROR
        && (result->reason == NGX_GATE_REFUSED
            || result->reason == NGX_GATE_RESET))
    {
        server->record.status.up = 0;
    }
}


static void
ngx_gate_server_run_store(ngx_gate_server_run_t *server)
{
    ngx_uint_t                bits;
    ngx_gate_servers_zone_t  *zone;

    zone = server->runs->servers->zone;

    bits = NGX_GATE_SERVERS_USED;

    if (server->record.attempts) {
        bits |= NGX_GATE_SERVERS_ASKED;
    }

    if (server->record.status.up) {
        bits |= NGX_GATE_SERVERS_IN;
    }

    if (zone->states[server->place] == server->state
        && (server->state & NGX_GATE_SERVERS_BITS) == bits)
    {
        return;
    }

    while (ngx_gate_servers_set(zone, server->place, &server->state, bits)
           != NGX_OK)
    {
        server->state = zone->states[server->place];

        /* the index may belong to another server of a newer configuration */

        ngx_memory_barrier();

        if (!ngx_gate_servers_is_newest(server->runs->servers)) {
            return;
        }
    }
}


/* servers that are out are probed more often, with a backoff */

static ngx_msec_t
ngx_gate_server_run_next_delay(ngx_gate_server_run_t *server)
{
    ngx_msec_t          pause;
    ngx_gate_check_t   *check;
    ngx_gate_result_t  *result;

    check = server->runs->servers->check;
    result = &server->run.probe.result;

    if (server->record.status.up) {
        server->run.errors = 0;
        return ngx_gate_server_run_align(check->interval_open);
    }

    pause = check->interval;

    if (result->verdict != NGX_GATE_ERROR
        || ngx_gate_reason_is_local(result->reason))
    {
        server->run.errors = 0;

    } else {
        pause = ngx_gate_state_backoff(pause,
                                       server->runs->runner->gate->backoff,
                                       ++server->run.errors);
    }

    return ngx_gate_runner_jitter(pause);
}


/* many servers share a wakeup: probes start at multiples of a hundredth */

static ngx_msec_t
ngx_gate_server_run_align(ngx_msec_t interval)
{
    ngx_msec_t  pause, step;

    pause = ngx_gate_runner_jitter(interval);
    step = interval / 100;

    return step ? pause - (ngx_current_msec + pause) % step : pause;
}


static void
ngx_gate_server_run_log(ngx_gate_server_run_t *server)
{
    ngx_str_t                message;
    ngx_gate_result_t       *result;
    ngx_gate_server_runs_t  *runs;

    runs = server->runs;
    result = &server->run.probe.result;

    if (ngx_gate_server_run_is_in(server)) {
        ngx_log_error(NGX_LOG_NOTICE, runs->runner->prober->log, 0,
                      "init gate \"%V\": server %V of upstream \"%V\" is in",
                      &runs->runner->gate->name, &server->endpoint.text,
                      &runs->servers->group);
        return;
    }

    message.data = result->message;
    message.len = result->message_len;

    ngx_log_error(NGX_LOG_ERR, runs->runner->prober->log, 0,
                  "init gate \"%V\": server %V of upstream \"%V\" is out: "
                  "%V%s%V",
                  &runs->runner->gate->name, &server->endpoint.text,
                  &runs->servers->group,
                  &ngx_gate_verdict_names[result->verdict],
                  message.len ? ": " : "", &message);
}
