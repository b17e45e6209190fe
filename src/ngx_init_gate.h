
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The gates of a configuration and their shared memory, for the modules that
 * use gates: http.
 */


#ifndef _NGX_INIT_GATE_H_INCLUDED_
#define _NGX_INIT_GATE_H_INCLUDED_


#include <ngx_gate_conf.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_stats.h>
#include <ngx_gate_prober.h>


typedef struct {
    ngx_gate_conf_t             conf;
    ngx_uint_t                  controlled; /* there is an init_control */
    ngx_shm_zone_t             *zone;
    ngx_shm_zone_t             *stats;
    ngx_shm_zone_t             *notices;    /* NULL: no notify checks */
    ngx_shm_zone_t             *overrides;  /* NULL: no init_control */
    ngx_uint_t                  generation; /* of this configuration */

    /* of this process */
    ngx_gate_prober_t          *prober;     /* in the worker that probes */
    ngx_gate_stats_process_t   *process;
} ngx_init_gate_conf_t;


#define ngx_init_gate_get_conf(cycle)                                         \
    ((ngx_init_gate_conf_t *)                                                 \
         ngx_get_conf((cycle)->conf_ctx, ngx_init_gate_module))


/* the handler of init_checks, which both modules have */

char *ngx_init_gate_checks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* the handler of a check outside of init_checks */

char *ngx_init_gate_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


extern ngx_module_t  ngx_init_gate_module;


#endif /* _NGX_INIT_GATE_H_INCLUDED_ */
