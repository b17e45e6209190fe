
/*
 * The setters of parameters of checks: valid values and their results, and the
 * messages of invalid ones, which name what is allowed.
 */


#include <unit.h>
#include <ngx_gate_param.h>
#include <ngx_gate_state.h>


typedef struct {
    ngx_uint_t    flag;
    ngx_str_t     str;
    int64_t       count;
    off_t         size;
    ngx_msec_t    time;
    ngx_str_t     path;
    ngx_regex_t  *regex;
} unit_param_conf_t;


static char *unit_parse(const char *line);
static void unit_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len);


static ngx_gate_param_t  unit_params[] = {

    { ngx_string("flag"), NGX_GATE_PARAM_FLAG, ngx_gate_param_set_flag,
      offsetof(unit_param_conf_t, flag), NULL },

    { ngx_string("str"), 0, ngx_gate_param_set_str,
      offsetof(unit_param_conf_t, str), NULL },

    { ngx_string("count"), 0, ngx_gate_param_set_count,
      offsetof(unit_param_conf_t, count), NULL },

    { ngx_string("size"), 0, ngx_gate_param_set_size,
      offsetof(unit_param_conf_t, size), NULL },

    { ngx_string("time"), 0, ngx_gate_param_set_time,
      offsetof(unit_param_conf_t, time), NULL },

    { ngx_string("path"), 0, ngx_gate_param_set_path,
      offsetof(unit_param_conf_t, path), NULL },

    { ngx_string("regex"), 0, ngx_gate_param_set_regex,
      offsetof(unit_param_conf_t, regex), NULL },

    { ngx_string("many"), NGX_GATE_PARAM_MULTI, ngx_gate_param_set_str,
      offsetof(unit_param_conf_t, str), NULL },

      ngx_gate_param_end
};


static ngx_gate_check_type_t  unit_type = {
    ngx_string("unit"), unit_params, sizeof(unit_param_conf_t),
    0, NULL, NULL, NULL, 0, 0
};


static unit_param_conf_t  unit_conf;
static ngx_gate_check_t   unit_check;
static ngx_gate_t         unit_gate = { .name = ngx_string("gate") };
static ngx_str_t          unit_target = ngx_string("target");
static char               unit_said[2048];


/* words, and the expected message, or NULL if they are valid */

static struct {
    const char   *words;
    const char   *error;
    const char   *allowed;
} unit_cases[] = {

    { "",                NULL, NULL },
    { "flag",            NULL, NULL },
    { "flag=",           "parameter \"flag\" takes no value", "" },
    { "flag=on",         "parameter \"flag\" takes no value", "" },
    { "flag flag",       "duplicate parameter \"flag\"", "" },
    { "flags",           "unknown parameter \"flags\"",
                         "(did you mean \"flag\"?)" },
    { "S3cret",          "unknown parameter \"...\"", "flag str= count=" },
    { "str",             "parameter \"str\" needs a value", "str=" },
    { "str=",            "parameter \"str\" needs a value", "str=" },
    { "str=a=b",         NULL, NULL },
    { "str=a str=b",     "duplicate parameter \"str\"", "" },
    { "many=a many=b",   NULL, NULL },
    { "nothing=1",       "unknown parameter \"nothing\"", "name= label=" },
    { "=1",              "no spaces around \"=\"", "\"name=value\"" },

    { "count=1",         NULL, NULL },
    { "count=9000000000", NULL, NULL },
    { "count=0",         "\"0\" of parameter \"count\"", "1 or more" },
    { "count=-1",        "\"-1\" of parameter \"count\"", "1 or more" },
    { "count=1k",        "\"1k\" of parameter \"count\"", "1 or more" },
    { "count=99999999999999999999", "parameter \"count\"", "1 or more" },

    { "size=1",          NULL, NULL },
    { "size=64k",        NULL, NULL },
    { "size=2g",         NULL, NULL },
    { "size=0",          "\"0\" of parameter \"size\"", "64k" },
    { "size=1t",         "\"1t\" of parameter \"size\"", "64k" },
    { "size=-1",         "\"-1\" of parameter \"size\"", "64k" },

    { "time=500ms",      NULL, NULL },
    { "time=1h",         NULL, NULL },
    { "time=5",          NULL, NULL },
    { "time=0",          "\"0\" of parameter \"time\"", "500ms" },
    { "time=-1s",        "\"-1s\" of parameter \"time\"", "500ms" },
    { "time=1.5s",       "\"1.5s\" of parameter \"time\"", "500ms" },
    { "time=5x",         "\"5x\" of parameter \"time\"", "500ms" },
    { "time=9000000y",   "\"9000000y\" of parameter \"time\"", "500ms" },

    { "path=/etc/x",     NULL, NULL },
    { "path=x",          NULL, NULL },

    { "regex=^a.*b$",    NULL, NULL },
    { "regex=(",         "parameter \"regex\"", "(" },

    { "name=a-b_c.9",    NULL, NULL },
    { "name=a/b",        "\"a/b\" of parameter \"name\"", "letters, digits" },
    { "name=a*",         "\"a*\" of parameter \"name\"", "letters, digits" },
    { "name=0123456789012345678901234567890123456789012345678901234567890123",
                         NULL, NULL },
    { "name=01234567890123456789012345678901234567890123456789012345678901234",
                         "parameter \"name\"", "64 characters" },
    { "interval=100ms",  NULL, NULL },
    { "interval=0",      "\"0\" of parameter \"interval\"", "500ms" },
    { "timeout=1s",      NULL, NULL },
    { "timeout=now",     "\"now\" of parameter \"timeout\"", "500ms" },
    { "after=other",     NULL, NULL },
    { "after=",          "parameter \"after\" needs a value", "another check" },
    { "after=a after=b", "duplicate parameter \"after\"", "" },
    { "optional",        NULL, NULL },
    { "optional=yes",    "parameter \"optional\" takes no value", "" },
    { "optional optional", "duplicate parameter \"optional\"", "" }
};


static void
unit(void)
{
    char        *rc;
    u_char       digest[16];
    ngx_uint_t   i;

    unit_log.writer = unit_writer;

    for (i = 0; i < sizeof(unit_cases) / sizeof(unit_cases[0]); i++) {

        rc = unit_parse(unit_cases[i].words);

        if (unit_cases[i].error == NULL) {
            ok(rc == NGX_CONF_OK && unit_said[0] == '\0', "accepted: %s",
               unit_cases[i].words);
            continue;
        }

        ok(rc == NGX_CONF_ERROR
           && ngx_strstr(unit_said, unit_cases[i].error)
           && ngx_strstr(unit_said, unit_cases[i].allowed)
           && ngx_strstr(unit_said,
                         " of type \"unit\" in init_checks \"gate\""),
           "refused: %s: %s", unit_cases[i].words, unit_said);
    }

    unit_parse("flag str=a=b count=42 size=64k time=500ms path=x regex=b+"
               " name=n interval=2s timeout=1500ms after=m optional");

    ok(unit_conf.flag == 1, "flag");
    ok(unit_conf.str.len == 3 && ngx_memcmp(unit_conf.str.data, "a=b", 3) == 0,
       "a value may hold \"=\"");
    ok(unit_conf.count == 42, "count");
    ok(unit_conf.size == 65536, "size");
    ok(unit_conf.time == 500, "time in milliseconds");
    ok(unit_conf.path.len == 9
       && ngx_memcmp(unit_conf.path.data, "/prefix/x", 9) == 0,
       "a path is relative to the prefix");
    ok(unit_conf.regex != NULL, "regex");
    ok(unit_check.name.len == 1 && unit_check.name.data[0] == 'n', "name");
    ok(unit_check.interval == 2000, "interval");
    ok(unit_check.timeout == 1500, "timeout");
    ok(unit_check.after_names->nelts == 1, "after");
    ok(unit_check.optional == 1, "optional");

    unit_parse("");
    ok(unit_check.name.len == 4, "no name=: the type");

    /* parameters that make another check, and others */

    unit_parse("str=a count=2");
    ngx_memcpy(digest, unit_check.digest, 16);

    unit_parse("count=2 str=a");
    ok(ngx_memcmp(digest, unit_check.digest, 16) == 0,
       "digest, another order: same");

    unit_parse("str=a count=2 interval=9s timeout=7s optional after=x");
    ok(ngx_memcmp(digest, unit_check.digest, 16) == 0,
       "digest, interval, timeout, optional, after: same");

    unit_parse("str=a count=2 name=unit");
    ok(ngx_memcmp(digest, unit_check.digest, 16) == 0,
       "digest, default name given: same");

    unit_parse("str=a count=2 name=other");
    ok(ngx_memcmp(digest, unit_check.digest, 16) != 0,
       "digest, another name: different");

    unit_parse("str=a count=3");
    ok(ngx_memcmp(digest, unit_check.digest, 16) != 0,
       "digest, another value: different");

    unit_parse("str=a");
    ok(ngx_memcmp(digest, unit_check.digest, 16) != 0,
       "digest, a parameter less: different");

    unit_parse("str=a count=2");
    ok(ngx_memcmp(digest, unit_check.digest, 16) == 0,
       "digest, the first words: same");

    ngx_str_set(&unit_target, "other");
    unit_parse("str=a count=2");
    ok(ngx_memcmp(digest, unit_check.digest, 16) != 0,
       "digest, another target: different");

    /* the target of one check and the name of another are different */

    ngx_str_set(&unit_target, "this");
    unit_parse("name=that");
    ngx_memcpy(digest, unit_check.digest, 16);

    ngx_str_set(&unit_target, "that");
    unit_parse("name=this");
    ok(ngx_memcmp(digest, unit_check.digest, 16) != 0,
       "digest, name and target exchanged: different");

    ngx_str_set(&unit_target, "target");
    unit_parse("name=same");
    ngx_memcpy(digest, unit_check.digest, 16);

    ngx_str_set(&unit_type.name, "kind");
    unit_parse("name=same");
    ok(ngx_memcmp(digest, unit_check.digest, 16) != 0,
       "digest, another type: different");
}


/* a new state; words are separated by single spaces */

static char *
unit_parse(const char *line)
{
    size_t                len;
    u_char               *copy, *p;
    ngx_str_t             words[16];
    ngx_uint_t            n;
    ngx_conf_t            cf;

    static ngx_cycle_t    cycle;

    len = ngx_strlen(line);
    copy = ngx_pnalloc(unit_pool, len + 1);
    if (copy == NULL) {
        exit(2);
    }

    ngx_memcpy(copy, line, len + 1);

    for (n = 0; *copy; n++) {
        p = (u_char *) ngx_strchr(copy, ' ');

        words[n].data = copy;
        words[n].len = p ? (size_t) (p - copy) : ngx_strlen(copy);

        copy += words[n].len;

        if (*copy == ' ') {
            *copy++ = '\0';
        }
    }

    ngx_str_set(&cycle.conf_prefix, "/prefix/");
    ngx_str_set(&cycle.prefix, "/prefix/");
    cycle.pool = unit_pool;
    cycle.log = &unit_log;

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    cf.cycle = &cycle;
    cf.pool = unit_pool;
    cf.log = &unit_log;

    ngx_memzero(&unit_conf, sizeof(unit_param_conf_t));
    ngx_memzero(&unit_check, sizeof(ngx_gate_check_t));
    unit_check.target = unit_target;
    unit_check.gate = &unit_gate;
    unit_check.type = &unit_type;
    unit_check.conf = &unit_conf;

    unit_said[0] = '\0';

    return ngx_gate_param_parse_all(&cf, &unit_check, words, n);
}


static void
unit_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf, size_t len)
{
    len = ngx_min(len, sizeof(unit_said) - 1);

    ngx_memcpy(unit_said, buf, len);
    unit_said[len] = '\0';

    /* the end of the line */

    while (len && (unit_said[len - 1] == '\n')) {
        unit_said[--len] = '\0';
    }
}
