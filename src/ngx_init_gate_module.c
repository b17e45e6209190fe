
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * nginx-init-gate: holds requests until initialization is complete.
 *
 * The core module: init_checks, the shared memory of the gates, start and
 * exit of processes.  The module for http has no hooks of its own for these:
 * the order of the steps of both matters, and it is here.
 */


#include <ngx_http_gate_upstream.h>
#include <ngx_gate_budget.h>
#include <ngx_gate_record.h>
#include <ngx_gate_resolver.h>
#include <ngx_gate_thread.h>
#include <ngx_gate_notices.h>


static void *ngx_init_gate_create_conf(ngx_cycle_t *cycle);
static char *ngx_init_gate_init_conf(ngx_cycle_t *cycle, void *conf);
static ngx_int_t ngx_init_gate_add_zones(ngx_conf_t *cf,
    ngx_init_gate_conf_t *igcf);
static ngx_int_t ngx_init_gate_add_overrides(ngx_conf_t *cf,
    ngx_init_gate_conf_t *igcf);
static ngx_shm_zone_t *ngx_init_gate_old_stats(void);
static ngx_shm_zone_t *ngx_init_gate_old_notices(void);
static ngx_shm_zone_t *ngx_init_gate_old_overrides(void);
static ngx_int_t ngx_init_gate_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_init_gate_commit(ngx_cycle_t *cycle,
    ngx_init_gate_conf_t *igcf, ngx_shm_zone_t *zone, ngx_shm_zone_t *stats);
static ngx_int_t ngx_init_gate_init_process(ngx_cycle_t *cycle);
static void ngx_init_gate_exit_process(ngx_cycle_t *cycle);


/* the check types */

static ngx_gate_conf_type_t  ngx_init_gate_check_types[] = {

    { ngx_string("file"), &ngx_gate_check_file, NULL },

#if (NGX_GATE_POSTGRES)
    { ngx_string("postgres"), &ngx_gate_check_postgres, "libpq" },
#else
    { ngx_string("postgres"), NULL, "libpq" },
#endif

#if (NGX_GATE_REDIS)
    { ngx_string("redis"), &ngx_gate_check_redis, "hiredis" },
#else
    { ngx_string("redis"), NULL, "hiredis" },
#endif

    { ngx_string("http"), &ngx_gate_check_http, NULL },
    { ngx_string("tcp"), &ngx_gate_check_tcp, NULL },

#if (NGX_GATE_GRPC)
    { ngx_string("grpc"), &ngx_gate_check_grpc, "libnghttp2" },
#else
    { ngx_string("grpc"), NULL, "libnghttp2" },
#endif

#if (NGX_HTTP_UPSTREAM_ZONE)
    { ngx_string("upstream"), &ngx_http_gate_upstream, NULL },
#else
    { ngx_string("upstream"), NULL, "the zones of nginx's upstreams" },
#endif

#if (NGX_GATE_JSON)
    { ngx_string("remote"), &ngx_gate_check_remote, NULL },
#else
    { ngx_string("remote"), NULL, "jansson" },
#endif

    { ngx_string("notify"), &ngx_gate_check_notify, NULL },

    { ngx_null_string, NULL, NULL }
};


static ngx_command_t  ngx_init_gate_commands[] = {

    { ngx_string("init_checks"),
      NGX_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_init_gate_checks,
      0,
      0,
      NULL },

    { ngx_string("check"),
      NGX_MAIN_CONF|NGX_CONF_ANY,
      ngx_init_gate_check,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_init_gate_module_ctx = {
    ngx_string("init_gate"),
    ngx_init_gate_create_conf,
    ngx_init_gate_init_conf
};


ngx_module_t  ngx_init_gate_module = {
    NGX_MODULE_V1,
    &ngx_init_gate_module_ctx,             /* module context */
    ngx_init_gate_commands,                /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_init_gate_init_module,             /* init module */
    ngx_init_gate_init_process,            /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_init_gate_exit_process,            /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_init_gate_create_conf(ngx_cycle_t *cycle)
{
    ngx_init_gate_conf_t  *igcf;

    igcf = ngx_pcalloc(cycle->pool, sizeof(ngx_init_gate_conf_t));
    if (igcf == NULL) {
        return NULL;
    }

    if (ngx_gate_conf_init(cycle->pool, &igcf->conf, ngx_init_gate_check_types)
        != NGX_OK)
    {
        return NULL;
    }

    return igcf;
}


char *
ngx_init_gate_checks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_gate_conf_block(cf, &ngx_init_gate_get_conf(cf->cycle)->conf);
}


/* a better message than "unknown directive" */

char *
ngx_init_gate_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return "is allowed only in \"init_checks NAME { ... }\"";
}


/*
 * Called after the whole configuration has been read: init_checks may come
 * before or after the block that uses the gates.
 */

static char *
ngx_init_gate_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_init_gate_conf_t *igcf = conf;

    ngx_int_t   rc;
    ngx_conf_t  cf;

    ngx_memzero(&cf, sizeof(ngx_conf_t));

    cf.cycle = cycle;
    cf.ctx = cycle->conf_ctx;
    cf.pool = cycle->pool;
    cf.log = cycle->log;

    cf.temp_pool = ngx_create_pool(NGX_CYCLE_POOL_SIZE, cycle->log);
    if (cf.temp_pool == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_gate_conf_done(&igcf->conf);

    rc = ngx_http_init_gate_bind(&cf, igcf);

    if (rc == NGX_OK && igcf->conf.gates.nelts) {
        rc = ngx_init_gate_add_zones(&cf, igcf);
    }

    ngx_destroy_pool(cf.temp_pool);

    return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_init_gate_add_zones(ngx_conf_t *cf, ngx_init_gate_conf_t *igcf)
{
    u_char        digest[16];
    ngx_array_t  *gates;

    gates = &igcf->conf.gates;

    if (ngx_init_gate_add_overrides(cf, igcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_md5_final(digest, &igcf->conf.md5);

    igcf->zone = ngx_gate_zone_add(cf, gates, digest, &ngx_init_gate_module);
    igcf->stats = ngx_gate_stats_add(cf, gates, ngx_init_gate_old_stats(),
                                     &ngx_init_gate_module);

    if (igcf->zone == NULL || igcf->stats == NULL) {
        return NGX_ERROR;
    }

    return ngx_gate_notices_add_zone(cf, gates, ngx_init_gate_old_notices(),
                                     &ngx_init_gate_module, &igcf->notices);
}


static ngx_shm_zone_t *
ngx_init_gate_old_stats(void)
{
    return ngx_gate_zone_find((ngx_cycle_t *) ngx_cycle,
                              &ngx_init_gate_module, "init_gate_stats:");
}


static ngx_shm_zone_t *
ngx_init_gate_old_notices(void)
{
    return ngx_gate_notices_find_zone((ngx_cycle_t *) ngx_cycle,
                                      &ngx_init_gate_module);
}


static ngx_shm_zone_t *
ngx_init_gate_old_overrides(void)
{
    return ngx_gate_overrides_find_zone((ngx_cycle_t *) ngx_cycle,
                                        &ngx_init_gate_module);
}


/* with init_control, every gate has overrides */

static ngx_int_t
ngx_init_gate_add_overrides(ngx_conf_t *cf, ngx_init_gate_conf_t *igcf)
{
    ngx_uint_t   i;
    ngx_gate_t  *gate;

    if (!igcf->controlled) {
        return NGX_OK;
    }

    gate = igcf->conf.gates.elts;

    for (i = 0; i < igcf->conf.gates.nelts; i++) {
        gate[i].controlled = 1;
    }

    return ngx_gate_overrides_add_zone(cf, &igcf->conf.gates,
                                       ngx_init_gate_old_overrides(),
                                       &ngx_init_gate_module,
                                       &igcf->overrides);
}


/*
 * The reload is committed, and the shared memory of the old cycle still
 * exists and can be inherited from.
 *
 * With "master_process off", the single process continues after a reload, and
 * so do connections of the old configuration: they need the memory of their
 * gates.
 */

static ngx_int_t
ngx_init_gate_init_module(ngx_cycle_t *cycle)
{
    ngx_int_t              rc;
    ngx_cycle_t           *old;
    ngx_shm_zone_t        *zone, *stats;
    ngx_init_gate_conf_t  *igcf;

    old = (ngx_cycle_t *) ngx_cycle;

    zone = ngx_gate_zone_find(old, &ngx_init_gate_module, "init_gate:");
    stats = ngx_init_gate_old_stats();

    igcf = ngx_init_gate_get_conf(cycle);

    if (igcf->conf.gates.nelts) {
        ngx_gate_wake_init(cycle->log);
        ngx_gate_budget_warn(cycle, &igcf->conf.gates);

    } else {
        igcf = NULL;
    }

    if (ngx_init_gate_old_overrides()) {
        ngx_gate_overrides_drop(&ngx_init_gate_get_conf(old)->conf.gates,
                                igcf && igcf->overrides ? &igcf->conf.gates
                                                        : NULL,
                                cycle->log);
    }

    if (zone == NULL || ngx_process != NGX_PROCESS_SINGLE) {

        if (igcf) {
            return ngx_init_gate_commit(cycle, igcf, zone, stats);
        }

        if (stats) {
            ngx_gate_stats_retire(stats);
        }

        return NGX_OK;
    }

    ngx_init_gate_exit_process(old);

    if (igcf == NULL) {
        (void) ngx_gate_zone_keep_memory(zone);
        (void) ngx_gate_zone_keep_memory(stats);
        return NGX_OK;
    }

    rc = ngx_init_gate_commit(cycle, igcf, zone, stats);

    if (zone->shm.addr != igcf->zone->shm.addr) {
        (void) ngx_gate_zone_keep_memory(zone);
    }

    return rc;
}


static ngx_int_t
ngx_init_gate_commit(ngx_cycle_t *cycle, ngx_init_gate_conf_t *igcf,
    ngx_shm_zone_t *zone, ngx_shm_zone_t *stats)
{
    ngx_array_t        *gates;
    ngx_atomic_uint_t   id;

    gates = &igcf->conf.gates;

    /*
     * Stored here and inherited by fork(): when a process starts, the next
     * reload may have incremented it.
     */

    igcf->generation = ngx_gate_stats_commit(igcf->stats, stats, gates);

    id = ((ngx_gate_zone_t *) igcf->zone->data)->id;

    if ((igcf->notices
         && ngx_gate_notices_commit(cycle, igcf->notices,
                                    ngx_init_gate_old_notices(), gates,
                                    id)
            != NGX_OK)
        || (igcf->overrides
            && ngx_gate_overrides_commit(cycle, igcf->overrides,
                                         ngx_init_gate_old_overrides(),
                                         gates, id)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    ngx_http_init_gate_commit(cycle);

    if (zone && zone->shm.addr == igcf->zone->shm.addr) {
        return NGX_OK;
    }

    return ngx_gate_record_init_zone(gates, igcf->zone->data,
                                     zone ? zone->data : NULL, cycle->log);
}


static ngx_int_t
ngx_init_gate_init_process(ngx_cycle_t *cycle)
{
    ngx_array_t           *gates;
    ngx_gate_zone_t       *zone;
    ngx_init_gate_conf_t  *igcf;

    /* the cache manager and loader have the number 0, too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    igcf = ngx_init_gate_get_conf(cycle);

    if (igcf->conf.gates.nelts == 0) {
        return NGX_OK;
    }

    gates = &igcf->conf.gates;
    zone = igcf->zone->data;

    igcf->process = ngx_gate_stats_attach(igcf->stats->data, gates, zone->id,
                                          igcf->generation);

    if (igcf->process == NULL) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "too many worker processes: this one holds no requests "
                      "at init gates");
    }

    ngx_http_init_gate_init_process(cycle);

    if (ngx_worker > 1) {
        return NGX_OK;
    }

    igcf->prober = ngx_gate_prober_start(cycle, gates, zone, igcf->stats->data,
                                         igcf->generation,
                                         ngx_worker == 1);

    return igcf->prober ? NGX_OK : NGX_ERROR;
}


static void
ngx_init_gate_exit_process(ngx_cycle_t *cycle)
{
    ngx_init_gate_conf_t  *igcf;

    igcf = ngx_init_gate_get_conf(cycle);

    if (igcf->prober) {
        ngx_gate_prober_stop(igcf->prober);
        ngx_destroy_pool(igcf->prober->pool);
        igcf->prober = NULL;

        ngx_gate_resolver_exit();
        ngx_gate_thread_exit();
    }

    ngx_http_init_gate_exit_process(cycle);

    ngx_gate_wake_exit();

    if (igcf->process) {
        ngx_gate_stats_detach(igcf->process);
        igcf->process = NULL;
    }
}
