
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What an operator has ordered for a gate; see ngx_gate_overrides.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_record.h>
#include <ngx_gate_overrides.h>


#define NGX_GATE_OVERRIDES_PREFIX  "init_gate_overrides:"
#define NGX_GATE_OVERRIDES_TRIES   100


static ngx_int_t ngx_gate_overrides_names(ngx_pool_t *pool,
    ngx_array_t *gates, ngx_array_t *names);
static ngx_uint_t ngx_gate_overrides_is_open(ngx_gate_t *gate,
    ngx_gate_check_record_t *checks, ngx_gate_overrides_t *overrides);
static ngx_uint_t ngx_gate_overrides_is_over(ngx_gate_override_t *override);
static ngx_uint_t ngx_gate_overrides_split(ngx_gate_overrides_t *overrides,
    ngx_gate_overrides_t *ended, ngx_uint_t all);
static void ngx_gate_overrides_log_end(ngx_gate_t *gate,
    ngx_gate_override_t *override, ngx_log_t *log);


ngx_str_t  ngx_gate_override_names[] = {
    ngx_string("none"),
    ngx_string("open"),
    ngx_string("close"),
    ngx_string("ignore")
};


ngx_int_t
ngx_gate_overrides_add_zone(ngx_conf_t *cf, ngx_array_t *gates,
    ngx_shm_zone_t *old, void *tag, ngx_shm_zone_t **zone)
{
    ngx_array_t  names;

    if (ngx_gate_overrides_names(cf->temp_pool, gates, &names) != NGX_OK) {
        return NGX_ERROR;
    }

    *zone = ngx_gate_mailbox_add_zone(cf, NGX_GATE_OVERRIDES_PREFIX, &names,
                                      sizeof(ngx_gate_overrides_t), old, tag);

    return *zone ? NGX_OK : NGX_ERROR;
}


ngx_shm_zone_t *
ngx_gate_overrides_find_zone(ngx_cycle_t *cycle, void *tag)
{
    return ngx_gate_zone_find(cycle, tag, NGX_GATE_OVERRIDES_PREFIX);
}


static ngx_int_t
ngx_gate_overrides_names(ngx_pool_t *pool, ngx_array_t *gates,
    ngx_array_t *names)
{
    ngx_str_t   *name;
    ngx_uint_t   i;
    ngx_gate_t  *gate;

    if (ngx_array_init(names, pool, gates->nelts, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    gate = gates->elts;

    for (i = 0; i < gates->nelts; i++) {
        name = ngx_array_push(names);
        if (name == NULL) {
            return NGX_ERROR;
        }

        *name = gate[i].name;
    }

    return NGX_OK;
}


ngx_int_t
ngx_gate_overrides_commit(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone,
    ngx_shm_zone_t *old, ngx_array_t *gates, ngx_atomic_uint_t zone)
{
    ngx_uint_t    i;
    ngx_gate_t   *gate;
    ngx_array_t   names;

    if (ngx_gate_overrides_names(cycle->pool, gates, &names) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_gate_mailbox_commit(shm_zone, old, &names, zone);

    gate = gates->elts;

    for (i = 0; i < gates->nelts; i++) {
        gate[i].overrides = ngx_gate_mailbox_find(shm_zone->data,
                                                  &gate[i].name);
    }

    return NGX_OK;
}


void
ngx_gate_overrides_drop(ngx_array_t *old, ngx_array_t *gates, ngx_log_t *log)
{
    ngx_uint_t   i, n;
    ngx_gate_t  *before, *gate;

    before = old->elts;
    gate = gates ? gates->elts : NULL;

    for (i = 0; i < old->nelts; i++) {

        if (before[i].overrides == NULL) {
            continue;
        }

        for (n = 0; gates && n < gates->nelts; n++) {
            if (ngx_gate_str_eq(&gate[n].name, &before[i].name)) {
                break;
            }
        }

        if (gates == NULL || n == gates->nelts) {
            ngx_gate_overrides_end(&before[i], 1, log);
        }
    }
}


ngx_atomic_uint_t
ngx_gate_overrides_read(ngx_gate_t *gate, ngx_gate_overrides_t *overrides)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  count;

    count = gate->overrides ? ngx_gate_mailbox_read(gate->overrides, overrides)
                            : 0;
    if (count == 0) {
        ngx_memzero(overrides, sizeof(ngx_gate_overrides_t));
        return 0;
    }

    for (i = 0; i < NGX_GATE_OVERRIDES_MAX; i++) {
        if (ngx_gate_overrides_is_over(&overrides->list[i])) {
            overrides->list[i].action = NGX_GATE_OVERRIDE_NONE;
        }
    }

    return count;
}


static ngx_uint_t
ngx_gate_overrides_is_over(ngx_gate_override_t *override)
{
    return override->action != NGX_GATE_OVERRIDE_NONE
           && (ngx_msec_int_t) (ngx_current_msec - override->until) >= 0;
}


void
ngx_gate_overrides_end(ngx_gate_t *gate, ngx_uint_t all, ngx_log_t *log)
{
    ngx_uint_t            i, n;
    ngx_atomic_uint_t     count;
    ngx_gate_overrides_t  overrides, ended;

    for (n = 0; n < NGX_GATE_OVERRIDES_TRIES; n++) {

        count = ngx_gate_mailbox_read(gate->overrides, &overrides);

        if (count == 0
            || !ngx_gate_overrides_split(&overrides, &ended, all))
        {
            return;
        }

        if (ngx_gate_mailbox_replace(gate->overrides, count, &overrides)) {
            break;
        }
    }

    for (i = 0; n < NGX_GATE_OVERRIDES_TRIES && i < NGX_GATE_OVERRIDES_MAX;
         i++)
    {
        if (ended.list[i].action != NGX_GATE_OVERRIDE_NONE) {
            ngx_gate_overrides_log_end(gate, &ended.list[i], log);
        }
    }
}


/* moves those that end; returns their number */

static ngx_uint_t
ngx_gate_overrides_split(ngx_gate_overrides_t *overrides,
    ngx_gate_overrides_t *ended, ngx_uint_t all)
{
    ngx_uint_t  i, n;

    n = 0;
    *ended = *overrides;

    for (i = 0; i < NGX_GATE_OVERRIDES_MAX; i++) {

        if (overrides->list[i].action == NGX_GATE_OVERRIDE_NONE) {
            continue;
        }

        if (all || ngx_gate_overrides_is_over(&overrides->list[i])) {
            overrides->list[i].action = NGX_GATE_OVERRIDE_NONE;
            n++;

        } else {
            ended->list[i].action = NGX_GATE_OVERRIDE_NONE;
        }
    }

    return n;
}


static void
ngx_gate_overrides_log_end(ngx_gate_t *gate, ngx_gate_override_t *override,
    ngx_log_t *log)
{
    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "init gate \"%V\": override \"%V\"%s%*s by client %*s "
                  "has ended", &gate->name,
                  &ngx_gate_override_names[override->action],
                  override->check_len ? " of check " : "",
                  override->check_len, override->check,
                  override->client_len, override->client);
}


ngx_uint_t
ngx_gate_overrides_apply(ngx_gate_t *gate, ngx_gate_state_e state,
    ngx_gate_check_record_t *checks, ngx_gate_overrides_t *overrides,
    ngx_gate_override_e *action)
{
    ngx_uint_t  i;

    *action = overrides->list[0].action;

    switch (*action) {

    case NGX_GATE_OVERRIDE_OPEN:
        return 1;

    case NGX_GATE_OVERRIDE_CLOSE:
        return 0;

    default:
        break;
    }

    for (i = 1; i < NGX_GATE_OVERRIDES_MAX; i++) {
        if (overrides->list[i].action == NGX_GATE_OVERRIDE_IGNORE) {
            *action = NGX_GATE_OVERRIDE_IGNORE;
        }
    }

    return ngx_gate_state_is_open(gate, state)
           || (*action == NGX_GATE_OVERRIDE_IGNORE
               && ngx_gate_overrides_is_open(gate, checks, overrides));
}


/* as if the ignored checks were optional */

static ngx_uint_t
ngx_gate_overrides_is_open(ngx_gate_t *gate, ngx_gate_check_record_t *checks,
    ngx_gate_overrides_t *overrides)
{
    ngx_uint_t         i;
    ngx_gate_check_t  *check;

    for (i = 0; i < gate->checks.nelts; i++) {
        check = ngx_gate_check_at(gate, i);

        if (!check->optional
            && !checks[i].status.up
            && !ngx_gate_overrides_ignores(overrides, check))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_gate_overrides_ignores(ngx_gate_overrides_t *overrides,
    ngx_gate_check_t *check)
{
    ngx_uint_t            i;
    ngx_gate_override_t  *override;

    for (i = 1; i < NGX_GATE_OVERRIDES_MAX; i++) {
        override = &overrides->list[i];

        if (override->action == NGX_GATE_OVERRIDE_IGNORE
            && override->check_len == check->name.len
            && ngx_memcmp(override->check, check->name.data,
                          check->name.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


int64_t
ngx_gate_overrides_time(ngx_msec_t msec)
{
    return ngx_gate_record_now() + (ngx_msec_int_t) (msec - ngx_current_msec);
}
