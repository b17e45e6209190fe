
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * init_notify: receives the notices of initializers.
 */


#include <ngx_http_gate_post.h>
#include <ngx_gate_notices.h>
#include <ngx_gate_record.h>


static const char *ngx_http_gate_notify_find(ngx_http_gate_post_t *post,
    ngx_str_t *path);
static void ngx_http_gate_notify_done(ngx_http_gate_post_t *post);
static const char *ngx_http_gate_notify_parse(ngx_http_gate_form_arg_t *args,
    ngx_gate_notice_t *notice);
static ngx_gate_verdict_e ngx_http_gate_notify_verdict(ngx_str_t *value);


typedef enum {
    NGX_HTTP_GATE_NOTIFY_VERDICT = 0,
    NGX_HTTP_GATE_NOTIFY_OBSERVED,
    NGX_HTTP_GATE_NOTIFY_EXPECTED,
    NGX_HTTP_GATE_NOTIFY_MESSAGE
} ngx_http_gate_notify_arg_e;


static ngx_http_gate_form_arg_t  ngx_http_gate_notify_args[] = {
    { ngx_string("verdict"), ngx_null_string },
    { ngx_string("observed"), ngx_null_string },
    { ngx_string("expected"), ngx_null_string },
    { ngx_string("message"), ngx_null_string },
    { ngx_null_string, ngx_null_string }
};


ngx_int_t
ngx_http_gate_notify_handler(ngx_http_request_t *r)
{
    return ngx_http_gate_post_begin(r, ngx_http_gate_notify_find,
                                    ngx_http_gate_notify_done);
}


/* GATE/CHECK */

static const char *
ngx_http_gate_notify_find(ngx_http_gate_post_t *post, ngx_str_t *path)
{
    u_char                     *slash;
    ngx_str_t                   gate, name;
    ngx_uint_t                  i;
    ngx_gate_check_t           *check;
    ngx_http_gate_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(post->request,
                                         ngx_http_init_gate_module);

    slash = ngx_strlchr(path->data, path->data + path->len, '/');

    if (slash == NULL) {
        return "The path of the location must be followed by GATE/NAME, the "
               "names of a gate and of its notify check.";
    }

    gate.data = path->data;
    gate.len = slash - path->data;

    name.data = slash + 1;
    name.len = path->data + path->len - name.data;

    post->gate = ngx_gate_conf_find(&gmcf->core->conf, &gate);

    if (post->gate == NULL) {
        return "There is no init gate with this name.";
    }

    for (i = 0; i < post->gate->checks.nelts; i++) {
        check = ngx_gate_check_at(post->gate, i);

        if (check->mailbox && ngx_gate_str_eq(&check->name, &name)) {
            post->check = check;
            return NULL;
        }
    }

    return "The init gate has no notify check with this name.";
}


static void
ngx_http_gate_notify_done(ngx_http_gate_post_t *post)
{
    const char                *error;
    ngx_atomic_uint_t          count;
    ngx_gate_notice_t          notice;
    ngx_gate_mailbox_t        *box;
    ngx_http_gate_form_arg_t   args[sizeof(ngx_http_gate_notify_args)
                                    / sizeof(ngx_http_gate_form_arg_t)];

    ngx_memcpy(args, ngx_http_gate_notify_args, sizeof(args));

    if (ngx_http_gate_post_args(post, args) != NGX_OK) {
        return;
    }

    error = ngx_http_gate_notify_parse(args, &notice);

    if (error) {
        ngx_http_gate_post_invalid(post, error);
        return;
    }

    box = post->check->mailbox;

    count = ngx_gate_mailbox_put(box, &notice);

    if (count == 0) {
        ngx_http_gate_post_unavailable(post);
        return;
    }

    ngx_http_gate_await_begin(post, box, count);
}


/* returns the error, or NULL */

static const char *
ngx_http_gate_notify_parse(ngx_http_gate_form_arg_t *args,
    ngx_gate_notice_t *notice)
{
    ngx_str_t  *value;

    ngx_memzero(notice, sizeof(ngx_gate_notice_t));

    notice->verdict = ngx_http_gate_notify_verdict(
                                    &args[NGX_HTTP_GATE_NOTIFY_VERDICT].value);

    if (notice->verdict == NGX_GATE_PENDING) {
        return "verdict must be passed, running, waiting or failed";
    }

    notice->observed = -1;
    notice->expected = -1;

    value = &args[NGX_HTTP_GATE_NOTIFY_OBSERVED].value;

    if (value->data) {
        notice->observed = ngx_http_gate_form_number(value, 0);

        if (notice->observed == NGX_ERROR) {
            return "observed must be a whole number from 0 to 2^53 - 1";
        }
    }

    value = &args[NGX_HTTP_GATE_NOTIFY_EXPECTED].value;

    if (value->data) {
        notice->expected = ngx_http_gate_form_number(value, 1);

        if (notice->expected == NGX_ERROR) {
            return "expected must be a whole number from 1 to 2^53 - 1";
        }

        if (notice->observed == -1) {
            return "expected needs observed";
        }
    }

    value = &args[NGX_HTTP_GATE_NOTIFY_MESSAGE].value;

    notice->message_len = ngx_gate_fold_message(notice->message, value->data,
                                                value->len);

    ngx_time_update();

    notice->at = ngx_gate_record_now();
    notice->msec = ngx_current_msec;

    return NULL;
}


static ngx_gate_verdict_e
ngx_http_gate_notify_verdict(ngx_str_t *value)
{
    ngx_uint_t  i;

    for (i = NGX_GATE_FAILED; i < NGX_GATE_VERDICTS; i++) {
        if (ngx_gate_str_eq(&ngx_gate_verdict_names[i], value)) {
            return i;
        }
    }

    return NGX_GATE_PENDING;
}
