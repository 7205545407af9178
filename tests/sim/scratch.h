/* scratch.h - memory for one decoded message: handed out by a moving pointer,
 * given back all at once. Decoding is the simulator's own hot path. */
#ifndef TESTS_SIM_SCRATCH_H
#define TESTS_SIM_SCRATCH_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

struct scratch_block { /* what did not fit */
    struct scratch_block *next;
    _Alignas(16) uint8_t memory[];
};

struct scratch {
    ProtobufCAllocator allocator;
    size_t used;
    struct scratch_block *blocks; /* owned */
    _Alignas(16) uint8_t memory[16 * 1024];
};

void scratch_init(struct scratch *a);
void scratch_release(struct scratch *a);
ProtobufCAllocator *scratch_allocator(struct scratch *a);

#endif
