// Compiles a file of CUDA C by NVRTC, which is loaded when the program runs: `nvrtc FILE ARCHITECTURE [LIBRARY]`. Prints how many kernels
// there are, what they take and how long that took; that there is no library, if there is none. Fails with the compiler's log.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

typedef struct Program_* Program;

static void* library(const char* path) {
    if (path && *path) {
        void* found = dlopen(path, RTLD_NOW);
        if (!found) { std::fprintf(stderr, "%s\n", dlerror()); std::exit(1); }
        return found;
    }
    for (const char* name : {"libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"})
        if (void* found = dlopen(name, RTLD_NOW)) return found;
    return nullptr;
}

template <class F> static F* function(void* from, const char* name) {
    F* found = (F*)dlsym(from, name);
    if (!found) { std::fprintf(stderr, "the library has no %s\n", name); std::exit(1); }
    return found;
}

int main(int count, char** arguments) {
    if (count < 3) return 2;
    void* nvrtc = library(count > 3 ? arguments[3] : nullptr);
    if (!nvrtc) {
        std::printf("NVRTC: no library here, the kernels were compiled by g++ only\n");
        return 0;
    }
    std::stringstream text;
    text << std::ifstream(arguments[1]).rdbuf();
    auto version = function<int(int*, int*)>(nvrtc, "nvrtcVersion");
    auto create = function<int(Program*, const char*, const char*, int, const char**, const char**)>(nvrtc, "nvrtcCreateProgram");
    auto compile = function<int(Program, int, const char**)>(nvrtc, "nvrtcCompileProgram");
    auto log_size = function<int(Program, size_t*)>(nvrtc, "nvrtcGetProgramLogSize");
    auto get_log = function<int(Program, char*)>(nvrtc, "nvrtcGetProgramLog");
    auto cubin_size = function<int(Program, size_t*)>(nvrtc, "nvrtcGetCUBINSize");
    int major = 0, minor = 0;
    version(&major, &minor);
    Program program = nullptr;
    const std::string source = text.str(), architecture = std::string("--gpu-architecture=") + arguments[2];
    const char* options[] = {architecture.c_str(), "--fmad=false", "--std=c++17", "--ptxas-options=-v"};
    const auto start = std::chrono::steady_clock::now();
    if (create(&program, source.c_str(), arguments[1], 0, nullptr, nullptr) != 0) return 1;
    const int failed = compile(program, 4, options);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    size_t length = 0, bytes = 0;
    log_size(program, &length);
    std::vector<char> log(length + 1);
    get_log(program, log.data());
    if (failed) { std::fprintf(stderr, "%s\n", log.data()); return 1; }
    cubin_size(program, &bytes);
    // ptxas writes `Used 12 registers` and `0 bytes spill stores` for every kernel.
    int kernels = 0, most = 0, spilling = 0;
    std::istringstream lines(log.data());
    for (std::string line; std::getline(lines, line);) {
        const size_t used = line.find("Used "), spill = line.find(" bytes spill stores");
        if (used != std::string::npos) {
            const int registers = std::atoi(line.c_str() + used + 5);
            ++kernels;
            most = registers > most ? registers : most;
        }
        if (spill != std::string::npos) spilling += line.find(" 0 bytes spill stores") == std::string::npos;
    }
    std::printf("NVRTC %d.%d: %d kernels for %s in %.2f s, %zu bytes; at most %d registers a thread, %d kernels spill\n",
                major, minor, kernels, arguments[2], seconds, bytes, most, spilling);
    return 0;
}
