
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The target of a tcp or grpc check; see ngx_gate_check_target.h.
 */


#include <ngx_gate_check_target.h>


char *
ngx_gate_check_target_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_check_target_t *target)
{
    char                 *err;
    ngx_gate_endpoint_t  *endpoint;

    endpoint = &target->endpoint;

    /* an inner check gets the address of the server with each probe */

    err = ngx_gate_endpoint_parse(cf, endpoint, &check->target,
                                  check->outer ? 1 : 0);

    if (err) {

        /* not logged: it may be a URL with a password */

        return ngx_gate_param_error(cf, check, "the target %s, it must be "
                                    "\"host:port\", \"[address]:port\" or "
                                    "\"unix:/path\"", err);
    }

    if (!target->use_tls) {
        return ngx_gate_tls_reject(cf, check, &target->tls, "\"tls\"");
    }

    endpoint->tls = &target->tls;

    return ngx_gate_tls_init(cf, check, &target->tls, &endpoint->host);
}
