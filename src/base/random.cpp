// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <sys/random.h>

#include <bit>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace penstock {

std::uint64_t Random::below(std::uint64_t bound) {
    CHECK(bound > 0, "a range has at least one value");
    const std::uint64_t limit = bound * (UINT64_MAX / bound);
    std::uint64_t value = next();
    while (value >= limit) value = next();
    return value % bound;
}

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::uint64_t SystemRandom::next() {
    if (left_ == 0) {
        const ssize_t got = ::getrandom(words_.data(), sizeof words_, 0);
        CHECK(got == sizeof words_, "getrandom of at most 256 bytes is never short");
        left_ = kWords;
    }
    return std::exchange(words_[--left_], 0);
}

SeededRandom::SeededRandom(std::uint64_t seed) {
    // splitmix64, as the authors of xoshiro recommend for seeding.
    for (std::uint64_t& word : state_) {
        seed += 0x9E3779B97F4A7C15ULL;
        std::uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        word = z ^ (z >> 31);
    }
}

std::uint64_t SeededRandom::next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::string random_text(Random& random, std::size_t length) {
    constexpr std::string_view kAlphabet =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::string text(length, '0');
    for (char& c : text) c = kAlphabet[random.below(kAlphabet.size())];
    return text;
}

}  // namespace penstock
