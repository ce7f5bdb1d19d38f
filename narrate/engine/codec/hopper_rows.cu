// How rows get to a unit's products, from one to the other, and out again; before `hopper_unit.cu`.

// `hopper_unit.py` gives the sizes. HELD: rows of a tile, and those before it that its taps hear.
#define OCTET (HELD * 16)  // bytes
// Vectors of a float a channel, one after the other.
enum { WIDE_BIAS, RATE, GAIN, POINT_BIAS, NEXT_RATE, NEXT_GAIN, OWN_RATE, OWN_GAIN, VECTORS };

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
            added[row][u] = loaded(
                x + (u64)(at + 8 * row) * CHANNELS + u * 32, at + 8 * row < time);
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
