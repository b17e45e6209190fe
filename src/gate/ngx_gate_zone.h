
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The shared memory of the gates: written by the worker that probes, read by
 * all workers.  One writer at a time, which has to own the zone; readers take
 * no lock.
 *
 * A record has three slots, and a word, "published", with their status: the
 * current slot, the avoided slot, whether the gate is open, and a count of
 * publications.  The writer fills the third slot, and then swaps the word if
 * it has not changed.  A writer that is killed leaves the last complete
 * record, and a reader that copied while the word changed copies again.
 *
 * A writer that hangs during a write may continue it after another one has
 * taken its place.  The new writer avoids that slot in all records
 * (ngx_gate_zone_fence()), and increments each word, so that the publication
 * of the old one fails.
 */


#ifndef _NGX_GATE_ZONE_H_INCLUDED_
#define _NGX_GATE_ZONE_H_INCLUDED_


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_overrides.h>


#define NGX_GATE_HISTORY       64
#define NGX_GATE_RECENT        32
#define NGX_GATE_HEADER_MAX    (NGX_GATE_NAME_MAX + 64)
#define NGX_GATE_TRIGGER_MAX   128           /* of the message of a trigger */
#define NGX_GATE_DURATION_MAX  0x1fffffff    /* us, stored in one word with
                                                the verdict */


#define NGX_GATE_ZONE_SLOTS          3

/* fields of the word "published", from the lowest bit */

#define NGX_GATE_ZONE_OPEN           0x01
#define NGX_GATE_ZONE_CURRENT        0x06
#define NGX_GATE_ZONE_AVOIDED        0x18
#define NGX_GATE_ZONE_EPOCH          0x20    /* of the writer; if it differs,
                                                one was deposed since */
#define NGX_GATE_ZONE_COUNT          0x40

#define ngx_gate_zone_current(n)     (((n) & NGX_GATE_ZONE_CURRENT) >> 1)
#define ngx_gate_zone_avoided(n)     (((n) & NGX_GATE_ZONE_AVOIDED) >> 3)
#define ngx_gate_zone_free(n)                                                 \
    (3 - ngx_gate_zone_current(n) - ngx_gate_zone_avoided(n))

/* the only cost of an open gate */

#define ngx_gate_zone_is_open(shared)                                         \
    ((shared)->published & NGX_GATE_ZONE_OPEN)


/* in ngx_gate_writer.h */

typedef struct ngx_gate_writer_s  ngx_gate_writer_t;


typedef struct {
    ngx_atomic_t              published;
    ngx_gate_check_record_t   records[NGX_GATE_ZONE_SLOTS];
} ngx_gate_check_slots_t;


typedef struct {
    ngx_gate_check_slots_t    slots;

    u_char                    digest[16];
    ngx_atomic_t              probes[NGX_GATE_VERDICTS];
    uint32_t                  failures[NGX_GATE_REASONS];

    /* verdict in the low 3 bits, duration in us above; one store each */
    uint32_t                  recent[NGX_GATE_RECENT];
} ngx_gate_check_shared_t;


typedef enum {
    NGX_GATE_TRIGGER_IDLE = 0,
    NGX_GATE_TRIGGER_RUNNING,
    NGX_GATE_TRIGGER_RETRYING,
    NGX_GATE_TRIGGER_SUCCEEDED,
    NGX_GATE_TRIGGER_STATES
} ngx_gate_trigger_e;


typedef struct {
    int64_t                   at;
    ngx_uint_t                state;
} ngx_gate_zone_event_t;


typedef struct {
    ngx_gate_latch_t          latch;
    ngx_uint_t                ready;        /* requests pass: by the state, or
                                               by an override */
    ngx_gate_override_e       override;     /* the one in force, if any */
    ngx_uint_t                rechecks;     /* ordered so far */

    ngx_gate_state_progress_t  progress;
    int64_t                   eta;          /* ms, or -1 */
    ngx_uint_t                retry_after;  /* s */

    int64_t                   started_at;   /* ms since the epoch */
    ngx_uint_t                start_inherited;
    int64_t                   opened_at;
    int64_t                   deadline_at;

    /* in terms of ngx_current_msec, which all processes share */
    ngx_msec_t                created_msec; /* start of the deadline */
    ngx_msec_t                started_msec; /* until START_WAIT later,
                                               requests wait for verdicts */
    ngx_msec_t                closed_msec;  /* start for ETA */
    ngx_msec_t                shut_msec;    /* since when requests do not pass,
                                               by the state or an override */
    ngx_msec_t                deadline_msec;     /* 0: none */

    ngx_uint_t                nvia;         /* gates that it depends on */
    uint32_t                  via[NGX_GATE_VIA_MAX];

    ngx_msec_t                last_startup_msec; /* 0: unknown */
    ngx_uint_t                carried_over;

    struct {
        ngx_gate_trigger_e    state;
        ngx_uint_t            attempts;
        int64_t               last_at;
        int64_t               succeeded_at;
        size_t                message_len;
        u_char                message[NGX_GATE_TRIGGER_MAX];
    } trigger;

    /* rendered: json and header are in the body of this record */
    size_t                    json_len;
    size_t                    header_len;

    ngx_uint_t                nevents;      /* in total; the last 64 are kept */
    ngx_gate_zone_event_t     events[NGX_GATE_HISTORY];
} ngx_gate_record_t;


struct ngx_gate_shared_s {
    ngx_atomic_t              published;
    ngx_gate_record_t         records[NGX_GATE_ZONE_SLOTS];
    u_char                   *bodies[NGX_GATE_ZONE_SLOTS];
    size_t                    json_size;

    ngx_atomic_t              requested;    /* a request met the closed gate */

    ngx_uint_t                nchecks;
    ngx_gate_check_shared_t  *checks;
    u_char                    trigger_digest[16];

    size_t                    name_len;
    u_char                    name[NGX_GATE_NAME_MAX];
};


typedef struct {
    ngx_atomic_t              owner;        /* see ngx_gate_writer.h */
    ngx_atomic_t              deposed;      /* the last process that hung */
    ngx_atomic_t              changes;      /* of the states of all gates */
    volatile int64_t          heartbeat;    /* ms since the epoch */
    ngx_atomic_t              touched_msec; /* the heartbeat by
                                               ngx_current_msec */
    ngx_atomic_t              idle;         /* all gates are latched: no
                                               heartbeats */
    ngx_msec_t                created_msec; /* the times of new gates, until
                                               the first owner sets them */
    uint32_t                  id;           /* unique among zones */

    ngx_uint_t                ngates;
    ngx_gate_shared_t        *gates;
} ngx_gate_zone_t;


/* configuration, shared memory, reload */

size_t ngx_gate_zone_shm_size(size_t size); /* of memory for one block */

ngx_shm_zone_t *ngx_gate_zone_add(ngx_conf_t *cf, ngx_array_t *gates,
    u_char *digest, void *tag);
ngx_shm_zone_t *ngx_gate_zone_find(ngx_cycle_t *cycle, void *tag,
    const char *prefix);

/*
 * Called when nginx is about to free memory of an old configuration that is
 * still needed: nginx frees another block instead.
 */

ngx_int_t ngx_gate_zone_keep_memory(ngx_shm_zone_t *old);

/* writers */

/*
 * Without effect if the writer does not own the zone any more; NULL is the
 * writer of a new zone, before there is an owner.
 */

void ngx_gate_zone_init_check(ngx_gate_check_slots_t *slots);
void ngx_gate_zone_publish_check(ngx_gate_writer_t *writer,
    ngx_gate_check_slots_t *slots, ngx_gate_check_record_t *record);
void ngx_gate_zone_publish(ngx_gate_writer_t *writer, ngx_gate_t *gate,
    ngx_gate_record_t *record, ngx_gate_check_record_t *checks);

/*
 * called by a new owner before it reads: earlier ones cannot publish any more
 */

void ngx_gate_zone_fence(ngx_gate_writer_t *writer);
void ngx_gate_zone_fence_check(ngx_gate_writer_t *writer,
    ngx_gate_check_slots_t *slots);

void ngx_gate_zone_add_event(ngx_gate_record_t *record, ngx_gate_state_e state,
    int64_t at);

/* of a gate among those of other nginx */

uint32_t ngx_gate_zone_gate_id(ngx_gate_zone_t *zone, ngx_gate_t *gate);

/* readers */

/* for one field; for several, use ngx_gate_zone_read() */

#define ngx_gate_zone_published(shared)                                       \
    (&(shared)->records[ngx_gate_zone_current((shared)->published)])

void ngx_gate_zone_read_check(ngx_gate_check_slots_t *slots,
    ngx_gate_check_record_t *record);
void ngx_gate_zone_read(ngx_gate_shared_t *shared, ngx_gate_record_t *record);
ngx_uint_t ngx_gate_zone_read_events(ngx_gate_record_t *record,
    ngx_gate_zone_event_t *events);

/*
 * The refusal of a request: the value of X-Init-Gate, with or without the
 * JSON before it, copied to a buffer of the caller of
 * ngx_gate_zone_refusal_size() bytes.
 */

typedef enum {
    NGX_GATE_REFUSAL_JSON = 0,
    NGX_GATE_REFUSAL_HEADER
} ngx_gate_refusal_body_e;

typedef struct {
    ngx_gate_state_e          state;
    ngx_gate_override_e       override;
    ngx_uint_t                retry_after;
    ngx_str_t                 header;
    ngx_str_t                 body;
} ngx_gate_refusal_t;

#define ngx_gate_zone_refusal_size(shared, type)                              \
    (NGX_GATE_HEADER_MAX                                                      \
     + ((type) == NGX_GATE_REFUSAL_JSON ? (shared)->json_size : 0))

void ngx_gate_zone_read_refusal(ngx_gate_shared_t *shared,
    ngx_gate_refusal_t *refusal, ngx_gate_refusal_body_e type, u_char *p);


#endif /* _NGX_GATE_ZONE_H_INCLUDED_ */
