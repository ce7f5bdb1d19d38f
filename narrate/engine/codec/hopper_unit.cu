// A residual unit of the wave decoder, for cards of compute capability 9.0. What it computes is
// said by `wave.plain_unit`, what it is given and why it is so by `hopper_unit.py`.
//
// A program takes two tiles of 128 rows in turn, one for each half of its threads: while one half
// has the matrix units, the other fetches rows, bends them, adds and brings away. A tile and the
// rows that its taps reach back to lie in shared memory once; a tap is a product whose left side
// begins some rows later.
//
// Shared memory holds [octet of channels][row][8]: eight rows of an octet are what the matrix units
// call a core matrix, whichever row is the first.

#define UNIT(CHANNELS) \
extern "C" __global__ void __launch_bounds__(THREADS_##CHANNELS, 1) unit_##CHANNELS( \
    const f16* __restrict__ x, const f16* __restrict__ weights, const float* __restrict__ given, \
    const int* __restrict__ live, f16* __restrict__ out, int time, int steps_a_frame, \
    int dilation, int bends)

// ---- 96 channels: all weights stay in shared memory. A half is eight warps of 16 rows each.

#define WEIGHT_96 (96 * 96 * 2)

UNIT(96) {
    extern __shared__ __align__(128) unsigned char shared[];
    const int thread = threadIdx.x, half = thread >> 8, own = thread & 255;
    const int lane = thread & 31, warp = own >> 5, reach = (TAPS - 1) * dilation;
    const u32 base = (u32)__cvta_generic_to_shared(shared);
    const u32 rows = (TAPS + 1) * WEIGHT_96 + half * 12 * OCTET;
    float* vectors = (float*)(shared + (TAPS + 1) * WEIGHT_96 + 2 * 12 * OCTET);
    for (int i = thread; i < (TAPS + 1) * WEIGHT_96 / 16; i += THREADS_96)
        copy_16(base + 16 * i, weights + 8 * i, true);
    for (int i = thread; i < VECTORS * 96; i += THREADS_96) vectors[i] = given[i];
    const int tiles = (time + TILE - 1) / TILE, stride = gridDim.x * 2;
    const int rounds = (tiles + stride - 1) / stride;
    int tile = blockIdx.x * 2 + half;
    fetch_rows<96, 256>(base + rows, x, tile * TILE - reach, TILE + reach, time, own);
    copies_made();
    show_to_products();
    __syncthreads();
    if (half == 1) pass_on(3, 512);
    const u64 a = side(base + rows + (warp >> 2) * 64 * 16, OCTET), w = side(base, 96 * 16);
    const int first = (lane & 3) * 8;
    for (int round = 0; round < rounds; round++, tile += stride) {
        const int at = tile * TILE + warp * 16 + (lane >> 2);
        copies_made();
        bend_rows<96, 256, 3, 3>(shared + rows, vectors, TILE + reach, own);
        show_to_products();
        uint4 added[2][3];
        fetch_added<96>(added, x + first, at, time);
        float sums[48];
        clear(sums);
        meet(1 + half, 256);
        meet(3 + half, 512);  // the matrix units are ours
        settle(sums);
#pragma unroll 1
        for (int tap = 0; tap < TAPS; tap++) {
            products_begin();
#pragma unroll
            for (int k = 0; k < 6; k++)
                product(sums, a + (u32)(tap * dilation) + k * (2 * OCTET / 16),
                           w + (tap * WEIGHT_96 + k * 2 * 96 * 16) / 16);
            products_end();
        }
        if (half == 0 || round + 1 < rounds) pass_on(4 - half, 512);
        float alive[2];
        read_live(alive, live, at, time, steps_a_frame);
        products_made<0>();
        settle(sums);
        meet(1 + half, 256);
        if (round + 1 < rounds)
            fetch_rows<96, 256>(
                base + rows, x, (tile + stride) * TILE - reach, TILE + reach, time, own);
        u32 left[24];
#pragma unroll
        for (int j = 0; j < 12; j++) {
            u32 pair[2];
            turned<96>(pair, sums + 4 * j, vectors, j, lane);
            left[2 * j] = pair[0];
            left[2 * j + 1] = pair[1];
        }
        clear(sums);
        settle(sums);
        settle(left);
        products_begin();
#pragma unroll
        for (int k = 0; k < 6; k++)
            product(sums, left + 4 * k, w + (TAPS * WEIGHT_96 + k * 2 * 96 * 16) / 16);
        products_end();
        products_made<0>();
        settle(sums);
        settle(left);
        finish<96>(sums, added, vectors + first, alive, at, time, out + first, bends);
    }
}

// ---- 192 channels: weights stream by, and what stands between the products goes where the rows
// were. A half is four warps, of 16 rows and the 16 that come 64 later; one more has the streams.

#define WIDE_CHUNKS (TAPS * 6)
#define POINT_CHUNKS 6

// Weights on their way: so many stages, and two barriers for each.
template<int STAGES> struct Ring {
    u32 stages, full, free;

    __device__ __forceinline__ Ring(u32 stages, u32 barriers)
        : stages(stages), full(barriers), free(barriers + 8 * STAGES) {}
    __device__ __forceinline__ void make() const {
        for (int i = 0; i < STAGES; i++) {
            make_barrier(full + 8 * i, 1);
            make_barrier(free + 8 * i, 4);
        }
    }
    __device__ __forceinline__ void fill(const f16* from, int chunks, int all) const {
        for (int i = 0; i < all; i++) {
            const int slot = i % STAGES;
            if (i >= STAGES) await(free + 8 * slot, (i / STAGES - 1) & 1);
            bring(stages + slot * STAGE, from + (i % chunks) * (STAGE / 2), STAGE, full + 8 * slot);
        }
    }
    __device__ __forceinline__ void wait(int i) const {
        await(full + 8 * (i % STAGES), (i / STAGES) & 1);
    }
    __device__ __forceinline__ u64 side_of(int i, u32 octet) const {
        return side(stages + i % STAGES * STAGE, octet);
    }
    // One lane of each warp says so.
    __device__ __forceinline__ void let_go(int i) const { arrive(free + 8 * (i % STAGES)); }
};

// Adds what a stage's weights make of 64 rows, and of the 64 behind; the products are under way.
template<int SUMS, class R>
__device__ __forceinline__ void multiply(
    float (&upper)[SUMS], float (&lower)[SUMS], u64 from, const R& ring, int i
) {
    constexpr int OCTET_OF_COLUMNS = 2 * SUMS * 16;
    ring.wait(i);
    settle(upper);
    settle(lower);
    products_begin();
    const u64 w = ring.side_of(i, OCTET_OF_COLUMNS);
#pragma unroll
    for (int k = 0; k < STAGE / (2 * OCTET_OF_COLUMNS); k++) {
        const u64 columns = w + k * (2 * OCTET_OF_COLUMNS / 16);
        product(upper, from + k * (2 * OCTET / 16), columns);
        product(lower, from + 64 + k * (2 * OCTET / 16), columns);
    }
    products_end();
}

__device__ __forceinline__ void stash(
    const float (&sums)[96], unsigned char* to, const float* vectors, int lane
) {
#pragma unroll
    for (int j = 0; j < 24; j++) {
        u32 pair[2];
        turned<192>(pair, sums + 4 * j, vectors, j, lane);
        *(u32*)(to + j * OCTET) = pair[0];
        *(u32*)(to + j * OCTET + 8 * 16) = pair[1];
    }
}

UNIT(192) {
    extern __shared__ __align__(128) unsigned char shared[];
    const int thread = threadIdx.x, half = thread >> 7, own = thread & 127;
    const int lane = thread & 31, warp = own >> 5, reach = (TAPS - 1) * dilation;
    const u32 base = (u32)__cvta_generic_to_shared(shared);
    const u32 all_rows = (WIDE_STAGES + POINT_STAGES) * STAGE, rows = all_rows + half * 24 * OCTET;
    const u32 vectors_at = all_rows + 2 * 24 * OCTET;
    const u32 barriers = base + vectors_at + VECTORS * 192 * 4;
    const Ring<WIDE_STAGES> wide(base, barriers);
    const Ring<POINT_STAGES> point(base + WIDE_STAGES * STAGE, barriers + WIDE_STAGES * 16);
    float* vectors = (float*)(shared + vectors_at);
    for (int i = thread; i < VECTORS * 192; i += THREADS_192) vectors[i] = given[i];
    if (thread == 0) {
        wide.make();
        point.make();
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        show_to_products();
    }
    __syncthreads();
    const int tiles = (time + TILE - 1) / TILE, stride = gridDim.x * 2;
    const int rounds = (tiles + stride - 1) / stride;
    if (half == 2) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (own == 0) wide.fill(weights, WIDE_CHUNKS, rounds * 2 * WIDE_CHUNKS);
        if (own == 32)
            point.fill(
                weights + WIDE_CHUNKS * (STAGE / 2), POINT_CHUNKS, rounds * 2 * POINT_CHUNKS);
        return;
    }
    asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
    int tile = blockIdx.x * 2 + half;
    fetch_rows<192, 128>(base + rows, x, tile * TILE - reach, TILE + reach, time, own);
    if (half == 1) {
        pass_on(3, 256);
        pass_on(5, 256);
    }
    const u64 a = side(base + rows, OCTET);
    const int first = (lane & 3) * 8;
    for (int round = 0; round < rounds; round++, tile += stride) {
        const int at = tile * TILE + warp * 16 + (lane >> 2);
        copies_made();
        bend_rows<192, 128, 2, 1>(shared + rows, vectors, TILE + reach, own);
        show_to_products();
        meet(1 + half, 128);
        meet(3 + half, 256);  // the long convolution's stream is ours
        float upper[96], lower[96];
        clear(upper);
        clear(lower);
        int i = (round * 2 + half) * WIDE_CHUNKS;
#pragma unroll 1
        for (int tap = 0; tap < TAPS; tap++)
#pragma unroll 1
            for (int chunk = 0; chunk < 6; chunk++, i++) {
                const u64 from = a + (u32)(tap * dilation + chunk * (4 * OCTET / 16));
                multiply(upper, lower, from, wide, i);
                if (tap + chunk) {
                    products_made<1>();
                    if (lane == 0) wide.let_go(i - 1);
                }
            }
        if (half == 0 || round + 1 < rounds) pass_on(4 - half, 256);
        float alive[2], alive_lower[2];
        read_live(alive, live, at, time, steps_a_frame);
        read_live(alive_lower, live, at + 64, time, steps_a_frame);
        products_made<0>();
        settle(upper);
        settle(lower);
        if (lane == 0) wide.let_go(i - 1);
        meet(1 + half, 128);
        unsigned char* to = shared + rows + (warp * 16 + (lane >> 2)) * 16 + (lane & 3) * 4;
        stash(upper, to, vectors, lane);
        stash(lower, to + 64 * 16, vectors, lane);
        show_to_products();
        meet(1 + half, 128);
        meet(5 + half, 256);  // and the point's
        i = (round * 2 + half) * POINT_CHUNKS;
#pragma unroll 1
        for (int part = 0; part < 2; part++) {
            const f16* residual = x + first + part * 96;
            uint4 added[2][3], added_lower[2][3];
            fetch_added<192>(added, residual, at, time);
            fetch_added<192>(added_lower, residual, at + 64, time);
            float of_upper[48], of_lower[48];
            clear(of_upper);
            clear(of_lower);
#pragma unroll 1
            for (int chunk = 0; chunk < 3; chunk++, i++) {
                multiply(of_upper, of_lower, a + (u32)(chunk * (8 * OCTET / 16)), point, i);
                products_made<0>();
                settle(of_upper);
                settle(of_lower);
                if (lane == 0) point.let_go(i);
            }
            if (part == 1) {
                if (half == 0 || round + 1 < rounds) pass_on(6 - half, 256);
                meet(1 + half, 128);
                if (round + 1 < rounds)
                    fetch_rows<192, 128>(
                        base + rows, x, (tile + stride) * TILE - reach, TILE + reach, time, own);
            }
            const float* of = vectors + first + part * 96;
            f16* result = out + first + part * 96;
            finish<192>(of_upper, added, of, alive, at, time, result, bends);
            finish<192>(of_lower, added_lower, of, alive_lower, at + 64, time, result, bends);
        }
    }
}
