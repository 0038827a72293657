// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>

// Loaded before a program (LD_PRELOAD), lets its wall clock jump: PENSTOCK_CLOCK_SHIFT names a file
// with one 64-bit number, the seconds by which the clock is ahead. Whoever writes it, at whatever
// moment, makes the clock jump; the monotonic clock goes on as it was.
namespace {

using ClockGettime = int (*)(clockid_t, timespec*);

const std::atomic<std::int64_t>* open_shift() {
    const char* path = std::getenv("PENSTOCK_CLOCK_SHIFT");
    if (path == nullptr) return nullptr;
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return nullptr;
    void* place = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    return place == MAP_FAILED ? nullptr : static_cast<const std::atomic<std::int64_t>*>(place);
}

std::int64_t shift_seconds() {
    static const std::atomic<std::int64_t>* const shift = open_shift();
    return shift == nullptr ? 0 : shift->load(std::memory_order_relaxed);
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* out) noexcept {
    static const auto real = reinterpret_cast<ClockGettime>(dlsym(RTLD_NEXT, "clock_gettime"));
    const int result = real(clock, out);
    if (result == 0 && clock == CLOCK_REALTIME) out->tv_sec += shift_seconds();
    return result;
}
