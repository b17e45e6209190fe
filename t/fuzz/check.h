
/*
 * A configured check: a line for the target and for each parameter.  In
 * another order the same parameters must be valid or invalid as before, and
 * make the same check.  FUZZ_CHECK is the type.
 */


#ifndef _FUZZ_CHECK_H_INCLUDED_
#define _FUZZ_CHECK_H_INCLUDED_


#include "fuzz.h"
#include <ngx_gate_param.h>
#include <ngx_gate_state.h>


#define FUZZ_WORDS  24


static char *fuzz_parse(ngx_conf_t *cf, ngx_gate_check_t *check,
    ngx_str_t *words, ngx_uint_t n);
static ngx_uint_t fuzz_split(ngx_pool_t *pool, ngx_str_t *words,
    const u_char *data, size_t size);


int
LLVMFuzzerTestOneInput(const u_char *data, size_t size)
{
    char              *rc, *other_rc;
    ngx_str_t          words[FUZZ_WORDS], other_words[FUZZ_WORDS];
    ngx_uint_t         i, n;
    ngx_conf_t         cf;
    ngx_gate_check_t   check, other;

    if (fuzz_conf(&cf) != NGX_OK) {
        return 0;
    }

    n = fuzz_split(cf.pool, words, data, size);

    if (n) {
        other_words[0] = words[0];

        for (i = 1; i < n; i++) {
            other_words[i] = words[n - i];
        }

        rc = fuzz_parse(&cf, &check, words, n);
        other_rc = fuzz_parse(&cf, &other, other_words, n);

        fuzz_assert(rc == other_rc);
        fuzz_assert(rc == NGX_CONF_ERROR
                    || ngx_memcmp(check.digest, other.digest, 16) == 0);
        fuzz_assert(rc == NGX_CONF_ERROR
                    || (check.name.len && check.name.len
                                          <= NGX_GATE_NAME_MAX));
    }

    ngx_destroy_pool(cf.pool);

    return 0;
}


static char *
fuzz_parse(ngx_conf_t *cf, ngx_gate_check_t *check, ngx_str_t *words,
    ngx_uint_t n)
{
    static ngx_gate_t  gate;

    ngx_memzero(check, sizeof(ngx_gate_check_t));

    check->gate = &gate;
    check->type = &FUZZ_CHECK;
    check->target = words[0];

    check->conf = ngx_pcalloc(cf->pool, check->type->conf_size);
    if (check->conf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_gate_param_parse_all(cf, check, words + 1, n - 1) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return check->type->parse(cf, check);
}


/* each ends in a zero byte, as the parser of nginx leaves them */

static ngx_uint_t
fuzz_split(ngx_pool_t *pool, ngx_str_t *words, const u_char *data, size_t size)
{
    u_char        *p;
    ngx_uint_t     n;
    const u_char  *end, *last;

    last = data + size;

    for (n = 0; data < last && n < FUZZ_WORDS; n++) {
        end = memchr(data, '\n', last - data);
        if (end == NULL) {
            end = last;
        }

        p = ngx_pnalloc(pool, end - data + 1);
        if (p == NULL) {
            return 0;
        }

        words[n].data = p;
        words[n].len = end - data;
        *ngx_cpymem(p, data, end - data) = '\0';

        data = (end < last) ? end + 1 : last;
    }

    return n;
}


#endif /* _FUZZ_CHECK_H_INCLUDED_ */
