
/*
 * The search list of resolv.conf, and the names that result from it.
 */


#include <unit.h>
#include <ngx_gate_endpoint.h>
#include <ngx_gate_resolver_search.h>


static ngx_gate_resolver_search_t  search;


static void
parse(const char *text)
{
    ngx_memset(search.text, 'x', sizeof(search.text));
    ngx_memcpy(search.text, text, ngx_strlen(text));

    ngx_gate_resolver_search_parse(&search, ngx_strlen(text));
}


/* all names for one, with blanks between them */

static ngx_uint_t
names(const char *name, const char *expected)
{
    u_char      buf[NGX_GATE_ENDPOINT_HOST_MAX + 2], all[1024], *p;
    ngx_int_t   rc;
    ngx_str_t   str;
    ngx_uint_t  n;

    str.data = (u_char *) name;
    str.len = ngx_strlen(name);

    p = all;

    for (n = 0; /* void */ ; n++) {
        rc = ngx_gate_resolver_search_name(&search, &str, n, buf);

        if (rc == NGX_DONE) {
            break;
        }

        p = ngx_slprintf(p, all + sizeof(all), "%s%s", n ? " " : "",
                         rc == NGX_OK ? (char *) buf : "-");
    }

    *p = '\0';

    return ngx_strcmp(all, expected) == 0;
}


static void
unit(void)
{
    char        text[8192], *p;
    u_char      domain[NGX_GATE_ENDPOINT_HOST_MAX + 1];
    ngx_uint_t  i;

    parse("");
    ok(search.ndomains == 0 && search.ndots == 1 && search.nservers == 0,
       "nothing");
    ok(names("db", "db."), "no search list: the name");
    ok(names("db.", "db."), "no search list, absolute name: the name");

    parse("nameserver 10.0.0.1\nnameserver\t10.0.0.2\n"
          "search svc.cluster.local cluster.local\noptions ndots:5 edns0\n");
    ok(search.nservers == 2, "two name servers: both");
    ok(names("db", "db.svc.cluster.local. db.cluster.local. db."),
       "short name: the list, then the name");
    ok(names("db.", "db."), "absolute name: no search");
    ok(names("a.b.c.d.e", "a.b.c.d.e.svc.cluster.local. "
             "a.b.c.d.e.cluster.local. a.b.c.d.e."),
             "fewer dots than ndots: the list first");
    ok(names("a.b.c.d.e.f", "a.b.c.d.e.f. a.b.c.d.e.f.svc.cluster.local. "
             "a.b.c.d.e.f.cluster.local."),
             "as many dots as ndots: the name first");

    parse("search a b\ndomain c d");
    ok(names("x", "x.c. x."), "search and domain: the last one");

    parse("domain c\nsearch\n");
    ok(names("x", "x."), "search without domains: no list");

    parse("search .a. . ..\n");
    ok(names("x", "x.a. x."), "domains with dots: without them");

    parse("  search a\n#search b\n;search c\nSEARCH d\nsearching e\nsearch");
    ok(search.ndomains == 0, "other lines: ignored");

    parse("search\ta \t b \r\noptions\tndots:0\r\n");
    ok(names("x", "x. x.a. x.b."), "blanks, CR and ndots:0: accepted");

    parse("options ndots: ndots:x ndots:99999999999999999999");
    ok(search.ndots == 15, "large ndots: 15");

    parse("options ndots:3x ndot:5");
    ok(search.ndots == 3, "ndots:3x: 3");

    p = text + sprintf(text, "search");

    for (i = 0; i < 40; i++) {
        p += sprintf(p, " d%d", (int) i);
    }

    parse(text);
    ok(search.ndomains == NGX_GATE_RESOLVER_SEARCH_MAX,
       "40 domains: the maximum");

    ngx_memset(domain, 'y', NGX_GATE_ENDPOINT_HOST_MAX);
    domain[NGX_GATE_ENDPOINT_HOST_MAX] = '\0';
    domain[100] = '.';
    sprintf(text, "search %s z", domain);

    parse(text);
    ok(search.ndomains == 2 && names("x", "- x.z. x."),
       "name and domain too long: skipped");

    sprintf(text, "search %sy z", domain);

    parse(text);
    ok(names("x", "x.z. x."), "domain too long: skipped");

    domain[NGX_GATE_ENDPOINT_HOST_MAX - 2] = '\0';
    sprintf(text, "search %s", domain);
    sprintf((char *) text + 4096, "x.%s. x.", domain);

    parse(text);
    ok(names("x", text + 4096), "longest domain: used");
}
