
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The upstream check: the check of each server of a group, and the number of
 * servers required.
 */


#include <ngx_http_gate_upstream.h>
#include <ngx_gate_endpoint.h>
#include <ngx_gate_param.h>


typedef struct {
    ngx_gate_servers_t        servers;
    ngx_str_t                 uri;          /* of http= */
    ngx_str_t                 service;      /* of grpc= */
    ngx_uint_t                use_tls;      /* of http= */
    int64_t                   capacity;
} ngx_http_gate_upstream_conf_t;


/* the addresses of a group */

typedef struct {
    ngx_array_t                addresses;    /* of ngx_str_t */
    ngx_uint_t                 local;        /* number of Unix sockets */
} ngx_http_gate_upstream_count_t;


static char *ngx_http_gate_upstream_set_inner(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_http_gate_upstream_set_tls(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_http_gate_upstream_set_port(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_http_gate_upstream_set_min(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_gate_param_t *param, ngx_str_t *value);
static char *ngx_http_gate_upstream_parse(ngx_conf_t *cf,
    ngx_gate_check_t *check);
static char *ngx_http_gate_upstream_parse_http(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_http_gate_upstream_conf_t *conf);
static char *ngx_http_gate_upstream_set_service(ngx_conf_t *cf,
    ngx_gate_check_t *check, ngx_str_t *service);
static char *ngx_http_gate_upstream_set_param(ngx_conf_t *cf,
    ngx_gate_check_t *check, const char *name, ngx_str_t *value);

static ngx_int_t ngx_http_gate_upstream_bind_check(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf, ngx_gate_check_t *check);
static ngx_int_t ngx_http_gate_upstream_bind_group(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf, ngx_gate_servers_t *servers);
static ngx_int_t ngx_http_gate_upstream_bind_servers(ngx_conf_t *cf,
    ngx_gate_servers_t *servers);
static void ngx_http_gate_upstream_add(void *data,
    ngx_gate_servers_peer_t *peer);
static ngx_uint_t ngx_http_gate_upstream_count(
    ngx_http_gate_upstream_count_t *count);
static int ngx_libc_cdecl ngx_http_gate_upstream_compare(const void *one,
    const void *two);
static ngx_int_t ngx_cdecl ngx_http_gate_upstream_error(ngx_conf_t *cf,
    ngx_gate_check_t *check, const char *fmt, ...);

static ngx_uint_t ngx_http_gate_upstream_was_serving(
    ngx_gate_servers_peer_t *peer, void *data);

static void ngx_http_gate_upstream_start(ngx_gate_probe_t *probe);
static void ngx_http_gate_upstream_cancel(ngx_gate_probe_t *probe);
static void ngx_http_gate_upstream_too_few(ngx_gate_probe_t *probe,
    ngx_gate_servers_count_t *count, ngx_uint_t needed);


/* check types for servers */

static ngx_gate_conf_type_t  ngx_http_gate_upstream_types[] = {

    { ngx_string("http"), &ngx_gate_check_http, NULL },
    { ngx_string("tcp"), &ngx_gate_check_tcp, NULL },

#if (NGX_GATE_GRPC)
    { ngx_string("grpc"), &ngx_gate_check_grpc, NULL }
#else
    { ngx_string("grpc"), NULL, "libnghttp2" }
#endif
};


static ngx_gate_param_t  ngx_http_gate_upstream_params[] = {

    { ngx_string("http"),
      NGX_GATE_PARAM_FIRST,
      ngx_http_gate_upstream_set_inner,
      offsetof(ngx_http_gate_upstream_conf_t, uri),
      "the path of a URL, as in /ready" },

    { ngx_string("grpc"),
      NGX_GATE_PARAM_FIRST|NGX_GATE_PARAM_MAYBE,
      ngx_http_gate_upstream_set_inner,
      offsetof(ngx_http_gate_upstream_conf_t, service),
      "the name of a service" },

    { ngx_string("tcp"),
      NGX_GATE_PARAM_FIRST|NGX_GATE_PARAM_FLAG,
      ngx_http_gate_upstream_set_inner,
      0,
      NULL },

    { ngx_string("tls"),
      NGX_GATE_PARAM_FLAG,
      ngx_http_gate_upstream_set_tls,
      0,
      NULL },

    { ngx_string("port"),
      0,
      ngx_http_gate_upstream_set_port,
      0,
      "a port, 1 to 65535" },

    { ngx_string("min"),
      0,
      ngx_http_gate_upstream_set_min,
      0,
      "a number, 1 or more, or \"all\"" },

    { ngx_string("servers"),
      0,
      ngx_gate_param_set_count,
      offsetof(ngx_http_gate_upstream_conf_t, capacity),
      "a number, 1 to 65536" },

    { ngx_string("once"),
      NGX_GATE_PARAM_FLAG,
      ngx_gate_param_set_flag,
      offsetof(ngx_http_gate_upstream_conf_t, servers)
      + offsetof(ngx_gate_servers_t, once),
      NULL },

      ngx_gate_param_end
};


ngx_gate_check_type_t  ngx_http_gate_upstream = {
    ngx_string("upstream"),
    ngx_http_gate_upstream_params,
    sizeof(ngx_http_gate_upstream_conf_t),
    sizeof(ngx_uint_t),
    ngx_http_gate_upstream_parse,
    ngx_http_gate_upstream_start,
    ngx_http_gate_upstream_cancel,
    0,
    0
};


/* parameters that select the inner check */

static char *
ngx_http_gate_upstream_set_inner(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_str_t             *str;
    ngx_gate_check_t      *inner;
    ngx_gate_conf_type_t  *type;

    if (check->inner) {
        return ngx_gate_param_error(cf, check, "parameter \"%V\" conflicts "
                                    "with \"%V\"", &param->name,
                                    &check->inner->type->name);
    }

    type = ngx_http_gate_upstream_types;

    while (!ngx_gate_str_eq(&type->name, &param->name)) {
        type++;
    }

    if (type->type == NULL) {
        return ngx_gate_param_error(cf, check, "parameter \"%V\" is not "
                                    "available: this module was built without "
                                    "%s", &param->name, type->library);
    }

    inner = ngx_pcalloc(cf->pool, sizeof(ngx_gate_check_t));
    if (inner == NULL) {
        return NGX_CONF_ERROR;
    }

    inner->conf = ngx_pcalloc(cf->pool, type->type->conf_size);
    if (inner->conf == NULL) {
        return NGX_CONF_ERROR;
    }

    inner->type = type->type;
    inner->target = check->target;
    inner->gate = check->gate;
    inner->file = check->file;
    inner->line = check->line;
    inner->outer = check;

    check->inner = inner;

    if (value->len) {
        str = (ngx_str_t *) ((char *) check->conf + param->offset);
        *str = *value;
    }

    return NGX_CONF_OK;
}


/* for http, TLS is part of the URL */

static char *
ngx_http_gate_upstream_set_tls(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_gate_param_t               *inner;
    ngx_http_gate_upstream_conf_t  *conf;

    conf = check->conf;
    conf->use_tls = 1;

    if (check->inner == NULL) {
        return NGX_CONF_OK;
    }

    inner = ngx_gate_param_find(check->inner, &param->name);

    return inner ? inner->set(cf, check->inner, inner, value) : NGX_CONF_OK;
}


static char *
ngx_http_gate_upstream_set_port(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_int_t                       n;
    ngx_http_gate_upstream_conf_t  *conf;

    conf = check->conf;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > 65535) {
        return ngx_gate_param_error(cf, check, "invalid value \"%V\" of "
                                    "parameter \"port\", it must be %s",
                                    value, param->values);
    }

    conf->servers.port = (in_port_t) n;

    return NGX_CONF_OK;
}


static char *
ngx_http_gate_upstream_set_min(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_gate_param_t *param, ngx_str_t *value)
{
    ngx_int_t                       n;
    ngx_http_gate_upstream_conf_t  *conf;

    conf = check->conf;

    n = ngx_atoi(value->data, value->len);

    if (value->len == 3 && ngx_strncmp(value->data, "all", 3) == 0) {
        n = 0;

    } else if (n < 1) {
        return ngx_gate_param_error(cf, check, "invalid value \"%V\" of "
                                    "parameter \"min\", it must be %s",
                                    value, param->values);
    }

    conf->servers.min = (ngx_uint_t) n;
    conf->servers.all = (n == 0);

    return NGX_CONF_OK;
}


static char *
ngx_http_gate_upstream_parse(ngx_conf_t *cf, ngx_gate_check_t *check)
{
    char                           *err;
    ngx_gate_endpoint_t             endpoint;
    ngx_http_gate_upstream_conf_t  *conf;

    conf = check->conf;

    if (check->inner == NULL) {
        return ngx_gate_param_error(cf, check, "one of \"http=\", \"grpc\" "
                                    "and \"tcp\" is needed, since an open port"
                                    " is not an initialized server");
    }

    if (conf->capacity > NGX_GATE_SERVERS_CAPACITY_MAX) {
        return ngx_gate_param_error(cf, check, "invalid value \"%L\" of "
                                    "parameter \"servers\", it must be a "
                                    "number, 1 to 65536", conf->capacity);
    }

    /* the name is used in requests to the servers */

    err = ngx_gate_endpoint_parse(cf, &endpoint, &check->target, 1);

    if (err) {
        return ngx_gate_param_error(cf, check, "the target %s, it must be "
                                    "the name of an \"upstream\" block", err);
    }

    check->servers = &conf->servers;
    check->inner->name = check->name;

    conf->servers.group = check->target;

    if (conf->servers.min == 0 && !conf->servers.all) {
        conf->servers.min = 1;
    }

    if (conf->service.len
        && ngx_http_gate_upstream_set_service(cf, check, &conf->service)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->uri.len) {
        return ngx_http_gate_upstream_parse_http(cf, check, conf);
    }

    return check->inner->type->parse(cf, check->inner);
}


static char *
ngx_http_gate_upstream_parse_http(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_http_gate_upstream_conf_t *conf)
{
    u_char     *p;
    ngx_str_t   close, *target;

    if (conf->uri.data[0] != '/') {
        return ngx_gate_param_error(cf, check, "invalid value \"%V\" of "
                                    "parameter \"http\", it must be the path "
                                    "of a URL, as in /ready", &conf->uri);
    }

    target = &check->inner->target;

    target->data = ngx_pnalloc(cf->pool, sizeof("https://") - 1
                                         + conf->servers.group.len
                                         + conf->uri.len);
    if (target->data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(target->data, "%s%V%V",
                    conf->use_tls ? "https://" : "http://",
                    &conf->servers.group, &conf->uri);
    target->len = p - target->data;

    ngx_str_set(&close, "Connection: close");

    if (ngx_http_gate_upstream_set_param(cf, check->inner, "header", &close)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return check->inner->type->parse(cf, check->inner);
}


/* of "grpc=SERVICE" */

static char *
ngx_http_gate_upstream_set_service(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *service)
{
    ngx_str_t          name, *str;
    ngx_gate_param_t  *param;

    ngx_str_set(&name, "service");

    param = ngx_gate_param_find(check->inner, &name);

    str = (ngx_str_t *) ((char *) check->inner->conf + param->offset);

    if (str->len) {
        return ngx_gate_param_error(cf, check, "parameter \"service\" "
                                    "conflicts with \"grpc=%V\"", service);
    }

    return param->set(cf, check->inner, param, service);
}


static char *
ngx_http_gate_upstream_set_param(ngx_conf_t *cf, ngx_gate_check_t *check,
    const char *name, ngx_str_t *value)
{
    ngx_str_t          word;
    ngx_gate_param_t  *param;

    word.data = (u_char *) name;
    word.len = ngx_strlen(name);

    param = ngx_gate_param_find(check, &word);

    return param->set(cf, check, param, value);
}


ngx_int_t
ngx_http_gate_upstream_bind(ngx_conf_t *cf, ngx_init_gate_conf_t *igcf,
    ngx_http_gate_main_conf_t *gmcf)
{
    ngx_uint_t         i, n;
    ngx_gate_t        *gate;
    ngx_gate_check_t  *check;

    gate = igcf->conf.gates.elts;

    for (i = 0; i < igcf->conf.gates.nelts; i++) {

        for (n = 0; n < gate[i].checks.nelts; n++) {
            check = ngx_gate_check_at(&gate[i], n);

            if (check->servers
                && ngx_http_gate_upstream_bind_check(cf, gmcf, check)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_upstream_bind_check(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf, ngx_gate_check_t *check)
{
    ngx_gate_servers_t  *servers, **s;

    servers = check->servers;

    /* checks and gates no longer move */

    servers->check = check;

    check->inner->outer = check;
    check->inner->gate = check->gate;
    check->inner->timeout = check->timeout;

    if (ngx_http_gate_upstream_bind_group(cf, gmcf, servers) != NGX_OK
        || ngx_http_gate_upstream_bind_servers(cf, servers) != NGX_OK)
    {
        return NGX_ERROR;
    }

    servers->list = ngx_http_gate_upstream_peers_list;
    servers->apply = ngx_http_gate_upstream_peers_apply;

    servers->shm_zone = ngx_gate_servers_add(cf, servers,
                                             &ngx_init_gate_module);
    if (servers->shm_zone == NULL) {
        return NGX_ERROR;
    }

    s = ngx_array_push(&gmcf->servers);
    if (s == NULL) {
        return NGX_ERROR;
    }

    *s = servers;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_upstream_bind_group(ngx_conf_t *cf,
    ngx_http_gate_main_conf_t *gmcf, ngx_gate_servers_t *servers)
{
    ngx_uint_t                      i;
    ngx_gate_servers_t            **other;
    ngx_http_upstream_srv_conf_t   *uscf;
    ngx_http_upstream_main_conf_t  *umcf;

    umcf = ngx_http_cycle_get_module_main_conf(cf->cycle,
                                               ngx_http_upstream_module);

    uscf = umcf ? ngx_http_gate_upstream_peers_find(umcf, &servers->group)
                : NULL;

    if (uscf == NULL) {
        return ngx_http_gate_upstream_error(cf, servers->check,
                                            "there is no \"upstream %V\" "
                                            "block", &servers->group);
    }

    if (!ngx_http_gate_upstream_peers_has_zone(uscf)) {
        return ngx_http_gate_upstream_error(cf, servers->check,
                                            "upstream \"%V\" has no \"zone\" "
                                            "directive, as in \"zone %V 64k\"",
                                            &servers->group, &servers->group);
    }

    other = gmcf->servers.elts;

    for (i = 0; i < gmcf->servers.nelts; i++) {

        if (other[i]->upstream == uscf) {
            return ngx_http_gate_upstream_error(cf, servers->check,
                                                "upstream \"%V\" has a check "
                                                "already, in %V:%ui",
                                                &servers->group,
                                                &other[i]->check->file,
                                                other[i]->check->line);
        }
    }

    servers->upstream = uscf;
    servers->dynamic = ngx_http_gate_upstream_peers_is_dynamic(uscf);

    return NGX_OK;
}


static ngx_int_t
ngx_http_gate_upstream_bind_servers(ngx_conf_t *cf,
    ngx_gate_servers_t *servers)
{
    ngx_uint_t                       n;
    ngx_http_gate_upstream_conf_t   *conf;
    ngx_http_gate_upstream_count_t   count;

    conf = servers->check->conf;

    ngx_memzero(&count, sizeof(ngx_http_gate_upstream_count_t));

    if (ngx_array_init(&count.addresses, cf->temp_pool, 16, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_gate_upstream_peers_list(servers, ngx_http_gate_upstream_add,
                                      &count);

    n = ngx_http_gate_upstream_count(&count);
    servers->configured = n;

    if (n == 0 && !servers->dynamic) {
        return ngx_http_gate_upstream_error(cf, servers->check,
                                            "all servers of upstream \"%V\" "
                                            "are \"down\"", &servers->group);
    }

    if (servers->min > n && !servers->dynamic) {
        return ngx_http_gate_upstream_error(cf, servers->check,
                                            "\"min=%ui\" exceeds the %ui "
                                            "servers of upstream \"%V\"",
                                            servers->min, n, &servers->group);
    }

    if (servers->port && count.local) {
        return ngx_http_gate_upstream_error(cf, servers->check,
                                            "\"port=\" conflicts with a unix "
                                            "socket in upstream \"%V\"",
                                            &servers->group);
    }

    servers->capacity = conf->capacity
                        ? (ngx_uint_t) conf->capacity
                        : ngx_max(NGX_GATE_SERVERS_CAPACITY, n);

    if (servers->capacity < n) {
        return ngx_http_gate_upstream_error(cf, servers->check,
                                            "\"servers=%ui\" is below the %ui "
                                            "servers of upstream \"%V\"",
                                            servers->capacity, n,
                                            &servers->group);
    }

    return NGX_OK;
}


static void
ngx_http_gate_upstream_add(void *data, ngx_gate_servers_peer_t *peer)
{
    ngx_http_gate_upstream_count_t *count = data;

    ngx_str_t  *address;

    count->local |= (peer->sockaddr->sa_family == AF_UNIX);

    address = ngx_array_push(&count->addresses);
    if (address) {
        *address = peer->address;
    }
}


/* duplicate addresses are one server */

static ngx_uint_t
ngx_http_gate_upstream_count(ngx_http_gate_upstream_count_t *count)
{
    ngx_str_t   *address;
    ngx_uint_t   i, n;

    address = count->addresses.elts;

    ngx_qsort(address, count->addresses.nelts, sizeof(ngx_str_t),
              ngx_http_gate_upstream_compare);

    n = 0;

    for (i = 0; i < count->addresses.nelts; i++) {
        if (i == 0 || !ngx_gate_str_eq(&address[i - 1], &address[i])) {
            n++;
        }
    }

    return n;
}


static int ngx_libc_cdecl
ngx_http_gate_upstream_compare(const void *one, const void *two)
{
    const ngx_str_t  *first = one;
    const ngx_str_t  *second = two;

    if (first->len != second->len) {
        return first->len < second->len ? -1 : 1;
    }

    return ngx_memcmp(first->data, second->data, first->len);
}


ngx_int_t
ngx_http_gate_upstream_add_location(ngx_conf_t *cf,
    ngx_http_gate_loc_conf_t *glcf)
{
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_gate_main_conf_t        *gmcf;
    ngx_http_upstream_srv_conf_t     *uscf;
    ngx_http_gate_upstream_passes_t  *passes;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    uscf = ngx_http_gate_upstream_peers_of_location(cf);

    if (uscf == NULL || clcf->noname) {
        return NGX_OK;
    }

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_init_gate_module);

    passes = ngx_array_push(&gmcf->passes);
    if (passes == NULL) {
        return NGX_ERROR;
    }

    passes->name = &clcf->name;
    passes->upstream = uscf;
    passes->conf = glcf;

    return NGX_OK;
}


void
ngx_http_gate_upstream_warn(ngx_conf_t *cf, ngx_http_gate_main_conf_t *gmcf)
{
    ngx_uint_t                        i, n;
    ngx_gate_t                      **gate;
    ngx_gate_check_t                 *check;
    ngx_gate_servers_t              **servers;
    ngx_http_gate_upstream_passes_t  *passes;

    servers = gmcf->servers.elts;
    passes = gmcf->passes.elts;

    for (i = 0; i < gmcf->passes.nelts; i++) {

        for (n = 0; n < gmcf->servers.nelts; n++) {
            check = servers[n]->check;

            if (servers[n]->upstream != passes[i].upstream) {
                continue;
            }

            gate = passes[i].conf->gates;

            while (gate && *gate && *gate != check->gate) {
                gate++;
            }

            if (gate && *gate) {
                continue;
            }

            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "location \"%V\" passes requests to upstream "
                          "\"%V\" without \"init_gate %V\", whose check "
                          "\"%V\" keeps servers out of it in %V:%ui",
                          passes[i].name, &servers[n]->group,
                          &check->gate->name, &check->name, &check->file,
                          check->line);
        }
    }
}


static ngx_int_t ngx_cdecl
ngx_http_gate_upstream_error(ngx_conf_t *cf, ngx_gate_check_t *check,
    const char *fmt, ...)
{
    u_char   *p, text[NGX_MAX_CONF_ERRSTR];
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "%*s: check \"%V\" of type \"upstream\" in init_checks "
                  "\"%V\" in %V:%ui", (size_t) (p - text), text, &check->name,
                  &check->gate->name, &check->file, check->line);

    return NGX_ERROR;
}


/*
 * A reload removes no server: servers that were in remain in, and if a group
 * gets its first check, all of its servers are in.
 */

void
ngx_http_gate_upstream_commit(ngx_http_gate_main_conf_t *gmcf,
    ngx_cycle_t *old, ngx_log_t *log)
{
    ngx_uint_t                       i;
    ngx_shm_zone_t                  *zone;
    ngx_gate_stats_t                *stats;
    ngx_gate_servers_t             **servers;
    ngx_http_upstream_srv_conf_t    *uscf;
    ngx_http_upstream_main_conf_t   *umcf;

    umcf = ngx_is_init_cycle(old) ? NULL
           : ngx_http_cycle_get_module_main_conf(old, ngx_http_upstream_module);

    stats = gmcf->core->stats->data;
    servers = gmcf->servers.elts;

    for (i = 0; i < gmcf->servers.nelts; i++) {

        servers[i]->generation = gmcf->core->generation;
        servers[i]->newest = &stats->generation;

        zone = ngx_gate_zone_find(old, &ngx_init_gate_module,
                                  servers[i]->prefix);

        ngx_gate_servers_commit(servers[i], zone);

        uscf = (umcf && zone == NULL)
               ? ngx_http_gate_upstream_peers_find(umcf, &servers[i]->group)
               : NULL;

        (void) ngx_gate_servers_sync(servers[i],
                                     ngx_http_gate_upstream_was_serving,
                                     uscf, log);

        servers[i]->apply(servers[i]);
    }
}


static ngx_uint_t
ngx_http_gate_upstream_was_serving(ngx_gate_servers_peer_t *peer, void *data)
{
    return data && ngx_http_gate_upstream_peers_serves(data, peer);
}


void
ngx_http_gate_upstream_follow(ngx_http_gate_main_conf_t *gmcf)
{
    ngx_uint_t            i;
    ngx_gate_servers_t  **servers;

    servers = gmcf->servers.elts;

    for (i = 0; i < gmcf->servers.nelts; i++) {

        if (ngx_gate_servers_is_newest(servers[i])) {
            return;
        }

        if (servers[i]->dynamic
            || servers[i]->applied != servers[i]->zone->version)
        {
            servers[i]->apply(servers[i]);
        }
    }
}


/* the servers are probed by ngx_gate_server_run.c */

static void
ngx_http_gate_upstream_start(ngx_gate_probe_t *probe)
{
    ngx_uint_t                 needed;
    ngx_gate_servers_t        *servers;
    ngx_gate_servers_count_t   count;

    servers = probe->check->servers;

    ngx_gate_servers_count(servers->zone, &count);

    needed = ngx_gate_servers_needed(servers, &count);

    probe->result.observed = count.in;
    probe->result.expected = needed;

    if (count.in >= needed) {
        ngx_gate_probe_end(probe, NGX_GATE_PASSED, NGX_GATE_OK,
                           "%ui of %ui servers are in", count.in, count.known);
        return;
    }

    ngx_http_gate_upstream_too_few(probe, &count, needed);
}


/* with the message of the first server that is out */

static void
ngx_http_gate_upstream_too_few(ngx_gate_probe_t *probe,
    ngx_gate_servers_count_t *count, ngx_uint_t needed)
{
    u_char                     text[NGX_GATE_SERVERS_TEXT_MAX];
    ngx_str_t                  message;
    ngx_uint_t                 i;
    ngx_gate_servers_zone_t   *zone;
    ngx_gate_servers_report_t  server;

    zone = probe->check->servers->zone;

    for (i = 0; i < zone->nused; i++) {

        if ((zone->states[i] & NGX_GATE_SERVERS_IN)
            || ngx_gate_servers_read(zone, i, &server, text) != NGX_OK)
        {
            continue;
        }

        message.data = server.record.result.message;
        message.len = server.record.result.message_len;

        ngx_gate_probe_end(probe, NGX_GATE_WAITING, NGX_GATE_TOO_FEW,
                           "%ui of %ui servers are in, %ui needed; %V %V%s%V",
                           count->in, count->known, needed, &server.address,
                           &ngx_gate_verdict_names[
                                                server.record.result.verdict],
                           message.len ? ": " : "", &message);
        return;
    }

    ngx_gate_probe_end(probe, NGX_GATE_WAITING, NGX_GATE_TOO_FEW,
                       "%ui of %ui servers are in, %ui needed",
                       count->in, count->known, needed);
}


static void
ngx_http_gate_upstream_cancel(ngx_gate_probe_t *probe)
{
    (void) probe;
}
