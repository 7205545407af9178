/* scratch.h - memory for one decoded message: handed out by a moving pointer,
 * given back all at once. Decoding is the simulator's own hot path. */
#ifndef TESTS_SIM_SCRATCH_H
#define TESTS_SIM_SCRATCH_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

enum { SCRATCH_OVERFLOWS_MAX = 256 };

struct scratch {
    ProtobufCAllocator allocator;
    size_t used;
    void *overflow[SCRATCH_OVERFLOWS_MAX]; /* owned: what did not fit */
    uint32_t overflow_count;
    _Alignas(16) uint8_t memory[16 * 1024];
};

void scratch_init(struct scratch *a);
void scratch_release(struct scratch *a);
ProtobufCAllocator *scratch_allocator(struct scratch *a);

#endif
