// What a card of compute capability 9.0 can do that C++ has no word for, and numbers of 16 bits.
// `hopper_unit.py` puts it before `hopper_rows.cu`.

typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short f16;

// ---- Instructions.

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
