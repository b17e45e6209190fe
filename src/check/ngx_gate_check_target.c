
/*
 * The target of a tcp or grpc check; see ngx_gate_check_target.h.
 */


#include <ngx_gate_check_target.h>


char *
ngx_gate_check_target_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_target_t *target)
{
    char                 *err;
    ngx_str_t             text;
    ngx_gate_endpoint_t  *endpoint;

    endpoint = &target->endpoint;
    text = check->target;

    err = ngx_gate_endpoint_parse(cf, endpoint, &text, 0);

    if (err) {

        if (ngx_strlchr(text.data, text.data + text.len, '@')) {

            /* a URL with a password */

            ngx_str_set(&text, "...");
        }

        return ngx_gate_param_error(cf, check, "target \"%V\" %s, it must be "
                                    "\"host:port\", \"[address]:port\" or "
                                    "\"unix:/path\"", &text, err);
    }

    if (!target->use_tls) {
        return ngx_gate_tls_reject(cf, check, &target->tls, "\"tls\"");
    }

    endpoint->tls = &target->tls;

    return ngx_gate_tls_init(cf, check, &target->tls, &endpoint->host);
}
