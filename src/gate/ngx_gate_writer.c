
/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The owner of the zone, its only writer; see ngx_gate_writer.h.
 */


#include <ngx_gate.h>
#include <ngx_gate_state.h>
#include <ngx_gate_zone.h>
#include <ngx_gate_record.h>
#include <ngx_gate_process.h>
#include <ngx_gate_writer.h>


/*
 * An owner is one word, swapped atomically: the process, one bit for "is
 * writing", one that changes when an owner is deposed, and the generation,
 * which wraps around and is compared as a serial number.
 */

#define NGX_GATE_WRITER_WRITING     ((ngx_atomic_uint_t) 0x00400000)
#define NGX_GATE_WRITER_EPOCH       ((ngx_atomic_uint_t) 0x00800000)
#define NGX_GATE_WRITER_SHIFT       24

#if (NGX_PTR_SIZE == 8)
#define NGX_GATE_WRITER_GENERATION  0xffff
#else
#define NGX_GATE_WRITER_GENERATION  0xff
#endif


static ngx_int_t ngx_gate_writer_depose(ngx_gate_writer_t *writer,
    ngx_atomic_uint_t owner);
static ngx_uint_t ngx_gate_writer_is_older(ngx_atomic_uint_t owner,
    ngx_atomic_uint_t identity);
static ngx_uint_t ngx_gate_writer_is_idle(ngx_gate_zone_t *zone);


void
ngx_gate_writer_init(ngx_gate_writer_t *writer, ngx_gate_zone_t *zone,
    ngx_uint_t generation)
{
    writer->zone = zone;
    writer->taken_over = 0;
    writer->first = 0;
    writer->deposed = 0;
    writer->process = ((ngx_atomic_uint_t)
                       (generation & NGX_GATE_WRITER_GENERATION)
                       << NGX_GATE_WRITER_SHIFT)
                      | ngx_gate_process_self();
    writer->identity = writer->process;
}


/*
 * An owner of an older generation is replaced when it is not writing.  An
 * owner of the same generation is replaced only if it has released the zone
 * or is dead: usually nginx has started this process in place of a dead one,
 * but after a canceled upgrade it starts workers of the same configuration
 * while the old ones may still run.
 */

ngx_int_t
ngx_gate_writer_claim(ngx_gate_writer_t *writer, ngx_uint_t hung)
{
    ngx_int_t          rc;
    ngx_uint_t         older;
    ngx_atomic_uint_t  owner, identity;

    owner = writer->zone->owner;
    identity = writer->process | (owner & NGX_GATE_WRITER_EPOCH);

    writer->deposed = 0;

    if (owner != 0 && ngx_gate_writer_is_older(identity, owner)) {
        return NGX_DECLINED;
    }

    older = (owner != 0 && ngx_gate_writer_is_older(owner, identity));

    if ((owner & ~NGX_GATE_WRITER_WRITING) != identity
        && ngx_gate_process_is_alive(owner)
        && (!older || (owner & NGX_GATE_WRITER_WRITING)))
    {
        rc = hung ? ngx_gate_writer_depose(writer, owner) : NGX_BUSY;

        if (rc != NGX_OK) {
            return older ? NGX_AGAIN : rc;
        }

        identity ^= NGX_GATE_WRITER_EPOCH;
        writer->deposed = (pid_t) (owner & NGX_GATE_PROCESS_PID);
    }

    if (!ngx_atomic_cmp_set(&writer->zone->owner, owner, identity)) {
        return NGX_AGAIN;
    }

    writer->identity = identity;
    writer->taken_over = older;
    writer->first = (owner == 0);

    return NGX_OK;
}


/*
 * Stored before the change of the owner, so that it is not lost if this
 * process is killed in between.
 */

static ngx_int_t
ngx_gate_writer_depose(ngx_gate_writer_t *writer, ngx_atomic_uint_t owner)
{
    ngx_atomic_uint_t  deposed;

    owner &= NGX_GATE_PROCESS_MASK;
    deposed = writer->zone->deposed;

    if (deposed == owner) {
        return NGX_OK;
    }

    if (ngx_gate_process_is_alive(deposed)
        || !ngx_atomic_cmp_set(&writer->zone->deposed, deposed, owner))
    {
        return NGX_BUSY;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_gate_writer_is_older(ngx_atomic_uint_t owner, ngx_atomic_uint_t identity)
{
    ngx_uint_t  distance;

    distance = ((identity >> NGX_GATE_WRITER_SHIFT)
                - (owner >> NGX_GATE_WRITER_SHIFT))
               & NGX_GATE_WRITER_GENERATION;

    return distance != 0 && distance <= NGX_GATE_WRITER_GENERATION / 2;
}


ngx_uint_t
ngx_gate_writer_owns(ngx_gate_writer_t *writer)
{
    return (writer->zone->owner & ~NGX_GATE_WRITER_WRITING) == writer->identity;
}


/* the generation is kept, so that an older one cannot claim the zone */

void
ngx_gate_writer_release(ngx_gate_writer_t *writer)
{
    (void) ngx_atomic_cmp_set(&writer->zone->owner, writer->identity,
                              writer->identity & ~NGX_GATE_PROCESS_MASK);
}


ngx_int_t
ngx_gate_writer_write_begin(ngx_gate_writer_t *writer)
{
    if (!ngx_atomic_cmp_set(&writer->zone->owner, writer->identity,
                            writer->identity | NGX_GATE_WRITER_WRITING))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_gate_writer_write_end(ngx_gate_writer_t *writer)
{
    if (!ngx_atomic_cmp_set(&writer->zone->owner,
                            writer->identity | NGX_GATE_WRITER_WRITING,
                            writer->identity))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_gate_writer_epoch(ngx_gate_writer_t *writer)
{
    return (writer->identity & NGX_GATE_WRITER_EPOCH) != 0;
}


pid_t
ngx_gate_writer_pid(ngx_gate_zone_t *zone)
{
    return (pid_t) (zone->owner & NGX_GATE_PROCESS_PID);
}


void
ngx_gate_writer_touch(ngx_gate_writer_t *writer, ngx_uint_t idle)
{
    ngx_gate_zone_t    *zone;
    ngx_atomic_uint_t   process;

    zone = writer->zone;
    process = writer->process & NGX_GATE_PROCESS_MASK;

    /* cancels an unfinished attempt to depose this process */

    (void) ngx_atomic_cmp_set(&zone->deposed, process, 0);

    zone->heartbeat = ngx_gate_record_now();
    zone->touched_msec = ngx_current_msec;

    /* the end of an idle time is visible after its first heartbeat */

    ngx_memory_barrier();

    zone->idle = idle;
}


/*
 * An idle owner sets no timer; kill() is used to find out whether it lives.
 */

int64_t
ngx_gate_writer_heartbeat(ngx_gate_zone_t *zone)
{
    if (ngx_gate_writer_is_idle(zone)
        && ngx_gate_process_is_alive(zone->owner))
    {
        return ngx_gate_record_now();
    }

    return zone->heartbeat;
}


ngx_uint_t
ngx_gate_writer_is_alive(ngx_gate_zone_t *zone)
{
    ngx_msec_int_t  age;

    if (ngx_gate_writer_is_idle(zone)) {
        return ngx_gate_process_is_alive(zone->owner);
    }

    age = (ngx_msec_int_t) (ngx_current_msec - zone->touched_msec);

    return age < NGX_GATE_WRITER_TIMEOUT;
}


/* call before reading the times of the last heartbeat, see above */

static ngx_uint_t
ngx_gate_writer_is_idle(ngx_gate_zone_t *zone)
{
    ngx_uint_t  idle;

    idle = zone->idle;
    ngx_memory_barrier();

    return idle;
}
