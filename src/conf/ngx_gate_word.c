
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Suggestions for unknown words; see ngx_gate_word.h.
 *
 * Two words are near if one becomes the other by inserting, deleting,
 * replacing or swapping few letters, or if one is a prefix of the other.
 */


#include <ngx_gate_word.h>


#define NGX_GATE_WORD_MAX     32
#define NGX_GATE_WORD_SHORT   8
#define NGX_GATE_WORD_PREFIX  4


static ngx_uint_t ngx_gate_word_is_prefix(ngx_str_t *a, ngx_str_t *b);
static ngx_uint_t ngx_gate_word_distance(ngx_str_t *a, ngx_str_t *b);
static u_char ngx_gate_word_letter(u_char ch);


void
ngx_gate_word_init(ngx_gate_word_t *w, ngx_str_t *word)
{
    w->word = word;
    w->nearest = NULL;
    w->distance = (word->len < NGX_GATE_WORD_SHORT) ? 2 : 3;
}


void
ngx_gate_word_try(ngx_gate_word_t *w, ngx_str_t *known)
{
    ngx_uint_t  distance;

    if (w->word->len == 0
        || w->word->len > NGX_GATE_WORD_MAX || known->len > NGX_GATE_WORD_MAX)
    {
        return;
    }

    distance = ngx_gate_word_distance(w->word, known);

    if (ngx_gate_word_is_prefix(w->word, known)
        || ngx_gate_word_is_prefix(known, w->word))
    {
        distance = ngx_min(distance, 1);
    }

    if (distance < w->distance) {
        w->distance = distance;
        w->nearest = known;
    }
}


static ngx_uint_t
ngx_gate_word_is_prefix(ngx_str_t *a, ngx_str_t *b)
{
    return a->len >= NGX_GATE_WORD_PREFIX && a->len <= b->len
           && ngx_strncasecmp(a->data, b->data, a->len) == 0;
}


static ngx_uint_t
ngx_gate_word_distance(ngx_str_t *a, ngx_str_t *b)
{
    ngx_uint_t  *last, *previous, *current, *swap;
    ngx_uint_t   i, j, n, rows[3][NGX_GATE_WORD_MAX + 1];

    last = rows[0];
    previous = rows[1];
    current = rows[2];

    for (j = 0; j <= b->len; j++) {
        current[j] = j;
    }

    for (i = 1; i <= a->len; i++) {

        swap = last;
        last = previous;
        previous = current;
        current = swap;

        current[0] = i;

        for (j = 1; j <= b->len; j++) {

            n = previous[j - 1]
                + (ngx_gate_word_letter(a->data[i - 1])
                   != ngx_gate_word_letter(b->data[j - 1]));

            n = ngx_min(n, previous[j] + 1);
            n = ngx_min(n, current[j - 1] + 1);

            if (i > 1 && j > 1 && a->data[i - 1] == b->data[j - 2]
                && a->data[i - 2] == b->data[j - 1])
            {
                n = ngx_min(n, last[j - 2] + 1);
            }

            current[j] = n;
        }
    }

    return current[b->len];
}


static u_char
ngx_gate_word_letter(u_char ch)
{
    return ch == '-' ? '_' : ngx_tolower(ch);
}
