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

typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short f16;

#define TAPS 7
#define TILE 128
#define HELD (TILE + (TAPS - 1) * 9)  // rows of a tile, and those before it that its taps hear
#define OCTET (HELD * 16)             // bytes
// Vectors of a float a channel, one after the other.
enum { WIDE_BIAS, RATE, GAIN, POINT_BIAS, NEXT_RATE, NEXT_GAIN, OWN_RATE, OWN_GAIN, VECTORS };

// ---- The card's instructions.

__device__ __forceinline__ void copy_16(u32 to, const f16* from, bool there) {  // else zeros
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :: "r"(to), "l"(from), "r"(there ? 16 : 0) : "memory");
}
__device__ __forceinline__ void copies_made() { asm volatile("cp.async.wait_all;" ::: "memory"); }

// What threads wrote to shared memory is seen by the matrix units from here on.
__device__ __forceinline__ void show_to_products() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
__device__ __forceinline__ void meet(int barrier, int threads) {
    asm volatile("bar.sync %0, %1;" :: "r"(barrier), "r"(threads) : "memory");
}
__device__ __forceinline__ void pass_on(int barrier, int threads) {
    asm volatile("bar.arrive %0, %1;" :: "r"(barrier), "r"(threads) : "memory");
}
__device__ __forceinline__ void products_begin() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void products_end() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template<int LEFT> __device__ __forceinline__ void products_made() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(LEFT) : "memory");
}
__device__ __forceinline__ void make_barrier(u32 at, u32 count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(at), "r"(count) : "memory");
}
__device__ __forceinline__ void arrive(u32 at) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(at) : "memory");
}
// NOTE: a barrier knows two phases only, so nobody may wait for one that is further away.
__device__ __forceinline__ void await(u32 at, u32 phase) {
    asm volatile("{.reg .pred p;\nAGAIN:\n\t"
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n\t@!p bra AGAIN;}"
                 :: "r"(at), "r"(phase) : "memory");
}
__device__ __forceinline__ void bring(u32 to, const f16* from, u32 bytes, u32 barrier) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
                 :: "r"(barrier), "r"(bytes) : "memory");
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1], %2, [%3];"
                 :: "r"(to), "l"(from), "r"(bytes), "r"(barrier) : "memory");
}
// Not before here and not after: the compiler would ask for it where it is wanted, and wait.
__device__ __forceinline__ uint4 loaded(const f16* from, bool there) {
    uint4 x = make_uint4(0, 0, 0, 0);
    if (there)
        asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w) : "l"(from) : "memory");
    return x;
}
// A side of a product: where it begins, and bytes to the next octet of what is summed.
__device__ __forceinline__ u64 side(u32 at, u32 octet) {
    return (u64)((at & 0x3FFFF) >> 4) | (u64)(octet >> 4) << 16 | (u64)(128 >> 4) << 32;
}
// Keeps what writes these registers before the products, and what reads them behind.
template<int N> __device__ __forceinline__ void settle(float (&x)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++) asm volatile("" : "+f"(x[i]) :: "memory");
}
template<int N> __device__ __forceinline__ void settle(u32 (&x)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++) asm volatile("" : "+r"(x[i]) :: "memory");
}
template<int N> __device__ __forceinline__ void clear(float (&x)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++) x[i] = 0.f;
}
// PRODUCTS

// ---- Numbers.

__device__ __forceinline__ u32 packed(float low, float high) {  // never infinite
    u32 both;
    asm("cvt.rn.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
}
__device__ __forceinline__ float2 opened(u32 both) {
    float2 x;
    asm("{.reg .b16 l, h;\n\tmov.b32 {l, h}, %2;\n\tcvt.f32.f16 %0, l;\n\tcvt.f32.f16 %1, h;}"
        : "=f"(x.x), "=f"(x.y) : "r"(both));
    return x;
}
__device__ __forceinline__ float bend(float x, float rate, float gain) {
    float turn;
    asm("sin.approx.f32 %0, %1;" : "=f"(turn) : "f"(x * rate));
    return x + gain * (turn * turn);
}
template<int N> __device__ __forceinline__ void read(float (&to)[N], const float* from) {
#pragma unroll
    for (int i = 0; i < N; i += 2) {
        float2 x = *(const float2*)(from + i);
        to[i] = x.x;
        to[i + 1] = x.y;
    }
}

// ---- Rows in.

// Rows from `begin` on, zeros where there are none. A thread has one octet of every four.
template<int CHANNELS, int THREADS>
__device__ __forceinline__ void fetch_rows(
    u32 to, const f16* x, int begin, int rows, int time, int thread
) {
    const int octet = thread & 3;
#pragma unroll 1
    for (int row = thread >> 2; row < rows; row += THREADS / 4) {
        const int at = begin + row;
        const bool there = at >= 0 && at < time;
        const f16* from = x + (u64)(there ? at : 0) * CHANNELS + octet * 8;
#pragma unroll
        for (int k = 0; k < CHANNELS / 32; k++)
            copy_16(to + ((4 * k + octet) * HELD + row) * 16, from + 32 * k, there);
    }
}

// What this thread has fetched, after the snake; so many rows and fours of octets in one go.
template<int CHANNELS, int THREADS, int AT_ONCE, int OCTETS_AT_ONCE>
__device__ __forceinline__ void bend_rows(
    unsigned char* held, const float* vectors, int rows, int thread
) {
    constexpr int EVERY = THREADS / 4;
    const int octet = thread & 3;
#pragma unroll OCTETS_AT_ONCE
    for (int k = 0; k < CHANNELS / 32; k++) {
        float rate[8], gain[8];
        read(rate, vectors + OWN_RATE * CHANNELS + (4 * k + octet) * 8);
        read(gain, vectors + OWN_GAIN * CHANNELS + (4 * k + octet) * 8);
        uint4* at = (uint4*)(held + (4 * k + octet) * OCTET);
#pragma unroll 1
        for (int row = thread >> 2; row < rows; row += AT_ONCE * EVERY) {
            uint4 x[AT_ONCE];
#pragma unroll
            for (int n = 0; n < AT_ONCE; n++)
                if (row + n * EVERY < rows) x[n] = at[row + n * EVERY];
#pragma unroll
            for (int n = 0; n < AT_ONCE; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    u32& pair = ((u32*)&x[n])[i];
                    const float2 y = opened(pair);
                    pair = packed(
                        bend(y.x, rate[2 * i], gain[2 * i]),
                        bend(y.y, rate[2 * i + 1], gain[2 * i + 1]));
                }
#pragma unroll
            for (int n = 0; n < AT_ONCE; n++)
                if (row + n * EVERY < rows) at[row + n * EVERY] = x[n];
        }
    }
}

// ---- Between the products. A thread has sums of rows r and r + 8: of a product's columns
// 8 j + 2 q and the next, q its place among four. They stand for the channels
// (j / 4 * 4 + q) * 8 + j % 4 * 2 and the next, so that over four j it has a whole octet.

template<int CHANNELS>
__device__ __forceinline__ void turned(
    u32 (&rows)[2], const float* sums, const float* vectors, int j, int lane
) {
    const int channel = (j / 4 * 4 + (lane & 3)) * 8 + j % 4 * 2;
    float bias[2], rate[2], gain[2];
    read(bias, vectors + WIDE_BIAS * CHANNELS + channel);
    read(rate, vectors + RATE * CHANNELS + channel);
    read(gain, vectors + GAIN * CHANNELS + channel);
#pragma unroll
    for (int row = 0; row < 2; row++)
        rows[row] = packed(
            bend(sums[2 * row] + bias[0], rate[0], gain[0]),
            bend(sums[2 * row + 1] + bias[1], rate[1], gain[1]));
}

// ---- Rows out, 96 channels of them.

template<int CHANNELS>
__device__ __forceinline__ void fetch_added(uint4 (&added)[2][3], const f16* x, int at, int time) {
#pragma unroll
    for (int row = 0; row < 2; row++)
#pragma unroll
        for (int u = 0; u < 3; u++)
            added[row][u] = loaded(x + (u64)(at + 8 * row) * CHANNELS + u * 32, at + 8 * row < time);
}

__device__ __forceinline__ void read_live(
    float (&alive)[2], const int* live, int at, int time, int steps_a_frame
) {
#pragma unroll
    for (int row = 0; row < 2; row++)
        alive[row] = at + 8 * row < time
            ? (float)__ldg(live + (u32)(at + 8 * row) / (u32)steps_a_frame) : 0.f;
}

template<int CHANNELS>
__device__ __forceinline__ void finish(
    const float (&sums)[48], const uint4 (&added)[2][3], const float* vectors,
    const float (&alive)[2], int at, int time, f16* out, bool bends
) {
#pragma unroll
    for (int u = 0; u < 3; u++) {
        uint4 result[2];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const float* of = vectors + u * 32 + 2 * i;
            float bias[2], rate[2], gain[2];
            read(bias, of + POINT_BIAS * CHANNELS);
            if (bends) {
                read(rate, of + NEXT_RATE * CHANNELS);
                read(gain, of + NEXT_GAIN * CHANNELS);
            }
#pragma unroll
            for (int row = 0; row < 2; row++) {
                const float* sum = sums + 4 * (4 * u + i) + 2 * row;
                const float2 add = opened(((const u32*)&added[row][u])[i]);
                float x = sum[0] + bias[0] + add.x, y = sum[1] + bias[1] + add.y;
                if (bends) {
                    x = bend(x, rate[0], gain[0]);
                    y = bend(y, rate[1], gain[1]);
                }
                ((u32*)&result[row])[i] = packed(x * alive[row], y * alive[row]);
            }
        }
#pragma unroll
        for (int row = 0; row < 2; row++)
            if (at + 8 * row < time)
                *(uint4*)(out + (u64)(at + 8 * row) * CHANNELS + u * 32) = result[row];
    }
}

#define UNIT(CHANNELS, THREADS) \
extern "C" __global__ void __launch_bounds__(THREADS, 1) unit_##CHANNELS( \
    const f16* __restrict__ x, const f16* __restrict__ weights, const float* __restrict__ given, \
    const int* __restrict__ live, f16* __restrict__ out, int time, int steps_a_frame, \
    int dilation, int bends)

// ---- 96 channels: all weights stay in shared memory. A half is eight warps of 16 rows each.

#define WEIGHT_96 (96 * 96 * 2)

UNIT(96, 512) {
    extern __shared__ __align__(128) unsigned char shared[];
    const int thread = threadIdx.x, half = thread >> 8, own = thread & 255;
    const int lane = thread & 31, warp = own >> 5, reach = (TAPS - 1) * dilation;
    const u32 base = (u32)__cvta_generic_to_shared(shared);
    const u32 rows = (TAPS + 1) * WEIGHT_96 + half * 12 * OCTET;
    float* vectors = (float*)(shared + (TAPS + 1) * WEIGHT_96 + 2 * 12 * OCTET);
    for (int i = thread; i < (TAPS + 1) * WEIGHT_96 / 16; i += 512)
        copy_16(base + 16 * i, weights + 8 * i, true);
    for (int i = thread; i < VECTORS * 96; i += 512) vectors[i] = given[i];
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
                product_96(sums, a + (u32)(tap * dilation) + k * (2 * OCTET / 16),
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
            product_96_held(sums, left + 4 * k, w + (TAPS * WEIGHT_96 + k * 2 * 96 * 16) / 16);
        products_end();
        products_made<0>();
        settle(sums);
        settle(left);
        finish<96>(sums, added, vectors + first, alive, at, time, out + first, bends);
    }
}

// ---- 192 channels: weights stream by, and what stands between the products goes where the rows
// were. A half is four warps, of 16 rows and the 16 that come 64 later; one more has the streams.

#define STAGE (192 * 32 * 2)
#define WIDE_STAGES 5
#define POINT_STAGES 2
#define WIDE_CHUNKS (TAPS * 6)
#define POINT_CHUNKS 6

__device__ __forceinline__ void stream(
    u32 stages, u32 full, u32 free, const f16* from, int count, int chunks, int all
) {
    for (int i = 0; i < all; i++) {
        const int slot = i % count;
        if (i >= count) await(free + 8 * slot, (i / count - 1) & 1);
        bring(stages + slot * STAGE, from + (i % chunks) * (STAGE / 2), STAGE, full + 8 * slot);
    }
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

UNIT(192, 384) {
    extern __shared__ __align__(128) unsigned char shared[];
    const int thread = threadIdx.x, half = thread >> 7, own = thread & 127;
    const int lane = thread & 31, warp = own >> 5, reach = (TAPS - 1) * dilation;
    const u32 base = (u32)__cvta_generic_to_shared(shared), wide = base;
    const u32 point = wide + WIDE_STAGES * STAGE, all_rows = (WIDE_STAGES + POINT_STAGES) * STAGE;
    const u32 rows = all_rows + half * 24 * OCTET, vectors_at = all_rows + 2 * 24 * OCTET;
    const u32 wide_full = base + vectors_at + VECTORS * 192 * 4;
    const u32 wide_free = wide_full + 8 * WIDE_STAGES, point_full = wide_free + 8 * WIDE_STAGES;
    const u32 point_free = point_full + 8 * POINT_STAGES;
    float* vectors = (float*)(shared + vectors_at);
    for (int i = thread; i < VECTORS * 192; i += 384) vectors[i] = given[i];
    if (thread == 0) {
        for (int i = 0; i < WIDE_STAGES; i++) {
            make_barrier(wide_full + 8 * i, 1);
            make_barrier(wide_free + 8 * i, 4);
        }
        for (int i = 0; i < POINT_STAGES; i++) {
            make_barrier(point_full + 8 * i, 1);
            make_barrier(point_free + 8 * i, 4);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        show_to_products();
    }
    __syncthreads();
    const int tiles = (time + TILE - 1) / TILE, stride = gridDim.x * 2;
    const int rounds = (tiles + stride - 1) / stride;
    if (half == 2) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (own == 0)
            stream(wide, wide_full, wide_free, weights, WIDE_STAGES, WIDE_CHUNKS,
                   rounds * 2 * WIDE_CHUNKS);
        if (own == 32)
            stream(point, point_full, point_free, weights + WIDE_CHUNKS * (STAGE / 2),
                   POINT_STAGES, POINT_CHUNKS, rounds * 2 * POINT_CHUNKS);
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
                const int slot = i % WIDE_STAGES;
                await(wide_full + 8 * slot, (i / WIDE_STAGES) & 1);
                settle(upper);
                settle(lower);
                products_begin();
                const u64 w = side(wide + slot * STAGE, 192 * 16);
                const u64 from = a + (u32)(tap * dilation + chunk * (4 * OCTET / 16));
#pragma unroll
                for (int k = 0; k < 2; k++) {
                    const u64 columns = w + k * (2 * 192 * 16 / 16);
                    product_192(upper, from + k * (2 * OCTET / 16), columns);
                    product_192(lower, from + 64 + k * (2 * OCTET / 16), columns);
                }
                products_end();
                if (tap + chunk) {
                    products_made<1>();
                    if (lane == 0) arrive(wide_free + 8 * ((i - 1) % WIDE_STAGES));
                }
            }
        if (half == 0 || round + 1 < rounds) pass_on(4 - half, 256);
        float alive[2], alive_lower[2];
        read_live(alive, live, at, time, steps_a_frame);
        read_live(alive_lower, live, at + 64, time, steps_a_frame);
        products_made<0>();
        settle(upper);
        settle(lower);
        if (lane == 0) arrive(wide_free + 8 * ((i - 1) % WIDE_STAGES));
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
                const int slot = i % POINT_STAGES;
                await(point_full + 8 * slot, (i / POINT_STAGES) & 1);
                settle(of_upper);
                settle(of_lower);
                products_begin();
                const u64 w = side(point + slot * STAGE, 96 * 16);
                const u64 from = a + (u32)(chunk * (8 * OCTET / 16));
#pragma unroll
                for (int k = 0; k < 4; k++) {
                    const u64 columns = w + k * (2 * 96 * 16 / 16);
                    product_96(of_upper, from + k * (2 * OCTET / 16), columns);
                    product_96(of_lower, from + 64 + k * (2 * OCTET / 16), columns);
                }
                products_end();
                products_made<0>();
                settle(of_upper);
                settle(of_lower);
                if (lane == 0) arrive(point_free + 8 * slot);
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
