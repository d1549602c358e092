// Runs kernels by number on buffers that come over standard input, and sends the buffers back: the other end is `emulator.rs`.
//
// A launch is: kernel, blocks, threads x and y, number of arguments (each a u32); then each argument: its kind (a u32: 0 an int, 1 an
// unsigned long long, 2 a buffer), its length in bytes (a u64), the bytes. The answer: the bytes of its buffers, one after the other. Buffers lie
// between guards of NaN, and the program ends with an error if a kernel wrote to one.
#pragma once
#include "emulate.h"

struct Kernel { const char* name; void (*call)(void** arguments); };
extern const Kernel KERNELS[];
extern const unsigned KERNEL_COUNT;

namespace server {

const size_t GUARD = 256;
enum Kind : unsigned { integer, wide, buffer };

inline bool read(void* to, size_t n) { return std::fread(to, 1, n, stdin) == n; }

struct Argument {
    std::vector<char> bytes;
    size_t length;
    unsigned kind;
    char* data;
};

inline void fail(const char* what, const char* kernel) {
    std::fprintf(stderr, "%s: %s\n", kernel, what);
    std::exit(4);
}

inline Argument argument(const char* kernel) {
    Argument a;
    uint64_t length;
    if (!read(&a.kind, 4) || !read(&length, 8)) fail("an argument is cut off", kernel);
    a.length = (size_t)length;
    a.bytes.assign(a.length + 3 * GUARD, (char)0xff);
    // As memory of a device: aligned for any access.
    a.data = a.bytes.data() + GUARD;
    a.data += (GUARD - (uintptr_t)a.data % GUARD) % GUARD;
    if (!read(a.data, a.length)) fail("an argument is cut off", kernel);
    return a;
}

inline bool guards_hold(const Argument& a) {
    const char *from = a.bytes.data(), *end = from + a.bytes.size();
    for (const char* p = from; p < end; ++p) {
        if (p == a.data) p += a.length;
        if (p < end && *p != (char)0xff) return false;
    }
    return true;
}

inline int serve() {
    unsigned head[5];
    while (read(head, sizeof head)) {
        if (head[0] >= KERNEL_COUNT) fail("no such kernel", "?");
        const Kernel& kernel = KERNELS[head[0]];
        std::vector<Argument> arguments;
        for (unsigned i = 0; i < head[4]; ++i) arguments.push_back(argument(kernel.name));
        std::vector<void*> addresses;
        for (Argument& a : arguments) addresses.push_back(a.kind == buffer ? (void*)&a.data : (void*)a.data);
        emulated::launch(kernel.call, head[1], head[2], head[3], addresses.data());
        for (const Argument& a : arguments) {
            if (!guards_hold(a)) fail("wrote beyond a buffer", kernel.name);
            if (a.kind == buffer) std::fwrite(a.data, 1, a.length, stdout);
        }
        std::fflush(stdout);
    }
    return 0;
}

} // namespace server
