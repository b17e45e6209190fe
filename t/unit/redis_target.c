
/*
 * The target of a redis check: results of parsing, and errors.
 */


#include <unit.h>
#include <ngx_gate_check_redis_target.h>


static void unit_good(void);
static void unit_bad(void);
static void unit_list(void);
static ngx_uint_t unit_is(ngx_str_t *str, const char *text);
static ngx_uint_t unit_parse(const char *text, ngx_uint_t sentinels,
    ngx_gate_check_redis_target_t *target);


static struct {
    const char  *text;
    const char  *host;      /* or the path of a socket */
    ngx_uint_t   port;
    ngx_uint_t   tls;
    const char  *user;
    const char  *password;
    ngx_int_t    database;
} unit_targets[] = {
    { "redis://cache",               "cache",     6379, 0, "", "", -1 },
    { "redis://cache:7000",          "cache",     7000, 0, "", "", -1 },
    { "redis://cache/",              "cache",     6379, 0, "", "", -1 },
    { "redis://cache/0",             "cache",     6379, 0, "", "", 0 },
    { "redis://cache:7000/12",       "cache",     7000, 0, "", "", 12 },
    { "redis://cache?db=3",          "cache",     6379, 0, "", "", 3 },
    { "redis://cache/?db=3",         "cache",     6379, 0, "", "", 3 },
    { "rediss://cache",              "cache",     6379, 1, "", "", -1 },
    { "REDISS://cache",              "cache",     6379, 1, "", "", -1 },
    { "redis://[::1]",               "::1",       6379, 0, "", "", -1 },
    { "redis://[::1]:7000/1",        "::1",       7000, 0, "", "", 1 },
    { "redis://127.0.0.1:7000",      "127.0.0.1", 7000, 0, "", "", -1 },
    { "redis://me:secret@cache",     "cache",     6379, 0, "me", "secret",
                                                                       -1 },
    { "redis://:secret@cache:7000",  "cache",     7000, 0, "", "secret", -1 },
    { "redis://me@cache/2",          "cache",     6379, 0, "me", "", 2 },
    { "redis://m%65:a%2Fb%3a%40@cache", "cache",  6379, 0, "me", "a/b:@", -1 },
    { "redis://:a:b@cache",          "cache",     6379, 0, "", "a:b", -1 },
    { "redis://:a@b@cache",          "cache",     6379, 0, "", "a@b", -1 },
    { "redis://:%25@[::1]/7",        "::1",       6379, 0, "", "%", 7 },
    { "unix:/run/redis.sock",        "/run/redis.sock", 0, 0, "", "", -1 },
    { "unix:/" "//run/redis.sock",      "/run/redis.sock", 0, 0, "", "", -1 },
    { "unix:/" "/" "/" "/run/r",     "/run/r",    0, 0, "", "", -1 },
    { "unix:/run/redis.sock?db=4",   "/run/redis.sock", 0, 0, "", "", 4 },
    { "unix:me:secret@/run/r?db=4",  "/run/r",    0, 0, "me", "secret", 4 },
    { "unix://:secret@/run/r",       "/run/r",    0, 0, "", "secret", -1 },
    { "unix:/run/a@b",               "/run/a@b",  0, 0, "", "", -1 },
    { "unix://:a%2Fb@/r",            "/r",        0, 0, "", "a/b", -1 },
    { NULL, NULL, 0, 0, NULL, NULL, 0 }
};


static const char  *unit_bad_targets[] = {
    "",
    "cache",
    "cache:6379",
    "http://cache",
    "redis:/cache",
    "redis://",
    "redis:/" "//0",
    "redis://:6379",
    "redis://cache:",
    "redis://cache:0",
    "redis://cache:65536",
    "redis://cache:port",
    "redis://::1",
    "redis://[::1",
    "redis://[cache]",
    "redis://ca che",
    "redis://cache/x",
    "redis://cache/-1",
    "redis://cache/0/1",
    "redis://cache/99999999999999999999",
    "redis://cache/0?db=1",
    "redis://cache?",
    "redis://cache?db=",
    "redis://cache?db=x",
    "redis://cache?database=1",
    "redis://cache?db=1&x=y",
    "redis://@cache",
    "redis://me:@cache",
    "redis://:secret@",
    "redis://:se/cret@cache",
    "redis://:se?cret@cache",
    "redis://:se%cret@cache",
    "redis://:secret%4@cache",
    "redis://:secret%@cache",
    "redis://a,b",
    "redis://a,",
    "unix:",
    "unix:run/redis.sock",
    "unix:/run/redis.sock?x",
    "unix:secret/run/redis.sock",
    "unix://host/run/redis.sock",
    NULL
};


static void
unit(void)
{
    unit_good();
    unit_bad();
    unit_list();
}


static void
unit_good(void)
{
    ngx_uint_t                     i;
    ngx_str_t                     *host;
    ngx_gate_check_redis_target_t  t;

    for (i = 0; unit_targets[i].text; i++) {

        if (!ok(unit_parse(unit_targets[i].text, 0, &t), "\"%s\" is taken",
                unit_targets[i].text))
        {
            continue;
        }

        host = t.servers[0].path.len ? &t.servers[0].path
                                     : &t.servers[0].host;

        ok(t.nservers == 1
           && unit_is(host, unit_targets[i].host)
           && t.servers[0].port == unit_targets[i].port
           && t.tls == unit_targets[i].tls
           && unit_is(&t.user, unit_targets[i].user)
           && unit_is(&t.password, unit_targets[i].password)
           && (ngx_int_t) t.database == unit_targets[i].database,
           "\"%s\" is understood", unit_targets[i].text);
    }
}


/* no password in the log */

static void
unit_bad(void)
{
    ngx_uint_t                     i;
    ngx_str_t                      text;
    ngx_conf_t                     cf;
    const char                    *err;
    ngx_gate_check_redis_target_t  t;

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    cf.pool = unit_pool;

    for (i = 0; unit_bad_targets[i]; i++) {
        text.data = (u_char *) unit_bad_targets[i];
        text.len = ngx_strlen(text.data);

        err = ngx_gate_check_redis_target_parse(&cf, &text, 0, &t);

        ok(err && ngx_strstr(err, "secret") == NULL
           && ngx_strstr(err, "cret") == NULL,
           "\"%s\" %s", unit_bad_targets[i], err ? err : "is accepted");
    }
}


static void
unit_list(void)
{
    ngx_gate_check_redis_target_t  t;

    ok(unit_parse("redis://a,b:7,[::1]:8/3", 1, &t),
       "list of sentinels: accepted");
    ok(t.nservers == 3, "list of sentinels: three servers");
    ok(t.database == 3, "list of sentinels: database");
    ok(unit_is(&t.servers[0].host, "a") && t.servers[0].port == 26379,
       "first sentinel: default port");
    ok(unit_is(&t.servers[1].host, "b") && t.servers[1].port == 7,
       "second sentinel: port");
    ok(unit_is(&t.servers[2].host, "::1") && t.servers[2].port == 8,
       "third sentinel: address and port");

    ok(unit_parse("me:secret@a,b", 1, &t), "list without a scheme: accepted");
    ok(t.nservers == 2 && unit_is(&t.user, "me")
       && unit_is(&t.password, "secret"),
       "list without a scheme: user and password");

    ok(!unit_parse("redis://a,,b", 1, &t), "empty item of a list: refused");
    ok(!unit_parse("redis://a,b,", 1, &t), "empty item at the end: refused");
    ok(!unit_parse("redis://a,unix:/b", 1, &t), "socket in a list: refused");
    ok(unit_parse("redis://1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g", 1, &t),
       "sixteen sentinels: accepted");
    ok(!unit_parse("redis://1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h", 1, &t),
       "seventeen sentinels: refused");
}


static ngx_uint_t
unit_is(ngx_str_t *str, const char *text)
{
    return str->len == ngx_strlen(text)
           && ngx_memcmp(str->len ? (char *) str->data : "", text, str->len)
              == 0;
}


static ngx_uint_t
unit_parse(const char *text, ngx_uint_t sentinels,
    ngx_gate_check_redis_target_t *target)
{
    ngx_str_t   str;
    ngx_conf_t  cf;

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    cf.pool = unit_pool;

    str.data = (u_char *) text;
    str.len = ngx_strlen(text);

    return ngx_gate_check_redis_target_parse(&cf, &str, sentinels, target)
           == NULL;
}
