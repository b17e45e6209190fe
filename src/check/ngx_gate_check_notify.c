
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The notify check: the initializer reports its own state.  The prober passes
 * the notice to the check before a run.
 */


#include <ngx_gate.h>
#include <ngx_gate_param.h>
#include <ngx_gate_check_notify.h>


static char *ngx_gate_check_notify_set_newer_than(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_gate_check_notify_parse(ngx_conf_t *cf,
    ngx_gate_check_t *check);
static void ngx_gate_check_notify_warn_store(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_str_t *store);
static void ngx_gate_check_notify_start(ngx_gate_probe_t *probe);
static ngx_msec_int_t ngx_gate_check_notify_left(
    ngx_gate_check_notify_conf_t *conf);
static void ngx_gate_check_notify_cancel(ngx_gate_probe_t *probe);


static ngx_gate_param_t  ngx_gate_check_notify_params[] = {

    { ngx_string("ttl"),
      0,
      ngx_gate_param_set_time,
      offsetof(ngx_gate_check_notify_conf_t, ttl),
      "a time above 0, as in 500ms, 5s or 1m" },

    { ngx_string("store"),
      0,
      ngx_gate_param_set_path,
      offsetof(ngx_gate_check_notify_conf_t, store),
      "a path" },

    { ngx_string("newer_than"),
      0,
      ngx_gate_check_notify_set_newer_than,
      offsetof(ngx_gate_check_notify_conf_t, boot),
      "\"boot\"" },

      ngx_gate_param_end
};


ngx_gate_check_type_t  ngx_gate_check_notify = {
    ngx_string("notify"),
    ngx_gate_check_notify_params,
    sizeof(ngx_gate_check_notify_conf_t),
    0,
    ngx_gate_check_notify_parse,
    ngx_gate_check_notify_start,
    ngx_gate_check_notify_cancel,
    0,
    0
};


static char *
ngx_gate_check_notify_set_newer_than(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "boot") != 0) {
        return ngx_gate_param_error(cf, check,
                                    "invalid value \"%V\" of parameter \"%V\","
                                    " it must be %s",
                                    value, &param->name, param->values);
    }

    return ngx_gate_param_set_flag(cf, check, param, value);
}


static char *
ngx_gate_check_notify_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    const char                    *error;
    ngx_gate_check_notify_conf_t  *conf;

    conf = check->conf;

    error = ngx_gate_param_check_name(&check->target);

    if (error) {

        if (ngx_strncmp(check->target.data, "name=", 5) == 0) {
            return ngx_gate_param_error(cf, check, "the name of a notify check "
                                        "has no \"name=\": write \"check "
                                        "notify %s\"",
                                        check->target.data + 5);
        }

        return ngx_gate_param_error(cf, check, "invalid name \"%V\", %s",
                                    &check->target, error);
    }

    if (check->name.data != check->target.data) {
        return ngx_gate_param_error(cf, check, "parameter \"name\" is not "
                                    "allowed, \"%V\" is the name of the check",
                                    &check->target);
    }

    if (conf->boot && conf->store.len == 0) {
        return ngx_gate_param_error(cf, check, "parameter \"newer_than\" is "
                                    "allowed only with \"store\"");
    }

    ngx_gate_check_notify_warn_store(cf, check, &conf->store);

    conf->notice = ngx_pcalloc(cf->pool, sizeof(ngx_gate_notice_t));

    return conf->notice ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static void
ngx_gate_check_notify_warn_store(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *store)
{
    u_char           *slash, path[NGX_MAX_PATH];
    ngx_file_info_t   fi;

    if (store->len == 0 || store->len >= NGX_MAX_PATH) {
        return;
    }

    if (ngx_file_info(store->data, &fi) != NGX_FILE_ERROR) {

        if (ngx_is_dir(&fi)) {
            ngx_gate_param_warn(cf, check, "\"store=%V\" is a directory, "
                                "it must be a file", store);
        }

        return;
    }

    (void) ngx_cpystrn(path, store->data, NGX_MAX_PATH);

    slash = (u_char *) strrchr((char *) path, '/');

    if (slash == NULL || slash == path) {
        return;
    }

    *slash = '\0';

    if (ngx_file_info(path, &fi) == NGX_FILE_ERROR
        && ngx_errno == NGX_ENOENT)
    {
        ngx_gate_param_warn(cf, check, "\"store=%V\": there is no directory "
                            "\"%s\"", store, path);
    }
}


void
ngx_gate_check_notify_deliver(ngx_gate_check_t *check,
    ngx_gate_notice_t *notice)
{
    ngx_gate_check_notify_conf_t  *conf;

    conf = check->conf;

    *conf->notice = *notice;
}


static void
ngx_gate_check_notify_start(ngx_gate_probe_t *probe)
{
    ngx_msec_int_t                 left;
    ngx_gate_notice_t             *notice;
    ngx_gate_reason_e              reason;
    ngx_gate_check_notify_conf_t  *conf;

    conf = probe->check->conf;
    notice = conf->notice;

    if (notice->verdict == NGX_GATE_PENDING) {
        ngx_gate_probe_end(probe, NGX_GATE_WAITING, NGX_GATE_NOT_NOTIFIED,
                           "no notice yet");
        return;
    }

    probe->result.observed = notice->observed;
    probe->result.expected = notice->expected;

    left = ngx_gate_check_notify_left(conf);

    if (left <= 0) {
        ngx_gate_probe_end(probe, NGX_GATE_ERROR, NGX_GATE_STALE,
                           "no notice within %Mms, the last one was \"%V\"",
                           conf->ttl,
                           &ngx_gate_verdict_names[notice->verdict]);
        return;
    }

    probe->left = left;

    switch (notice->verdict) {

    case NGX_GATE_PASSED:
        reason = NGX_GATE_OK;
        break;

    case NGX_GATE_RUNNING:
        reason = NGX_GATE_IN_PROGRESS;
        break;

    default: /* NGX_GATE_WAITING, NGX_GATE_FAILED */
        reason = NGX_GATE_REPORTED;
    }

    ngx_gate_probe_end(probe, notice->verdict, reason, "%*s",
                       notice->message_len, notice->message);
}


/* the rest of the time of "ttl=" */

static ngx_msec_int_t
ngx_gate_check_notify_left(ngx_gate_check_notify_conf_t *conf)
{
    ngx_gate_notice_t  *notice;

    notice = conf->notice;

    if (conf->ttl == 0
        || (notice->verdict != NGX_GATE_PASSED
            && notice->verdict != NGX_GATE_RUNNING))
    {
        return NGX_MAX_INT_T_VALUE;
    }

    return (ngx_msec_int_t) (notice->msec + conf->ttl - ngx_current_msec);
}


static void
ngx_gate_check_notify_cancel(ngx_gate_probe_t *probe)
{
    /* a run ends immediately */
}
