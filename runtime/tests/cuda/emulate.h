// CUDA C on the CPU, for tests: what the generated kernels use of the language, and no more.
//
// Every thread of a block is a fibre; blocks run one after the other. A barrier or a shuffle hands control to the block's scheduler, which
// goes on once all threads that must meet have come. So what a kernel does between barriers is seen in one order only: races inside a warp
// and faults of the memory model are not found, missing and divergent barriers are.
#pragma once
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __align__(n) alignas(n)
#define __shared__ static

struct uint3 { unsigned x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };

namespace emulated {

const unsigned MOST_THREADS = 1024, WARP = 32;
const size_t STACK = 64 << 10;

enum class Waits { no, warp, block };

struct Thread {
    jmp_buf at;
    ucontext_t context;
    std::vector<char> stack;
    uint3 index;
    bool started = false, done = false;
    Waits waits = Waits::no;
    // What it shows the others in a shuffle; two places in turn, so that no shuffle overwrites what the one before still reads.
    uint64_t shown[2];
    unsigned shuffles;
};

struct Device {
    std::vector<Thread> threads = std::vector<Thread>(MOST_THREADS);
    jmp_buf scheduler;
    unsigned current = 0, live = 0;
    uint3 block, block_size, grid_size;
    void (*kernel)(void** arguments) = nullptr;
    void** arguments = nullptr;
};
inline Device device;

inline Thread& self() { return device.threads[device.current]; }

inline void wait(Waits why) {
    self().waits = why;
    if (_setjmp(self().at) == 0) _longjmp(device.scheduler, 1);
}

// A fibre runs one thread of a block after another, for good.
inline void fibre() {
    for (;;) {
        device.kernel(device.arguments);
        self().done = true;
        wait(Waits::no);
    }
}

inline void resume(Thread& thread) {
    if (_setjmp(device.scheduler) != 0) return;
    if (thread.started) _longjmp(thread.at, 1);
    thread.started = true;
    thread.stack.resize(STACK);
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = STACK;
    thread.context.uc_link = nullptr;
    makecontext(&thread.context, fibre, 0);
    setcontext(&thread.context);
}

// Lets the threads from `first` to `end` go on if all that still run wait for one another in that way.
inline bool release(unsigned first, unsigned end, Waits why) {
    bool any = false;
    for (unsigned i = first; i < end; ++i) {
        if (device.threads[i].done) continue;
        if (device.threads[i].waits != why) return false;
        any = true;
    }
    for (unsigned i = first; i < end; ++i) device.threads[i].waits = Waits::no;
    return any;
}

inline void run_block() {
    const unsigned count = device.block_size.x * device.block_size.y;
    for (unsigned i = 0; i < count; ++i) {
        Thread& thread = device.threads[i];
        thread.index = {i % device.block_size.x, i / device.block_size.x, 0};
        thread.done = false;
        thread.waits = Waits::no;
        thread.shuffles = 0;
    }
    for (;;) {
        bool all_done = true;
        for (unsigned i = 0; i < count; ++i) {
            Thread& thread = device.threads[i];
            if (!thread.done && thread.waits == Waits::no) {
                device.current = i;
                resume(thread);
            }
            all_done = all_done && thread.done;
        }
        if (all_done) return;
        bool released = false;
        for (unsigned first = 0; first < count; first += WARP) {
            const unsigned end = first + WARP < count ? first + WARP : count;
            released |= release(first, end, Waits::warp);
        }
        if (!released && !release(0, count, Waits::block)) {
            std::fprintf(stderr, "threads of a block wait at different barriers\n");
            std::exit(3);
        }
    }
}

inline void launch(void (*kernel)(void**), unsigned blocks, unsigned x, unsigned y, void** arguments) {
    device.kernel = kernel;
    device.arguments = arguments;
    device.block_size = {x, y, 1};
    device.grid_size = {blocks, 1, 1};
    for (unsigned block = 0; block < blocks; ++block) {
        device.block = {block, 0, 0};
        run_block();
    }
}

// A kernel as a function of the addresses of its arguments.
template <auto F> struct Call;
template <class... A, void (*F)(A...)> struct Call<F> {
    template <size_t... I> static void with(void** a, std::index_sequence<I...>) {
        F(*(typename std::tuple_element<I, std::tuple<A...>>::type*)a[I]...);
    }
    static void call(void** a) { with(a, std::index_sequence_for<A...>{}); }
};

} // namespace emulated

#define threadIdx (::emulated::self().index)
#define blockIdx (::emulated::device.block)
#define blockDim (::emulated::device.block_size)
#define gridDim (::emulated::device.grid_size)

inline void __syncthreads() { emulated::wait(emulated::Waits::block); }
inline void __syncwarp() { emulated::wait(emulated::Waits::warp); }
template <class T> inline T __shfl_xor_sync(unsigned, T value, int mask) {
    emulated::Thread& me = emulated::self();
    const unsigned place = me.shuffles++ & 1u, other = emulated::device.current ^ (unsigned)mask;
    std::memcpy(&me.shown[place], &value, sizeof value);
    emulated::wait(emulated::Waits::warp);
    std::memcpy(&value, &emulated::device.threads[other].shown[place], sizeof value);
    return value;
}

template <class To, class From> inline To same_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "of one size");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
inline unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return same_bits<float>(x); }
inline long long __double_as_longlong(double x) { return same_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return same_bits<double>(x); }
