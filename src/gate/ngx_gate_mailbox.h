
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Mailboxes in shared memory that persists over reloads.  A mailbox has a
 * name and one current item; any process may put another item, or copy the
 * current one.
 *
 * An item is written to a cell that the process owns, and becomes the current
 * one by a swap of one word.  A process that is killed at any time leaves the
 * old item or the new one, and a process that is stopped keeps one cell and
 * delays no other process.  Cells of dead processes are reused.
 */


#ifndef _NGX_GATE_MAILBOX_H_INCLUDED_
#define _NGX_GATE_MAILBOX_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>


#define NGX_GATE_MAILBOX_CELLS    4
#define NGX_GATE_MAILBOX_PROBERS  4
#define NGX_GATE_MAILBOX_NAME     (2 * NGX_GATE_NAME_MAX + 1)


typedef struct ngx_gate_mailboxes_s  ngx_gate_mailboxes_t;

/*
 * The prober of a zone of gates, and the count of the last item in force
 * there.  During a reload, the workers of an old configuration may use
 * another zone than those of the new one.
 */

typedef struct {
    ngx_atomic_t              process;      /* 0: not probed at present */
    ngx_atomic_t              zone;
    ngx_atomic_t              count;
} ngx_gate_mailbox_prober_t;


struct ngx_gate_mailbox_s {
    ngx_atomic_t              published;    /* the count of items put so far,
                                               and the cell of the current one
                                               in the low bits */
    ngx_gate_mailbox_prober_t  probers[NGX_GATE_MAILBOX_PROBERS];
    ngx_atomic_t              owners[NGX_GATE_MAILBOX_CELLS];
    u_char                   *cells;
    ngx_gate_mailboxes_t     *mailboxes;
    ngx_uint_t                generation;   /* the last one with this name */
    size_t                    len;
    u_char                    data[NGX_GATE_MAILBOX_NAME];
};


struct ngx_gate_mailboxes_s {
    ngx_gate_mailboxes_t     *older;        /* of names that were there before
                                               this one */
    ngx_atomic_t              zone;         /* of the newest configuration */
    ngx_uint_t                generation;
    ngx_uint_t                capacity;
    ngx_uint_t                n;
    size_t                    size;         /* of an item */
    ngx_gate_mailbox_t       *boxes;
};


/*
 * The zone of mailboxes with these names (an array of ngx_str_t); "prefix" is
 * the beginning of its own name.
 */

ngx_shm_zone_t *ngx_gate_mailbox_add_zone(ngx_conf_t *cf, const char *prefix,
    ngx_array_t *names, size_t size, ngx_shm_zone_t *old, void *tag);

/*
 * Called when the reload is committed: the zone replaces the old one, if any,
 * and "gates" is the id of the zone of the gates.  A mailbox that was not in
 * the previous configuration is empty.
 */

void ngx_gate_mailbox_commit(ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old,
    ngx_array_t *names, ngx_atomic_uint_t gates);

ngx_gate_mailbox_t *ngx_gate_mailbox_find(ngx_gate_mailboxes_t *mailboxes,
    ngx_str_t *name);

/*
 * Returns the count of the item, or 0: all cells are being written by living
 * processes, or, for the second function, the current item does not have this
 * count any more.
 */

ngx_atomic_uint_t ngx_gate_mailbox_put(ngx_gate_mailbox_t *box, void *item);
ngx_atomic_uint_t ngx_gate_mailbox_replace(ngx_gate_mailbox_t *box,
    ngx_atomic_uint_t count, void *item);

/* copies the current item and returns its count, or 0: there is no item */

ngx_atomic_uint_t ngx_gate_mailbox_read(ngx_gate_mailbox_t *box, void *item);

ngx_atomic_uint_t ngx_gate_mailbox_count(ngx_gate_mailbox_t *box);

/* the process starts or stops to probe the gates of this zone */

void ngx_gate_mailbox_attach(ngx_gate_mailbox_t *box, ngx_atomic_uint_t zone);
void ngx_gate_mailbox_detach(ngx_gate_mailbox_t *box, ngx_atomic_uint_t zone);

/*
 * Called by the prober of a zone: all items up to this count are in force
 * there.  Returns whether this is a change.
 */

ngx_uint_t ngx_gate_mailbox_acknowledge(ngx_gate_mailbox_t *box,
    ngx_atomic_uint_t zone, ngx_atomic_uint_t count);

/* in the newest zone, and in older ones that are still probed */

ngx_uint_t ngx_gate_mailbox_is_acknowledged(ngx_gate_mailbox_t *box,
    ngx_atomic_uint_t count);


#endif /* _NGX_GATE_MAILBOX_H_INCLUDED_ */
